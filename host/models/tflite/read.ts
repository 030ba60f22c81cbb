// A TFLite model, in float or full INT8, as a graph. Of a quantised one the weights become numbers again; the ranges of activations are
// found anew on the calibration data, for the device's own arithmetic.
import {
  finite,
  type Graph,
  GraphBuilder,
  ModelError,
  type Pair,
  type Shape,
  sizeOf,
  type Window,
} from "../graph.ts";
import { checkScales, countOf } from "../limits.ts";
import {
  ADD,
  BUFFER,
  CONV,
  DENSE,
  DEPTHWISE,
  MODEL,
  modelTable,
  OPERATOR,
  OPERATOR_CODE,
  OPERATORS,
  POOL,
  QUANTISATION,
  SUBGRAPH,
  type Table,
  TENSOR,
  TYPE,
} from "./schema.ts";

/** @param frame shape of the frames that the model will see @throws ModelError */
export function readTflite(file: Uint8Array, frame: Shape): Graph {
  const model = modelTable(file);
  const graphs = model.tables(MODEL.subgraphs);
  if (graphs.length !== 1) throw new ModelError(`the model has ${graphs.length} graphs: one is taken`);
  return new Reader(model, graphs[0]!, frame).read();
}

interface Constant {
  name: string;
  shape: number[];
  values: Float32Array;
}

class Reader {
  readonly #codes: string[];
  readonly #tensors: Table[];
  readonly #buffers: Table[];
  readonly #graph: Table;
  readonly #builder: GraphBuilder;
  /** Node that makes a tensor. */
  readonly #made = new Map<number, number>();
  readonly #uses = new Map<number, number>();

  constructor(model: Table, graph: Table, frame: Shape) {
    this.#codes = model.tables(MODEL.operatorCodes).map((code) => {
      const number = Math.max(code.byte(OPERATOR_CODE.old), code.int(OPERATOR_CODE.code));
      return OPERATORS[number] ?? (code.text(OPERATOR_CODE.custom) || `operator ${number}`);
    });
    this.#graph = graph;
    this.#tensors = graph.tables(SUBGRAPH.tensors);
    this.#buffers = model.tables(MODEL.buffers);
    const inputs = graph.ints(SUBGRAPH.inputs);
    const outputs = graph.ints(SUBGRAPH.outputs);
    if (inputs.length !== 1 || outputs.length !== 1) {
      throw new ModelError(
        `the model has ${inputs.length} inputs and ${outputs.length} outputs: convert one that has one of each`,
      );
    }
    const shape = this.#tensor(inputs[0]!).ints(TENSOR.shape);
    const wanted = shape.length === 4 ? shape.slice(1) : frame;
    const flat = shape.length === 2 && shape[1] === sizeOf(frame);
    if (!(flat || shape.length === 4) || wanted.some((n, i) => n !== frame[i])) {
      throw new ModelError(
        `the model takes [${shape.join(", ")}], and the calibration data has frames of ${frame.join("×")} (height × width × channels)`,
      );
    }
    this.#builder = new GraphBuilder(frame);
    this.#made.set(inputs[0]!, -1);
    const used = graph.tables(SUBGRAPH.operators).flatMap((operator) => operator.ints(OPERATOR.inputs));
    for (const it of [...used, ...outputs]) this.#uses.set(it, (this.#uses.get(it) ?? 0) + 1);
  }

  read(): Graph {
    for (const operator of this.#graph.tables(SUBGRAPH.operators)) this.#operator(operator);
    const last = this.#made.get(this.#graph.ints(SUBGRAPH.outputs)[0]!);
    const { graph } = this.#builder;
    if (last === undefined || last < 0) throw new ModelError("the model's output is made by no operator");
    if (last !== graph.nodes.length - 1) {
      throw new ModelError(
        `${graph.nodes.at(-1)!.name}: its output is not used: convert the model without it`,
      );
    }
    return graph;
  }

  #tensor(i: number): Table {
    const found = this.#tensors[i];
    if (!found) throw new ModelError("the TFLite file is damaged: it names a tensor that it does not have");
    return found;
  }

  #operator(operator: Table): void {
    const op = this.#codes[operator.int(OPERATOR.code)] ?? "an operator without a code";
    const [out = -1] = operator.ints(OPERATOR.outputs);
    const inputs = operator.ints(OPERATOR.inputs);
    const name = this.#tensor(out).text(TENSOR.name) || op;
    const at = (text: string) => new ModelError(`${op} ${name}: ${text}`);
    const options = operator.table(OPERATOR.options);
    const input = this.#in(inputs[0] ?? -1, at);
    const activate = (node: number, field: number) =>
      this.#activate(name, node, options?.byte(field) ?? 0, at);
    const put = (node: number) => this.#made.set(out, node);
    const shared = (this.#uses.get(inputs[0]!) ?? 0) > 1;
    switch (op) {
      case "CONV_2D":
        put(activate(this.#conv(name, input, inputs, options, false), CONV.activation));
        return;
      case "DEPTHWISE_CONV_2D":
        put(activate(this.#conv(name, input, inputs, options, true), DEPTHWISE.activation));
        return;
      case "FULLY_CONNECTED": {
        const weights = this.#constant(inputs[1]!);
        const size = sizeOf(this.#builder.shape(input));
        if (weights.shape[1] !== size) throw at(`takes ${weights.shape[1]} inputs, and there are ${size}`);
        const bias = this.#bias(inputs[2], weights.shape[0]!);
        put(activate(this.#builder.dense(name, input, weights.values, bias), DENSE.activation));
        return;
      }
      case "MAX_POOL_2D":
      case "AVERAGE_POOL_2D": {
        const kernel: Pair = [options?.int(POOL.height) ?? 1, options?.int(POOL.width) ?? 1];
        const window = windowOf(options, POOL, kernel, this.#builder.shape(input));
        const kind = op === "MAX_POOL_2D" ? "maxPool" : "averagePool";
        put(activate(this.#builder.pool(kind, name, input, window), POOL.activation));
        return;
      }
      case "MEAN": {
        const axes = this.#integers(inputs[1]!, at).map((axis) => (axis + 4) % 4);
        if (axes.sort().join() !== "1,2") throw at("means over height and width only");
        put(this.#builder.globalAverage(name, input));
        return;
      }
      case "ADD":
        put(activate(this.#builder.add(name, input, this.#in(inputs[1] ?? -1, at)), ADD.activation));
        return;
      case "RELU":
        put(this.#builder.clamp(name, input, 0, Infinity, shared));
        return;
      case "RELU6":
        put(this.#builder.clamp(name, input, 0, 6, shared));
        return;
      case "RESHAPE":
      case "SQUEEZE": {
        const size = this.#tensor(out)
          .ints(TENSOR.shape)
          .reduce((product, n) => product * Math.abs(n), 1);
        const shape = this.#tensor(out).ints(TENSOR.shape);
        if (size !== sizeOf(this.#builder.shape(input)) || (shape.length !== 2 && op === "RESHAPE")) {
          throw at(`reshapes to [${shape.join(", ")}]: only flattening is known`);
        }
        this.#pass(inputs[0]!, out);
        put(input);
        return;
      }
      case "QUANTIZE":
      case "DEQUANTIZE":
        this.#pass(inputs[0]!, out);
        put(input);
        return;
      case "SOFTMAX":
        if ((this.#uses.get(out) ?? 0) > 1) throw at("a softmax is taken at the end only");
        this.#pass(inputs[0]!, out);
        put(input);
        return;
      default:
        throw at(`this operator is not known. Known are ${Object.values(OPERATORS).join(", ")}`);
    }
  }

  /** Uses of what is passed on are uses of what comes in. */
  #pass(from: number, to: number): void {
    this.#uses.set(to, (this.#uses.get(from) ?? 1) - 1 + (this.#uses.get(to) ?? 0));
  }

  #in(tensor: number, at: (text: string) => ModelError): number {
    const node = this.#made.get(tensor);
    if (node === undefined)
      throw at("an input is made by no operator before it: it must be one, not a constant");
    return node;
  }

  #activate(name: string, node: number, activation: number, at: (text: string) => ModelError): number {
    if (activation === 0) return node;
    if (activation === 1) return this.#builder.clamp(name, node, 0, Infinity, false);
    if (activation === 3) return this.#builder.clamp(name, node, 0, 6, false);
    throw at(`its activation (${activation}) is neither RELU nor RELU6`);
  }

  #conv(
    name: string,
    input: number,
    inputs: number[],
    options: Table | undefined,
    depthwise: boolean,
  ): number {
    const { shape, values } = this.#constant(inputs[1]!);
    if (shape.length !== 4)
      throw new ModelError(`${name}: weights of ${shape.length} axes, where four are needed`);
    const [first, h, w, last] = shape as [number, number, number, number];
    const map = this.#builder.shape(input);
    const window = windowOf(options, depthwise ? DEPTHWISE : CONV, [h, w], map);
    if (!depthwise) {
      return this.#builder.conv(name, input, window, map[2] / last, values, this.#bias(inputs[2], first));
    }
    // 1HWO to OHW1
    const weights = new Float32Array(values.length);
    let i = 0;
    for (let o = 0; o < last; o++) for (let k = 0; k < h * w; k++) weights[i++] = values[k * last + o]!;
    return this.#builder.conv(name, input, window, map[2], weights, this.#bias(inputs[2], last));
  }

  #bias(tensor: number | undefined, filters: number): Float32Array {
    return tensor === undefined || tensor < 0 ? new Float32Array(filters) : this.#constant(tensor).values;
  }

  #data(i: number): Uint8Array {
    const buffer = this.#buffers[this.#tensor(i).int(TENSOR.buffer)];
    if (!buffer) throw new ModelError("the TFLite file is damaged: it names a buffer that it does not have");
    return buffer.bytes(BUFFER.data);
  }

  #integers(i: number, at: (text: string) => ModelError): number[] {
    const data = this.#data(i);
    if (this.#tensor(i).byte(TENSOR.type) !== TYPE.int32) throw at("its axes must be constants of 32 bits");
    const view = new DataView(data.buffer);
    return Array.from({ length: data.length >> 2 }, (_, k) => view.getInt32(4 * k, true));
  }

  /** A constant as numbers, whatever it is stored as. */
  #constant(i: number): Constant {
    const tensor = this.#tensor(i);
    const name = tensor.text(TENSOR.name) || `tensor ${i}`;
    const shape = tensor.ints(TENSOR.shape);
    const type = tensor.byte(TENSOR.type);
    const data = this.#data(i);
    const count = countOf(name, shape);
    const unit = { [TYPE.float32]: 4, [TYPE.int32]: 4, [TYPE.int8]: 1, [TYPE.uint8]: 1 }[type];
    if (unit === undefined) {
      throw new ModelError(`tensor ${name} is of type ${type}: convert the model in float32 or full INT8`);
    }
    if (data.length !== unit * count) {
      throw new ModelError(
        `tensor ${name} is no constant of ${count} elements: its ${data.length} bytes do not fit`,
      );
    }
    const view = new DataView(data.buffer);
    if (type === TYPE.float32) {
      return {
        name,
        shape,
        values: finite(
          name,
          Float32Array.from({ length: count }, (_, k) => view.getFloat32(4 * k, true)),
        ),
      };
    }
    const quantisation = tensor.table(TENSOR.quantisation);
    const scales = quantisation?.floats(QUANTISATION.scale) ?? [];
    const zeros = quantisation?.longs(QUANTISATION.zeroPoint) ?? [];
    if (scales.length === 0)
      throw new ModelError(`tensor ${name} is quantised, but the file has no scale for it`);
    const axis = quantisation?.int(QUANTISATION.axis) ?? 0;
    const range = { [TYPE.int8]: [-128, 127], [TYPE.uint8]: [0, 255] }[type] ?? [0, 0];
    checkScales(name, scales, zeros, shape[axis], range as [number, number]);
    const inner = shape.slice(axis + 1).reduce((product, n) => product * n, 1);
    const channel = (k: number) => (scales.length === 1 ? 0 : Math.floor(k / inner) % scales.length);
    const read = (k: number) => {
      if (type === TYPE.int32) return view.getInt32(4 * k, true);
      return type === TYPE.int8 ? view.getInt8(k) : view.getUint8(k);
    };
    const values = Float32Array.from({ length: count }, (_, k) => {
      const c = channel(k);
      return (read(k) - (zeros[zeros.length === 1 ? 0 : c] ?? 0)) * scales[c]!;
    });
    return { name, shape, values };
  }
}

/** TFLite's padding: VALID, or SAME with the smaller half before. */
function windowOf(
  options: Table | undefined,
  fields: { padding: number; strideW: number; strideH: number; dilationW?: number; dilationH?: number },
  kernel: Pair,
  [h, w]: Shape,
): Window {
  const number = (field: number | undefined) => (field === undefined ? 1 : (options?.int(field, 1) ?? 1));
  const stride: Pair = [number(fields.strideH), number(fields.strideW)];
  const dilation: Pair = [number(fields.dilationH), number(fields.dilationW)];
  const sides = ([h, w] as const).map((length, axis) => {
    if (options?.byte(fields.padding) === 1) return [0, 0];
    const reach = (kernel[axis]! - 1) * dilation[axis]! + 1;
    const total = Math.max((Math.ceil(length / stride[axis]!) - 1) * stride[axis]! + reach - length, 0);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  });
  const padding = [sides[0]![0]!, sides[1]![0]!, sides[0]![1]!, sides[1]![1]!] as const;
  return { kernel, stride, dilation, padding };
}
