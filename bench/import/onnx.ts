// ONNX models for benches and tests, node by node.
import { create, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  GraphProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorProto_DataType as Type,
} from "onnx-buf";
import { valueInfo } from "../../host/models/onnx/value-info.ts";

export interface OnnxNode {
  op: string;
  in: string[];
  out: string;
  with?: Readonly<Record<string, number | string | readonly number[]>>;
}

export interface OnnxTensor {
  dims: readonly number[];
  values: ArrayLike<number>;
  /** Whole numbers of 64 bits, as shapes are. */
  whole?: boolean;
}

function attribute(name: string, value: number | string | readonly number[]): AttributeProto {
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: Kind.STRING, s: new TextEncoder().encode(value) });
  }
  if (typeof value !== "number") {
    return create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map((n) => BigInt(n)) });
  }
  return Number.isInteger(value)
    ? create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(value), f: value })
    : create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value });
}

/** A model from `x` (NCHW) to `y`. */
export function onnxModel(
  input: readonly number[],
  nodes: readonly OnnxNode[],
  tensors: Readonly<Record<string, OnnxTensor>>,
  outputs = 1,
): Uint8Array<ArrayBuffer> {
  const graph = create(GraphProtoSchema, {
    name: "test",
    input: [valueInfo("x", input, Type.FLOAT)],
    output: Array.from({ length: outputs }, (_, i) => valueInfo(i === 0 ? "y" : `y${i}`, [], Type.FLOAT)),
    node: nodes.map((node, i) =>
      create(NodeProtoSchema, {
        name: `node${i}`,
        opType: node.op,
        input: node.in,
        output: [node.out],
        attribute: Object.entries(node.with ?? {}).map(([name, value]) => attribute(name, value)),
      }),
    ),
    initializer: Object.entries(tensors).map(([name, { dims, values, whole }]) =>
      create(TensorProtoSchema, {
        name,
        dims: dims.map((n) => BigInt(n)),
        dataType: whole ? Type.INT64 : Type.FLOAT,
        rawData: new Uint8Array(
          whole
            ? BigInt64Array.from(Array.from(values), (n) => BigInt(n)).buffer
            : Float32Array.from(Array.from(values)).buffer,
        ),
      }),
    ),
  });
  const opsetImport = [create(OperatorSetIdProtoSchema, { domain: "", version: 13n })];
  return new Uint8Array(
    toBinary(ModelProtoSchema, create(ModelProtoSchema, { irVersion: 8n, graph, opsetImport })),
  );
}
