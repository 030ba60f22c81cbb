// The tables of TFLite's FlatBuffers schema that are read, field by field in the schema's order. FlatBuffers' runtime finds the fields;
// every place is checked against the file before anything there is believed.
import { ByteBuffer } from "flatbuffers";
import { ModelError } from "../graph.ts";

const damaged = () => new ModelError("the TFLite file is damaged: an offset leaves it");

/** A table of the file: fields by their position in the schema. */
export class Table {
  readonly #bytes: ByteBuffer;
  readonly #at: number;

  constructor(bytes: ByteBuffer, at: number) {
    this.#bytes = bytes;
    this.#at = this.#within(at, 4);
    const vtable = at - bytes.readInt32(at);
    this.#within(vtable, 4);
    this.#within(vtable, bytes.readUint16(vtable));
  }

  #within(at: number, length: number): number {
    if (!(at >= 0 && length >= 0 && at + length <= this.#bytes.capacity())) throw damaged();
    return at;
  }

  /** Where a field lies; 0 if the file leaves it out. */
  #field(field: number, bytes: number): number {
    const offset = this.#bytes.__offset(this.#at, 4 + 2 * field);
    return offset === 0 ? 0 : this.#within(this.#at + offset, bytes);
  }

  byte(field: number, otherwise = 0): number {
    const at = this.#field(field, 1);
    return at === 0 ? otherwise : this.#bytes.readUint8(at);
  }

  int(field: number, otherwise = 0): number {
    const at = this.#field(field, 4);
    return at === 0 ? otherwise : this.#bytes.readInt32(at);
  }

  table(field: number): Table | undefined {
    const at = this.#field(field, 4);
    return at === 0 ? undefined : new Table(this.#bytes, this.#bytes.__indirect(at));
  }

  /** Start and number of elements of a vector. */
  #vector(field: number, size: number): readonly [start: number, length: number] {
    const at = this.#field(field, 4);
    if (at === 0) return [0, 0];
    const vector = this.#within(this.#bytes.__indirect(at), 4);
    const length = this.#bytes.readUint32(vector);
    return [this.#within(vector + 4, size * length), length];
  }

  tables(field: number): Table[] {
    const [start, length] = this.#vector(field, 4);
    return Array.from({ length }, (_, i) => new Table(this.#bytes, this.#bytes.__indirect(start + 4 * i)));
  }

  ints(field: number): number[] {
    const [start, length] = this.#vector(field, 4);
    return Array.from({ length }, (_, i) => this.#bytes.readInt32(start + 4 * i));
  }

  longs(field: number): number[] {
    const [start, length] = this.#vector(field, 8);
    return Array.from({ length }, (_, i) => Number(this.#bytes.readInt64(start + 8 * i)));
  }

  floats(field: number): number[] {
    const [start, length] = this.#vector(field, 4);
    return Array.from({ length }, (_, i) => this.#bytes.readFloat32(start + 4 * i));
  }

  bytes(field: number): Uint8Array {
    const [start, length] = this.#vector(field, 1);
    return new Uint8Array(this.#bytes.bytes().subarray(start, start + length));
  }

  text(field: number): string {
    return new TextDecoder().decode(this.bytes(field));
  }
}

/** The root table. @throws ModelError */
export function modelTable(file: Uint8Array): Table {
  if (file.length < 16 || new TextDecoder().decode(file.subarray(4, 8)) !== "TFL3") {
    throw new ModelError("not a TFLite file: give a .tflite that TensorFlow's converter wrote");
  }
  const bytes = new ByteBuffer(new Uint8Array(file));
  return new Table(bytes, bytes.readInt32(0));
}

export const MODEL = { operatorCodes: 1, subgraphs: 2, buffers: 4 } as const;
export const OPERATOR_CODE = { old: 0, custom: 1, code: 3 } as const;
export const SUBGRAPH = { tensors: 0, inputs: 1, outputs: 2, operators: 3 } as const;
export const TENSOR = { shape: 0, type: 1, buffer: 2, name: 3, quantisation: 4 } as const;
export const QUANTISATION = { scale: 2, zeroPoint: 3, axis: 6 } as const;
export const OPERATOR = { code: 0, inputs: 1, outputs: 2, options: 4 } as const;
export const BUFFER = { data: 0 } as const;
export const CONV = {
  padding: 0,
  strideW: 1,
  strideH: 2,
  activation: 3,
  dilationW: 4,
  dilationH: 5,
} as const;
export const DEPTHWISE = {
  padding: 0,
  strideW: 1,
  strideH: 2,
  multiplier: 3,
  activation: 4,
  dilationW: 5,
  dilationH: 6,
} as const;
export const POOL = { padding: 0, strideW: 1, strideH: 2, width: 3, height: 4, activation: 5 } as const;
export const DENSE = { activation: 0 } as const;
export const ADD = { activation: 0 } as const;

export const TYPE = { float32: 0, float16: 1, int32: 2, uint8: 3, int64: 4, int8: 9 } as const;

/** Operators by number; the others are refused by theirs. */
export const OPERATORS: Readonly<Record<number, string>> = {
  0: "ADD",
  1: "AVERAGE_POOL_2D",
  3: "CONV_2D",
  4: "DEPTHWISE_CONV_2D",
  6: "DEQUANTIZE",
  9: "FULLY_CONNECTED",
  17: "MAX_POOL_2D",
  19: "RELU",
  21: "RELU6",
  22: "RESHAPE",
  25: "SOFTMAX",
  40: "MEAN",
  43: "SQUEEZE",
  114: "QUANTIZE",
};
