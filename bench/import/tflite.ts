// TFLite models for benches and tests, table by table, written with FlatBuffers' own builder.
import { Builder } from "flatbuffers";
import { TYPE } from "../../host/models/tflite/schema.ts";

export interface TfliteTensor {
  name: string;
  shape: readonly number[];
  type?: number;
  /** Raw data of a constant. */
  data?: ArrayBufferView;
  scale?: readonly number[];
  zero?: readonly number[];
  axis?: number;
}

export interface TfliteOperator {
  code: number;
  inputs: readonly number[];
  outputs: readonly number[];
  /** Fields of the options, by position: bytes are told from ints. */
  options?: Readonly<Record<number, number | { byte: number }>>;
}

/** A model from its first tensor to its last. */
export function tfliteModel(
  tensors: readonly TfliteTensor[],
  operators: readonly TfliteOperator[],
): Uint8Array {
  const b = new Builder(4096);
  const table = (fields: number, fill: () => void) => {
    b.startObject(fields);
    fill();
    return b.endObject();
  };
  const vector = (size: number, items: readonly number[], add: (item: number) => void) => {
    b.startVector(size, items.length, size);
    for (let i = items.length - 1; i >= 0; i--) add(items[i]!);
    return b.endVector();
  };
  const ints = (items: readonly number[]) => vector(4, items, (n) => b.addInt32(n));
  const offsets = (items: readonly number[]) => vector(4, items, (n) => b.addOffset(n));
  const bytesOf = (data: ArrayBufferView) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

  // buffer 0 is empty, then one for each constant
  const constants = tensors.filter(({ data }) => data);
  const data = constants.map((tensor) => b.createByteVector(bytesOf(tensor.data!)));
  const buffers = [table(3, () => {}), ...data.map((at) => table(3, () => b.addFieldOffset(0, at, 0)))];
  const tensorAt = tensors.map((tensor) => {
    const name = b.createString(tensor.name);
    const shape = ints(tensor.shape);
    let quantisation = 0;
    if (tensor.scale) {
      const scale = vector(4, tensor.scale, (n) => b.addFloat32(n));
      const zero = vector(8, tensor.zero ?? [0], (n) => b.addInt64(BigInt(n)));
      quantisation = table(7, () => {
        b.addFieldOffset(2, scale, 0);
        b.addFieldOffset(3, zero, 0);
        b.addFieldInt32(6, tensor.axis ?? 0, 0);
      });
    }
    return table(8, () => {
      b.addFieldOffset(0, shape, 0);
      b.addFieldInt8(1, tensor.type ?? TYPE.float32, 0);
      b.addFieldInt32(2, tensor.data ? 1 + constants.indexOf(tensor) : 0, 0);
      b.addFieldOffset(3, name, 0);
      b.addFieldOffset(4, quantisation, 0);
    });
  });
  const codes = [...new Set(operators.map(({ code }) => code))];
  const codesAt = codes.map((code) =>
    table(4, () => {
      b.addFieldInt8(0, Math.min(code, 127), 0);
      b.addFieldInt32(3, code, 0);
    }),
  );
  const operatorsAt = operators.map(({ code, inputs, options, outputs }) => {
    const inAt = ints(inputs);
    const outAt = ints(outputs);
    const optionsAt = table(8, () => {
      for (const [field, value] of Object.entries(options ?? {})) {
        if (typeof value === "number") b.addFieldInt32(Number(field), value, -1);
        else b.addFieldInt8(Number(field), value.byte, -1);
      }
    });
    return table(5, () => {
      b.addFieldInt32(0, codes.indexOf(code), -1);
      b.addFieldOffset(1, inAt, 0);
      b.addFieldOffset(2, outAt, 0);
      b.addFieldInt8(3, 1, 0);
      b.addFieldOffset(4, optionsAt, 0);
    });
  });
  const parts = {
    tensors: offsets(tensorAt),
    inputs: ints([0]),
    outputs: ints([tensors.length - 1]),
    operators: offsets(operatorsAt),
  };
  const graph = table(5, () => {
    b.addFieldOffset(0, parts.tensors, 0);
    b.addFieldOffset(1, parts.inputs, 0);
    b.addFieldOffset(2, parts.outputs, 0);
    b.addFieldOffset(3, parts.operators, 0);
  });
  const [codesVector, graphs, buffersVector] = [offsets(codesAt), offsets([graph]), offsets(buffers)];
  const model = table(8, () => {
    b.addFieldInt32(0, 3, 0);
    b.addFieldOffset(1, codesVector, 0);
    b.addFieldOffset(2, graphs, 0);
    b.addFieldOffset(4, buffersVector, 0);
  });
  b.finish(model, "TFL3");
  return new Uint8Array(b.asUint8Array());
}
