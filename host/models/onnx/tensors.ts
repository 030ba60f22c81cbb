// Tensors and attributes of an ONNX model as numbers.
import {
  type AttributeProto,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { finite, ModelError } from "../graph.ts";
import { countOf } from "../limits.ts";

export interface Floats {
  name: string;
  dims: number[];
  values: Float32Array;
}

/** A float tensor. @throws ModelError for other types, data outside the file, NaN and infinities */
export function floatsOf(tensor: TensorProto): Floats {
  const { name, rawData } = tensor;
  const dims = tensor.dims.map(Number);
  const count = countOf(name, dims);
  if (tensor.externalData.length > 0) {
    throw new ModelError(`tensor ${name} lies outside the file: save the model with its weights inside`);
  }
  let values: Float32Array;
  if (tensor.dataType === Type.FLOAT) {
    values =
      rawData.length > 0
        ? numbers(rawData, 4, (view, at) => view.getFloat32(at, true))
        : new Float32Array(tensor.floatData);
  } else if (tensor.dataType === Type.DOUBLE) {
    values =
      rawData.length > 0
        ? numbers(rawData, 8, (view, at) => view.getFloat64(at, true))
        : new Float32Array(tensor.doubleData);
  } else {
    throw new ModelError(
      `tensor ${name} is of type ${Type[tensor.dataType] ?? tensor.dataType}: export the model in float32`,
    );
  }
  if (values.length !== count) {
    throw new ModelError(
      `tensor ${name} has ${values.length} elements for a shape of ${count}: the file is damaged`,
    );
  }
  return { name, dims, values: finite(name, values) };
}

function numbers(raw: Uint8Array, bytes: number, read: (view: DataView, at: number) => number): Float32Array {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Float32Array.from({ length: Math.floor(raw.length / bytes) }, (_, i) => read(view, bytes * i));
}

/** A tensor of whole numbers, such as a shape. */
export function integersOf({ dataType, int32Data, int64Data, name, rawData }: TensorProto): number[] {
  const view = new DataView(rawData.buffer, rawData.byteOffset, rawData.byteLength);
  if (dataType === Type.INT64) {
    if (rawData.length === 0) return int64Data.map(Number);
    return Array.from({ length: rawData.length >> 3 }, (_, i) => Number(view.getBigInt64(8 * i, true)));
  }
  if (dataType === Type.INT32) {
    if (rawData.length === 0) return [...int32Data];
    return Array.from({ length: rawData.length >> 2 }, (_, i) => view.getInt32(4 * i, true));
  }
  throw new ModelError(`tensor ${name} should hold whole numbers`);
}

const attribute = ({ attribute }: NodeProto, name: string): AttributeProto | undefined =>
  attribute.find((it) => it.name === name);

export const int = (node: NodeProto, name: string, otherwise: number): number => {
  const found = attribute(node, name);
  return found === undefined ? otherwise : Number(found.i);
};

export const float = (node: NodeProto, name: string, otherwise: number): number =>
  attribute(node, name)?.f ?? otherwise;

export const ints = (node: NodeProto, name: string): number[] | undefined =>
  attribute(node, name)?.ints.map(Number);

export const text = (node: NodeProto, name: string): string =>
  new TextDecoder().decode(attribute(node, name)?.s);

export const tensor = (node: NodeProto, name: string): TensorProto | undefined => attribute(node, name)?.t;
