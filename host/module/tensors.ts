// Where the tensors of a model lie in its learned state, found out by running its module: an app that keeps a weights file has a
// table of them; of any other the calls of intrinsics tell shapes and places, since every weight passes through them. A replay buffer
// behind the layers is recognised by its head.
import { stateHeader } from "../protocol/checkpoint.ts";
import { type WeightsEntry, weightsTable } from "../protocol/weights.ts";
import { drawKey } from "./mix.ts";
import { ModuleHost } from "./module-host.ts";

/** A module whose tensors cannot be found. */
export class TensorsError extends Error {
  override readonly name = "TensorsError";
}

export interface Tensors {
  entries: WeightsEntry[];
  /** Digest that the states of this model carry. */
  structure: number;
}

/** Bytes before a layer's masters. */
const LAYER_HEADER = 16;
const CONV2D = 1;
const DENSE = 2;
/** Layers that are looked for. */
const MAX_LAYERS = 256;
/** Bytes before a sample's elements in a replay buffer. */
const SLOT_HEADER = 4;

const upTo = (n: number, unit: number) => Math.ceil(n / unit) * unit;

/** A layer whose first weights were drawn: places in memory, number of weights. */
interface Drawn {
  index: number;
  masters: number;
  count: number;
  weights: number;
}

/**
 * @param intrinsics `intrinsics.wasm`, for device modules
 * @throws TensorsError when the module has no model that learns, or one that only its own table could tell of
 */
export async function tensorsOf(module: Uint8Array<ArrayBuffer>, intrinsics: BufferSource): Promise<Tensors> {
  const drawn: Drawn[] = [];
  const entries = new Map<number, WeightsEntry>();
  /** Elements that enter a layer, by its number. */
  const inputs = new Map<number, number>();
  let view = new DataView(new ArrayBuffer(0));
  const observe = (name: string, args: readonly number[]) => {
    if (name === "drawMasters" && drawn.length < MAX_LAYERS) {
      const [key, , , count, masters] = args as [number, number, number, number, number];
      drawn.push({ index: indexOf(key >>> 0), masters, count, weights: 0 });
    }
    if (name === "weightsOf") {
      const layer = drawn.find(({ masters }) => masters === args[0]);
      if (layer) layer.weights = args[3] as number;
    }
    if (name === "conv2d") look(args);
  };
  const look = ([, conv, , xT, , weights, , yT]: readonly number[]) => {
    const layer = drawn.find((it) => it.weights !== 0 && it.weights === weights);
    if (!layer || entries.has(layer.index)) return;
    const word = (at: number, i: number) => view.getInt32(at + 4 * i, true);
    const [h, w, c] = [1, 2, 3].map((i) => word(xT as number, i)) as [number, number, number];
    const [kernelH, kernelW, groups] = [1, 2, 11].map((i) => word(conv as number, i)) as [
      number,
      number,
      number,
    ];
    inputs.set(layer.index, h * w * c);
    const masters = layer.masters - host.stateAddress;
    entries.set(layer.index, {
      index: layer.index,
      kind: h === 1 && w === 1 ? DENSE : CONV2D,
      shape: [word(yT as number, 3), kernelH, kernelW, c / groups],
      groups,
      masters,
      biases: masters + upTo(2 * layer.count, 4),
      bits: 0,
      grid: 0,
      compensation: 0,
    });
  };
  const host = await ModuleHost.load(module, { intrinsics, observe });
  host.start();
  const state = host.state();
  if (state.length === 0)
    throw new TensorsError("the module has no model that learns: there are no weights to keep");
  const { structure } = stateHeader(state);
  const memory = (host.exported as unknown as { memory: WebAssembly.Memory }).memory;
  if (host.weightsAddress !== 0) {
    return { entries: weightsTable(new Uint8Array(memory.buffer, host.weightsAddress)), structure };
  }
  if (drawn.length === 0) {
    throw new TensorsError(
      "a portable module keeps its kernels to itself: give the device module of the same app, or its source",
    );
  }
  view = new DataView(memory.buffer);
  // the golden vectors go through every layer
  host.selfTest();
  const layers = drawn.filter(({ weights }) => weights !== 0);
  const found = [...entries.values()].sort((a, b) => a.index - b.index);
  const ends = found.map(({ biases, shape }) => upTo(biases + 4 * shape[0], 8));
  const end = ends.at(-1) ?? 0;
  const last = holdsSamples(state, end, [...inputs.values()]) ? end : state.length;
  const starts = [...found.map(({ masters }) => masters - LAYER_HEADER).slice(1), last];
  if (found.length !== layers.length || ends.some((end, i) => end !== starts[i])) {
    throw new TensorsError(
      "the model keeps more than weights and biases, and only its app can tell where: call keep() on the model",
    );
  }
  return { entries: found, structure };
}

/** Whether a replay buffer begins here: it says how large a slot is and of how many bits an element, of what enters some layer. */
function holdsSamples(state: Uint8Array, at: number, inputs: readonly number[]): boolean {
  if (at + 8 > state.length) return false;
  const view = new DataView(state.buffer, state.byteOffset, state.length);
  const [slot, bits] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
  return (
    bits >= 1 && bits <= 8 && inputs.some((n) => slot === upTo(SLOT_HEADER + Math.ceil((n * bits) / 8), 4))
  );
}

/** The layer whose first weights are drawn with a key, at seed 0. */
function indexOf(key: number): number {
  for (let index = 0; index < MAX_LAYERS; index++) if (drawKey(0, 0, index << 2) === key) return index;
  return -1;
}
