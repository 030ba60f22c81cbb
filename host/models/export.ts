// What a device has learned as tensors that PyTorch users know: float32 in PyTorch's layout, beside the integers they came from.
import { create, toBinary } from "@bufbuild/protobuf";
import {
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataType,
  TensorProtoSchema,
} from "onnx-buf";
import { layerWeights, type WeightsEntry, type WeightsFile } from "../protocol/weights.ts";
import { valueInfo } from "./onnx/value-info.ts";
import { encodeSafetensors, type Tensor } from "./safetensors.ts";

export type ExportFormat = "safetensors" | "onnx";

const DENSE = 2;
const BIAS_SCALE = 2 ** -20;

/**
 * Position in OHWI (or out × in, NHWC) of each weight in PyTorch's order: OIHW for convolutions, out × in for dense layers.
 *
 * @param channels of the map that a dense layer flattens: NHWC on a device, channel by channel in PyTorch; 0: as it is
 */
function torchOrder({ kind, shape }: WeightsEntry, channels: number): Int32Array {
  const [out, h, w, c] = shape;
  const inner = kind === DENSE && channels > 0 && (h * w * c) % channels === 0 ? channels : c;
  const places = (h * w * c) / inner;
  const order = new Int32Array(out * places * inner);
  let i = 0;
  for (let o = 0; o < out; o++) {
    for (let ch = 0; ch < inner; ch++) {
      for (let p = 0; p < places; p++) order[i++] = (o * places + p) * inner + ch;
    }
  }
  return order;
}

/** Tensors by name, and what numbers beside them mean. */
export function tensorsOfFile(file: WeightsFile): { tensors: Tensor[]; metadata: Record<string, string> } {
  const hex = (n: number) => n.toString(16).padStart(8, "0");
  const { structure, step, seed } = file.header;
  const metadata: Record<string, string> = {
    format: "pt",
    octomote: "weights 1",
    structure: hex(structure),
    step: String(step),
    seed: String(seed),
  };
  const tensors: Tensor[] = [];
  let channels = 0;
  for (const entry of file.entries) {
    const { biases, compensation, masters, masterScale, range, scale, weights } = layerWeights(file, entry);
    const name = `layers.${entry.index}`;
    const [out, h, w, c] = entry.shape;
    const shape = entry.kind === DENSE ? [out, h * w * c] : [out, c, h, w];
    const order = torchOrder(entry, channels);
    // on a grid the levels are what counts: masters are how they come about
    const ofChannel = h * w * c;
    const gain = (i: number) => compensation?.gains[Math.floor(i / ofChannel)] ?? 1;
    const value = (i: number) => (entry.bits ? weights[i]! * scale : masters[i]! * masterScale) * gain(i);
    tensors.push(
      { name: `${name}.weight`, shape, data: Float32Array.from(order, value) },
      { name: `${name}.bias`, shape: [out], data: Float32Array.from(biases, (b) => b * BIAS_SCALE) },
      { name: `${name}.weight_int8`, shape, data: Int8Array.from(order, (i) => weights[i]!) },
      { name: `${name}.weight_int16`, shape, data: Int16Array.from(order, (i) => masters[i]!) },
      { name: `${name}.bias_int32`, shape: [out], data: biases },
    );
    if (compensation) {
      tensors.push(
        { name: `${name}.compensation_alpha`, shape: [out], data: compensation.alphas },
        { name: `${name}.compensation_gain`, shape: [out], data: compensation.gains },
      );
    }
    Object.assign(metadata, {
      [`${name}.weight_int8.scale`]: String(scale),
      [`${name}.weight_int16.scale`]: String(masterScale),
      [`${name}.bias_int32.scale`]: String(BIAS_SCALE),
      [`${name}.output_range`]: String(range),
      ...(entry.bits && { [`${name}.bits`]: String(entry.bits) }),
    });
    channels = out;
  }
  return { tensors, metadata };
}

const ONNX_TYPE = {
  Float32Array: TensorProto_DataType.FLOAT,
  Int8Array: TensorProto_DataType.INT8,
  Int16Array: TensorProto_DataType.INT16,
  Int32Array: TensorProto_DataType.INT32,
} as const;

/** An ONNX model whose initialisers are the tensors; it passes each on as an output. */
function encodeOnnx(tensors: readonly Tensor[], metadata: Readonly<Record<string, string>>): Uint8Array {
  const typeOf = ({ data }: Tensor) => ONNX_TYPE[data.constructor.name as keyof typeof ONNX_TYPE];
  const graph = create(GraphProtoSchema, {
    name: "octomote",
    initializer: tensors.map((tensor) =>
      create(TensorProtoSchema, {
        name: tensor.name,
        dims: tensor.shape.map(BigInt),
        dataType: typeOf(tensor),
        rawData: new Uint8Array(tensor.data.slice().buffer),
      }),
    ),
    node: tensors.map(({ name }) =>
      create(NodeProtoSchema, { opType: "Identity", input: [name], output: [`${name}.output`] }),
    ),
    output: tensors.map((tensor) => valueInfo(`${tensor.name}.output`, tensor.shape, typeOf(tensor))),
  });
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: "octomote",
    graph,
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: "", version: 14n })],
    metadataProps: Object.entries(metadata).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
  });
  return toBinary(ModelProtoSchema, model);
}

/** The file of a format. */
export function exportWeights(file: WeightsFile, format: ExportFormat): Uint8Array {
  const { tensors, metadata } = tensorsOfFile(file);
  return format === "safetensors" ? encodeSafetensors(tensors, metadata) : encodeOnnx(tensors, metadata);
}
