/**
 * A net as plain data, with its shapes, parameters and multiply-accumulates: what the FP32 reference builds,
 * what the tables divide by. Layout is NHWC (batch 1), weights OHWI, as in the module's own kernels.
 */

export type Shape = readonly [h: number, w: number, c: number];

export type LayerSpec =
  | {
      readonly kind: "conv2d";
      readonly filters: number;
      readonly kernel: number;
      readonly stride?: number;
      readonly padding?: Padding;
    }
  /** Each channel by a window of its own. */
  | {
      readonly kind: "depthwise";
      readonly kernel: number;
      readonly stride?: number;
      readonly padding?: Padding;
    }
  | { readonly kind: "relu" }
  | { readonly kind: "maxPool"; readonly size: number; readonly stride?: number }
  | { readonly kind: "dense"; readonly units: number }
  /** Adds the output of an earlier layer, which is counted from 0. */
  | { readonly kind: "residual"; readonly from: number };

/**
 * `same` is TensorFlow's: ⌈in / stride⌉ outputs, the odd row or column of padding at the bottom and right. A number is
 * PyTorch's: so many zeros on each side.
 */
export type Padding = "valid" | "same" | number;

export interface NetSpec {
  readonly input: Shape;
  readonly layers: readonly LayerSpec[];
}

export interface LayerPlan {
  /** `conv2d 1`, `relu 2`, …: kind and place, counted from 1. */
  readonly name: string;
  readonly spec: LayerSpec;
  readonly input: Shape;
  readonly output: Shape;
  /** Weights and biases. */
  readonly parameters: number;
  /** Products of the forward pass; the weight gradient has as many, and so has the input gradient. */
  readonly macs: number;
}

/** The net of the accuracy and cost tables: 5,994 parameters. */
export const REFERENCE_NET: NetSpec = {
  input: [28, 28, 1],
  layers: [
    { kind: "conv2d", filters: 8, kernel: 5 },
    { kind: "relu" },
    { kind: "maxPool", size: 2 },
    { kind: "conv2d", filters: 16, kernel: 5 },
    { kind: "relu" },
    { kind: "maxPool", size: 2 },
    { kind: "dense", units: 10 },
  ],
};

export const elements = ([h, w, c]: Shape): number => h * w * c;

/** Outputs along one axis and the padding before the first input. */
export function windowOf(
  size: number,
  kernel: number,
  stride: number,
  padding: Padding,
): { outputs: number; before: number } {
  if (padding === "valid") return { outputs: Math.floor((size - kernel) / stride) + 1, before: 0 };
  if (padding !== "same")
    return { outputs: Math.floor((size + 2 * padding - kernel) / stride) + 1, before: padding };
  const outputs = Math.ceil(size / stride);
  return { outputs, before: Math.max((outputs - 1) * stride + kernel - size, 0) >> 1 };
}

/** Shapes, parameters and MACs of every layer. Throws where a window is larger than what it slides over. */
export function planNet(net: NetSpec): LayerPlan[] {
  let input = net.input;
  const outputs: Shape[] = [];
  return net.layers.map((spec, index) => {
    const name = `${spec.kind} ${index + 1}`;
    if (spec.kind === "residual") {
      const other = outputs[spec.from];
      if (other?.join() !== input.join())
        throw new RangeError(`${name}: adds ${other?.join("×") ?? "nothing"} to ${input.join("×")}`);
    }
    const plan = planLayer(name, spec, input);
    input = plan.output;
    outputs.push(input);
    return plan;
  });
}

function planLayer(name: string, spec: LayerSpec, input: Shape): LayerPlan {
  const [h, w, c] = input;
  const fit = (kernel: number, stride: number, padding: Padding): [number, number] => {
    const rows = windowOf(h, kernel, stride, padding).outputs;
    const columns = windowOf(w, kernel, stride, padding).outputs;
    if (rows < 1 || columns < 1)
      throw new RangeError(`${name}: a ${kernel}×${kernel} window does not fit ${h}×${w}`);
    return [rows, columns];
  };
  switch (spec.kind) {
    case "conv2d": {
      const [rows, columns] = fit(spec.kernel, spec.stride ?? 1, spec.padding ?? "valid");
      const fanIn = spec.kernel * spec.kernel * c;
      return {
        name,
        spec,
        input,
        output: [rows, columns, spec.filters],
        parameters: (fanIn + 1) * spec.filters,
        macs: rows * columns * spec.filters * fanIn,
      };
    }
    case "depthwise": {
      const [rows, columns] = fit(spec.kernel, spec.stride ?? 1, spec.padding ?? "valid");
      const window = spec.kernel * spec.kernel;
      return {
        name,
        spec,
        input,
        output: [rows, columns, c],
        parameters: (window + 1) * c,
        macs: rows * columns * c * window,
      };
    }
    case "maxPool": {
      const [rows, columns] = fit(spec.size, spec.stride ?? spec.size, "valid");
      return { name, spec, input, output: [rows, columns, c], parameters: 0, macs: 0 };
    }
    case "dense": {
      const fanIn = elements(input);
      return {
        name,
        spec,
        input,
        output: [1, 1, spec.units],
        parameters: (fanIn + 1) * spec.units,
        macs: fanIn * spec.units,
      };
    }
    case "relu":
    case "residual":
      return { name, spec, input, output: input, parameters: 0, macs: 0 };
  }
}

/**
 * MACs of one training step with batch 1: forward and weight gradient of every layer, input gradient of every
 * layer but the first one with weights (nothing below it learns).
 */
export function trainingMacs(net: NetSpec): number {
  const weighted = planNet(net).filter((layer) => layer.macs > 0);
  return weighted.reduce((sum, layer, index) => sum + layer.macs * (index === 0 ? 2 : 3), 0);
}
