// Reads a network's block of bytes back (docs/pass.md, "Describing a network"), from a file of it or from the source that
// netSource() wrote.
import {
  type Conv2d,
  type MaxPool,
  NET_HEADER_BYTES,
  NET_LAYER_BYTES,
  NET_MAGIC,
  type Net,
  NetError,
  type NetLayer,
} from "./net.ts";

const MAX_LAYERS = 64;
const STORES = [undefined, "cache", "recompute"] as const;

/** The bytes of a file: as they are, or out of the numbers of `memory.data<u32>([…])`. @throws NetError */
export function netBytes(content: Uint8Array, name: string): Uint8Array {
  if (
    content.length >= 4 &&
    new DataView(content.buffer, content.byteOffset).getUint32(0, true) === NET_MAGIC
  )
    return content;
  const list = /memory\.data<u32>\(\s*\[([\d\s,]+)\]/.exec(new TextDecoder().decode(content))?.[1];
  if (list === undefined)
    throw new NetError(
      `${name} holds no network: give what encodeNet() or netSource() of host/pass/net.ts wrote`,
    );
  const words = list.split(",").map((word) => word.trim());
  const numbers = words.filter((word) => word !== "").map(Number);
  if (numbers.some((number) => !(number <= 0xffff_ffff)))
    throw new NetError(`${name}: a number in it is larger than a word`);
  return new Uint8Array(Uint32Array.from(numbers).buffer);
}

/**
 * What encodeNet() was given. Networks of a row of layers, as PASS runs them.
 * @throws NetError where the bytes are not such a network's
 */
export function decodeNet(bytes: Uint8Array): Net {
  if (bytes.length < NET_HEADER_BYTES) throw new NetError(`${bytes.length} bytes are no network`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number): number => view.getInt32(at, true);
  const [magic, version, length, h, w, c, layers] = [0, 4, 8, 12, 16, 20, 24].map(word) as [
    ...[number, number, number, number],
    ...[number, number, number],
  ];
  if (magic !== NET_MAGIC || version !== 1) throw new NetError("these bytes do not begin as a network's do");
  if (length !== bytes.length)
    throw new NetError(`the network says that it has ${length} bytes, and there are ${bytes.length}`);
  if (layers < 1 || layers > MAX_LAYERS) throw new NetError(`${layers} layers; 1 … ${MAX_LAYERS} can be`);
  const pool = NET_HEADER_BYTES + layers * NET_LAYER_BYTES;
  if (pool > length) throw new NetError(`${layers} layers do not fit ${length} bytes`);
  const room = (index: number, at: number, size: number): number => {
    if (at < pool || at % 4 !== 0 || at + size > length)
      throw new NetError(`layer ${index}: its numbers lie outside the network`);
    return at;
  };
  let channels = c;
  return {
    input: [h, w, c],
    layers: Array.from({ length: layers }, (_, index): NetLayer => {
      const record = NET_HEADER_BYTES + index * NET_LAYER_BYTES;
      const field = (i: number): number => word(record + 4 * i);
      const kind = field(0);
      if (kind === 4) return { kind: "relu", zero: field(15) };
      if (kind !== 1 && kind !== 3)
        throw new NetError(`layer ${index}: PASS does not run layers of kind ${kind}`);
      const store = STORES[field(23)];
      if (store === undefined && field(23) !== 0)
        throw new NetError(`layer ${index} is no layer of a row: PASS runs no networks that branch`);
      const shape = {
        kernel: [field(2), field(3)] as const,
        stride: [field(4), field(5)] as const,
        dilation: [field(6), field(7)] as const,
        padding: [field(8), field(9), field(10), field(11)] as const,
        ...(field(13) >= 0 && { tau: field(13) / 256 }),
        ...(store !== undefined && { store }),
      };
      if (kind === 3) return { kind: "maxPool", ...shape } satisfies MaxPool;
      const [filters, groups, tables] = [field(1), field(12), field(20)];
      const kernel = field(2) * field(3);
      // as many as a tensor may have (docs/abi.md); products stay far below 2^53
      for (const n of [filters, groups, channels, kernel, tables])
        if (n < 1 || n > 32_767) throw new NetError(`layer ${index}: ${n} is no size of a layer`);
      const weights = (filters * kernel * channels) / groups;
      if (!Number.isInteger(weights))
        throw new NetError(`layer ${index}: ${groups} groups of ${channels} channels`);
      channels = filters;
      const array = (at: number, count: number): Int32Array =>
        Int32Array.from({ length: count }, (_, i) => word(room(index, at, 4 * count) + 4 * i));
      const shifts = array(field(19), tables);
      const factors = Array.from(array(field(18), tables), (m, i) => m * 2 ** -shifts[i]!);
      const from = room(index, field(21), weights);
      return {
        kind: "conv2d",
        ...shape,
        filters,
        groups,
        weights: Int8Array.from(bytes.subarray(from, from + weights), (byte) => (byte << 24) >> 24),
        ...(field(22) !== 0 && { bias: array(field(22), filters) }),
        multiplier: tables === 1 ? factors[0]! : factors,
        inputZero: field(14),
        outputZero: field(15),
        lo: field(16),
        hi: field(17),
      } satisfies Conv2d;
    }),
  };
}
