// Which number of which layer lies where in a learned state (docs/abi.md, "Learned state"), and where two states differ. Layers are those
// that the inspector has seen; of a module that keeps its kernels to itself there are none, and places are told as bytes.

/** Where a layer with weights keeps what it learns. */
export interface LayerPlace {
  /** `conv2d 5×5, 1 → 8`. */
  name: string;
  /** Byte of the state at which its masters begin. */
  masters: number;
  /** Of its weights: output channels, kernel height and width, input channels of each. */
  shape: readonly [number, number, number, number];
}

/** Numbers of one kind in a state. */
export interface Tensor {
  name: string;
  at: number;
  bytes: number;
  /** Of an element. */
  size: 1 | 2 | 4 | 8;
  shape: readonly number[];
}

/** What differs in a tensor. */
export interface TensorDifference {
  tensor: string;
  /** Elements that differ, of so many that were compared. */
  differ: number;
  of: number;
  /** Place of the first of them, and its values. */
  first: number[];
  got: string;
  want: string;
}

/** Layers before their masters have range (u64), exponent (i32) and a word of zero; the whole begins with a header. */
const LAYER_HEADER = 16;
const STATE_HEADER = 32;
const HEADER_WORDS = ["magic", "version", "bytes", "structure", "step", "seed", "check value", "zero"];

/** All of a state of `bytes` bytes, in its order; `layers` in any. */
export function layoutOf(layers: readonly LayerPlace[], bytes: number): Tensor[] {
  if (bytes === 0) return [];
  const known = layers
    .filter(({ masters }) => masters >= STATE_HEADER + LAYER_HEADER && masters < bytes)
    .sort((a, b) => a.masters - b.masters);
  if (known.length === 0) return [{ name: "learned state", at: 0, bytes, size: 1, shape: [bytes] }];
  const tensors: Tensor[] = HEADER_WORDS.map((word, i) => ({
    name: `header, ${word}`,
    at: 4 * i,
    bytes: 4,
    size: 4,
    shape: [],
  }));
  let end = STATE_HEADER;
  const rest = (name: string, until: number) => {
    if (until > end) tensors.push({ name, at: end, bytes: until - end, size: 1, shape: [until - end] });
    end = Math.max(end, until);
  };
  known.forEach(({ name, masters, shape }, i) => {
    // layers that the inspector has not seen, and what options keep
    rest(
      i === 0 ? "layers before the first that ran" : `${known[i - 1]?.name}, options`,
      masters - LAYER_HEADER,
    );
    const count = shape.reduce((product, n) => product * n, 1);
    const biases = masters + ((2 * count + 3) & ~3);
    tensors.push(
      { name: `${name}, range`, at: masters - 16, bytes: 8, size: 8, shape: [] },
      { name: `${name}, exponent`, at: masters - 8, bytes: 4, size: 4, shape: [] },
      { name: `${name}, masters`, at: masters, bytes: 2 * count, size: 2, shape },
      { name: `${name}, biases`, at: biases, bytes: 4 * shape[0], size: 4, shape: [shape[0]] },
    );
    end = Math.min(bytes, (biases + 4 * shape[0] + 7) & ~7);
  });
  rest(`behind the biases of ${known.at(-1)?.name} (options, early stop, replay buffer)`, bytes);
  return tensors.filter((tensor) => tensor.at + tensor.bytes <= bytes);
}

/** Where two pieces of a state differ, which begin at byte `offset` of it: tensors in the state's order. An element of which only a part was read is left out. */
export function differences(
  layout: readonly Tensor[],
  offset: number,
  got: Uint8Array,
  want: Uint8Array,
): TensorDifference[] {
  const found: TensorDifference[] = [];
  const end = offset + Math.min(got.length, want.length);
  for (const { name, at, bytes, size, shape } of layout) {
    const from = Math.max(0, Math.ceil((offset - at) / size));
    const to = Math.floor((Math.min(end, at + bytes) - at) / size);
    let differ = 0;
    let first = -1;
    for (let i = from; i < to; i++) {
      const place = at + i * size - offset;
      let same = true;
      for (let k = place; k < place + size; k++) if (got[k] !== want[k]) same = false;
      if (same) continue;
      if (differ++ === 0) first = i;
    }
    if (differ === 0) continue;
    const place = at + first * size - offset;
    found.push({
      tensor: name,
      differ,
      of: to - from,
      first: indexOf(first, shape),
      got: valueAt(got, place, size),
      want: valueAt(want, place, size),
    });
  }
  return found;
}

/** `masters of conv2d … [3, 2, 0, 1]` as people count it. */
function indexOf(element: number, shape: readonly number[]): number[] {
  const index: number[] = [];
  let left = element;
  for (const n of [...shape].reverse()) {
    index.unshift(left % n);
    left = Math.floor(left / n);
  }
  return index;
}

function valueAt(bytes: Uint8Array, at: number, size: Tensor["size"]): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (size === 8) return (Number(view.getBigUint64(at, true)) / 2 ** 32).toString();
  if (size === 4) return view.getInt32(at, true).toString();
  if (size === 2) return view.getInt16(at, true).toString();
  return view.getUint8(at).toString();
}
