// An ONNX model as a graph: the float operators of small image classifiers, NCHW to NHWC.
import { fromBinary } from "@bufbuild/protobuf";
import { type GraphProto, ModelProtoSchema, type NodeProto, type TensorProto } from "onnx-buf";
import { type Graph, GraphBuilder, ModelError, type Shape, sizeOf } from "../graph.ts";
import { type Floats, float, floatsOf, int, integersOf, ints, tensor } from "./tensors.ts";
import { windowOf } from "./window.ts";

/** A value of the graph: the output of a node, and whether its map has been flattened (then NCHW counts). */
interface Value {
  node: number;
  flat: boolean;
}

/**
 * @param frame shape of the frames that the model will see, for models whose input is flat
 * @throws ModelError
 */
export function readOnnx(file: Uint8Array, frame: Shape): Graph {
  let graph: GraphProto | undefined;
  try {
    graph = fromBinary(ModelProtoSchema, file).graph;
  } catch (error) {
    throw new ModelError(`not an ONNX file: ${(error as Error).message}`);
  }
  if (!graph || graph.node.length === 0) throw new ModelError("not an ONNX file: there is no graph in it");
  return new Reader(graph, frame).read();
}

class Reader {
  readonly #graph: GraphProto;
  readonly #builder: GraphBuilder;
  readonly #values = new Map<string, Value>();
  readonly #constants = new Map<string, TensorProto>();
  readonly #uses = new Map<string, number>();

  constructor(graph: GraphProto, frame: Shape) {
    this.#graph = graph;
    for (const it of graph.initializer) this.#constants.set(it.name, it);
    for (const it of graph.node.flatMap(({ input }) => input)) {
      this.#uses.set(it, (this.#uses.get(it) ?? 0) + 1);
    }
    for (const { name } of graph.output) this.#uses.set(name, (this.#uses.get(name) ?? 0) + 1);
    const inputs = graph.input.filter(({ name }) => !this.#constants.has(name));
    if (inputs.length !== 1 || graph.output.length !== 1) {
      throw new ModelError(
        `the model has ${inputs.length} inputs and ${graph.output.length} outputs: export one that has one of each`,
      );
    }
    const { name, type } = inputs[0]!;
    const dims = type?.value.case === "tensorType" ? (type.value.value.shape?.dim ?? []) : [];
    const numbers = dims.map(({ value }) => (value.case === "dimValue" ? Number(value.value) : 0));
    const shape = inputShape(numbers, frame);
    this.#builder = new GraphBuilder(shape);
    this.#values.set(name, { node: -1, flat: numbers.length === 2 });
  }

  read(): Graph {
    const { node, output } = this.#graph;
    for (const it of node) this.#node(it);
    const last = this.#values.get(output[0]!.name);
    if (last === undefined) throw new ModelError(`output ${output[0]!.name} is made by no operator`);
    if (last.node < 0) throw new ModelError("the model passes its input on as it is");
    const graph = this.#builder.graph;
    // what nothing leads to the output from is left out
    if (last.node !== graph.nodes.length - 1) {
      throw new ModelError(
        `${graph.nodes.at(-1)!.name}: its output is not used: export the model without it`,
      );
    }
    return graph;
  }

  #node(node: NodeProto): void {
    const name = node.name || node.output[0] || node.opType;
    const at = (text: string) => new ModelError(`${node.opType} ${name}: ${text}`);
    const [made] = node.output;
    if (!made || this.#values.has(made) || this.#constants.has(made)) {
      throw at(`makes ${made ? `${made}, which is there already` : "nothing"}: the file is damaged`);
    }
    const first = this.#values.get(node.input[0] ?? "");
    const put = (id: number, flat = first?.flat ?? false) =>
      this.#values.set(node.output[0]!, { node: id, flat });
    const shared = (this.#uses.get(node.input[0] ?? "") ?? 0) > 1;
    const clamp = (lo: number, hi: number) =>
      put(this.#builder.clamp(name, this.#in(node, 0), lo, hi, shared));
    switch (node.opType) {
      case "Constant": {
        const value = tensor(node, "value");
        if (!value) throw at("only constants that are tensors");
        value.name ||= name;
        this.#constants.set(node.output[0]!, value);
        return;
      }
      case "Identity":
      case "Dropout":
      case "Softmax":
      case "LogSoftmax": {
        if (/Softmax/.test(node.opType) && node.output[0] !== this.#graph.output[0]!.name) {
          throw at("a softmax is taken at the end only, where the largest output stays the largest");
        }
        // uses of what is passed on are uses of what comes in
        if (node.opType === "Identity" || node.opType === "Dropout") this.#alias(node);
        put(this.#in(node, 0));
        return;
      }
      case "Conv":
        put(this.#conv(node, name));
        return;
      case "Relu":
        clamp(0, Infinity);
        return;
      case "Clip":
        clamp(this.#bound(node, 1, "min", -Infinity), this.#bound(node, 2, "max", Infinity));
        return;
      case "MaxPool":
      case "AveragePool": {
        const kernel = ints(node, "kernel_shape");
        if (kernel?.length !== 2) throw at("pools over two axes only");
        const input = this.#in(node, 0);
        const window = windowOf(node, kernel, this.#builder.shape(input));
        const mean = node.opType === "AveragePool";
        if (mean && int(node, "count_include_pad", 0) === 1 && window.padding.some((n) => n > 0)) {
          throw at("counts its padding: set count_include_pad=False");
        }
        put(this.#builder.pool(mean ? "averagePool" : "maxPool", name, input, window));
        return;
      }
      case "GlobalAveragePool":
        put(this.#builder.globalAverage(name, this.#in(node, 0)));
        return;
      case "ReduceMean": {
        const axes = ints(node, "axes") ?? (node.input[1] ? this.#integers(node, 1) : []);
        if (
          axes
            .map((axis) => (axis + 4) % 4)
            .sort()
            .join() !== "2,3"
        )
          throw at("means over height and width only");
        put(this.#builder.globalAverage(name, this.#in(node, 0)), int(node, "keepdims", 1) === 0);
        return;
      }
      case "Flatten":
      case "Reshape":
      case "Squeeze":
        put(this.#flatten(node, at), true);
        return;
      case "Gemm":
      case "MatMul":
        put(this.#dense(node, name, at), true);
        return;
      case "BatchNormalization":
        put(this.#normalise(node, name, shared));
        return;
      case "Add":
      case "Mul":
        put(this.#arithmetic(node, name, at, shared));
        return;
      default:
        throw at(
          "this operator is not known. Known are Conv, Relu, Clip, MaxPool, AveragePool, GlobalAveragePool, ReduceMean, Flatten, " +
            "Reshape, Squeeze, Gemm, MatMul, Add, Mul, BatchNormalization, Identity, Dropout, and Softmax at the end",
        );
    }
  }

  #alias({ input, output }: NodeProto): void {
    const uses = (this.#uses.get(input[0]!) ?? 1) - 1 + (this.#uses.get(output[0]!) ?? 0);
    this.#uses.set(output[0]!, uses);
  }

  /** The node that makes an input. */
  #in(node: NodeProto, i: number): number {
    const value = this.#values.get(node.input[i] ?? "");
    if (value) return value.node;
    throw new ModelError(
      `${node.opType} ${node.name}: input ${node.input[i] || i} is made by no operator before it: it must be one, not a constant`,
    );
  }

  #floats(node: NodeProto, i: number): Floats {
    const found = this.#constants.get(node.input[i] ?? "");
    if (found) return floatsOf(found);
    throw new ModelError(
      `${node.opType} ${node.name}: input ${node.input[i] ?? i} must be a constant: export the model for inference`,
    );
  }

  #integers(node: NodeProto, i: number): number[] {
    const found = this.#constants.get(node.input[i] ?? "");
    if (found) return integersOf(found);
    throw new ModelError(
      `${node.opType} ${node.name}: its shape is computed: export the model with fixed shapes`,
    );
  }

  /** A bound of Clip: an input since version 11, an attribute before. */
  #bound(node: NodeProto, i: number, name: string, otherwise: number): number {
    if (!node.input[i]) return float(node, name, otherwise);
    const { name: of, values } = this.#floats(node, i);
    if (values.length !== 1)
      throw new ModelError(`tensor ${of} is a bound, and has ${values.length} elements`);
    return values[0]!;
  }

  #bias(node: NodeProto, i: number, filters: number): Float32Array {
    if (!node.input[i]) return new Float32Array(filters);
    const { values } = this.#floats(node, i);
    return values.length === 1 ? new Float32Array(filters).fill(values[0]!) : values;
  }

  #conv(node: NodeProto, name: string): number {
    const { dims, name: of, values } = this.#floats(node, 1);
    if (dims.length !== 4)
      throw new ModelError(`tensor ${of} has ${dims.length} axes: convolutions over two only`);
    const [filters, per, h, w] = dims as [number, number, number, number];
    const input = this.#in(node, 0);
    // OIHW to OHWI
    const weights = new Float32Array(values.length);
    let i = 0;
    for (let o = 0; o < filters; o++) {
      for (let k = 0; k < h * w; k++) {
        for (let c = 0; c < per; c++) weights[i++] = values[(o * per + c) * h * w + k]!;
      }
    }
    const window = windowOf(node, [h, w], this.#builder.shape(input));
    const bias = this.#bias(node, 2, filters);
    return this.#builder.conv(name, input, window, int(node, "group", 1), weights, bias);
  }

  #flatten(node: NodeProto, at: (text: string) => ModelError): number {
    const input = this.#in(node, 0);
    const size = sizeOf(this.#builder.shape(input));
    if (node.opType === "Flatten" && int(node, "axis", 1) !== 1)
      throw at("flattens from another axis than 1");
    if (node.opType === "Reshape") {
      const shape = this.#integers(node, 1);
      const [batch, length] = shape;
      if (
        shape.length !== 2 ||
        (length !== -1 && length !== size) ||
        (batch !== -1 && batch !== 0 && batch !== 1)
      ) {
        throw at(`reshapes to [${shape.join(", ")}]: only [1, ${size}], which flattens, is known`);
      }
    }
    return input;
  }

  #dense(node: NodeProto, name: string, at: (text: string) => ModelError): number {
    const input = this.#in(node, 0);
    const { dims, name: of, values } = this.#floats(node, 1);
    const gemm = node.opType === "Gemm";
    if (dims.length !== 2) throw new ModelError(`tensor ${of} has ${dims.length} axes: a matrix has two`);
    if (gemm && int(node, "transA", 0) === 1) throw at("transposes its input");
    const outFirst = gemm && int(node, "transB", 0) === 1;
    const [out, fanIn] = (outFirst ? dims : [dims[1], dims[0]]) as [number, number];
    const shape = this.#builder.shape(input);
    const [h, w, c] = shape;
    if (fanIn !== sizeOf(shape)) throw at(`takes ${fanIn} inputs, and there are ${sizeOf(shape)}`);
    const alpha = gemm ? float(node, "alpha", 1) : 1;
    const weights = new Float32Array(values.length);
    let i = 0;
    for (let o = 0; o < out; o++) {
      for (let p = 0; p < h * w; p++) {
        for (let ch = 0; ch < c; ch++) {
          const from = ch * h * w + p;
          weights[i++] = alpha * values[outFirst ? o * fanIn + from : from * out + o]!;
        }
      }
    }
    const beta = gemm ? float(node, "beta", 1) : 1;
    const bias = (gemm ? this.#bias(node, 2, out) : new Float32Array(out)).map((b) => beta * b);
    return this.#builder.dense(name, input, weights, bias);
  }

  #normalise(node: NodeProto, name: string, shared: boolean): number {
    const [gain, shift, mean, variance] = [1, 2, 3, 4].map((i) => this.#floats(node, i).values) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    const epsilon = float(node, "epsilon", 1e-5);
    const factor = gain.map((g, i) => g / Math.sqrt(variance[i]! + epsilon));
    const term = shift.map((s, i) => s - mean[i]! * factor[i]!);
    return this.#builder.scale(name, this.#in(node, 0), factor, term, shared);
  }

  /** A sum of two maps, or one with a constant for each channel. */
  #arithmetic(node: NodeProto, name: string, at: (text: string) => ModelError, shared: boolean): number {
    const [a, b] = [0, 1].map((i) => this.#values.get(node.input[i] ?? ""));
    const sum = node.opType === "Add";
    if (a && b) {
      if (!sum) throw at("multiplies two maps");
      return this.#builder.add(name, a.node, b.node);
    }
    const map = a ? 0 : 1;
    const input = this.#in(node, map);
    const channels = this.#builder.shape(input)[2];
    const { values } = this.#floats(node, 1 - map);
    const each = values.length === 1 ? new Float32Array(channels).fill(values[0]!) : values;
    if (each.length !== channels) throw at(`a constant of ${each.length} elements for ${channels} channels`);
    const used = map === 0 ? shared : (this.#uses.get(node.input[1]!) ?? 0) > 1;
    const factor = sum ? new Float32Array(channels).fill(1) : each;
    return this.#builder.scale(name, input, factor, sum ? each : new Float32Array(channels), used);
  }
}

/** [h, w, c] of an NCHW or a flat input. */
function inputShape(dims: readonly number[], frame: Shape): Shape {
  if (dims.length === 4) {
    const [, c, h, w] = dims as [number, number, number, number];
    const shape: Shape = [h || frame[0], w || frame[1], c || frame[2]];
    if (shape.every((n, i) => n === frame[i])) return frame;
    throw new ModelError(
      `the model takes frames of ${shape.join("×")}, and the calibration data has ${frame.join("×")} (height × width × channels)`,
    );
  }
  if (dims.length === 2 && (dims[1] === 0 || dims[1] === sizeOf(frame))) return frame;
  throw new ModelError(
    `the model's input is [${dims.join(", ")}], which is neither [1, channels, height, width] nor [1, ${sizeOf(frame)}]`,
  );
}
