// safetensors files: 8 bytes of length (u64), a JSON header of that length, then the tensors' bytes, little-endian, in C order.
// The header names each tensor with type, shape and place; `__metadata__` holds texts.

export type Dtype = "F32" | "I8" | "I16" | "I32";

export interface Tensor {
  name: string;
  shape: readonly number[];
  data: Float32Array | Int8Array | Int16Array | Int32Array;
}

/** Not a safetensors file. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
}

const ELEMENT = { F32: 4, I8: 1, I16: 2, I32: 4 } as const;
/** Largest header that is believed. */
const MAX_HEADER = 1 << 24;

function dtypeOf(data: Tensor["data"]): Dtype {
  if (data instanceof Float32Array) return "F32";
  if (data instanceof Int8Array) return "I8";
  return data instanceof Int16Array ? "I16" : "I32";
}

/** The file. Tensors lie in the order in which they are given; the header is padded so that they begin on 8 bytes. */
export function encodeSafetensors(
  tensors: readonly Tensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let end = 0;
  for (const { name, shape, data } of tensors) {
    header[name] = { dtype: dtypeOf(data), shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / 8) * 8;
  const file = new Uint8Array(8 + length + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(length), true);
  file.fill(0x20, 8, 8 + length);
  file.set(text, 8);
  let at = 8 + length;
  for (const { data } of tensors) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

/** @throws SafetensorsError */
export function decodeSafetensors(file: Uint8Array): { tensors: Tensor[]; metadata: Record<string, string> } {
  const bad = (why: string) => new SafetensorsError(`not a safetensors file: ${why}`);
  if (file.length < 8) throw bad("it ends before its header");
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER, file.length - 8))) throw bad("its header is longer than it is");
  const start = 8 + Number(length);
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(8, start)));
  } catch {
    throw bad("its header is no JSON");
  }
  if (typeof header !== "object" || header === null) throw bad("its header is no object");
  const { __metadata__: metadata = {}, ...rest } = header;
  const tensors = Object.entries(rest).map(([name, value]): Tensor => {
    const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
    const numbers = (list: unknown): list is number[] =>
      Array.isArray(list) && list.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (typeof dtype !== "string" || !Object.hasOwn(ELEMENT, dtype)) throw bad(`${name} has no known type`);
    if (!numbers(shape) || !numbers(offsets) || offsets.length !== 2)
      throw bad(`${name} has no shape or place`);
    const [from, to] = offsets as [number, number];
    const size = shape.reduce((product, n) => product * n, ELEMENT[dtype as Dtype]);
    if (to - from !== size || start + to > file.length) throw bad(`${name} does not lie in the file`);
    const bytes = new Uint8Array(file.subarray(start + from, start + to)).buffer;
    const kinds = { F32: Float32Array, I8: Int8Array, I16: Int16Array, I32: Int32Array } as const;
    return { name, shape, data: new kinds[dtype as Dtype](bytes) };
  });
  return { tensors, metadata: metadata as Record<string, string> };
}
