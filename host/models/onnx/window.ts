// Kernel, stride, dilation and padding of an ONNX operator.
import type { NodeProto } from "onnx-buf";
import { ModelError, type Pair, type Shape, type Window } from "../graph.ts";
import { int, ints, text } from "./tensors.ts";

export function windowOf(node: NodeProto, kernel: readonly number[], [h, w]: Shape): Window {
  const numbers = (name: string, count: number, otherwise: number): number[] => {
    const found = ints(node, name) ?? [];
    if (found.length === 0) return Array<number>(count).fill(otherwise);
    if (found.length === count) return found;
    throw new ModelError(
      `${node.opType} ${node.name}: ${name} has ${found.length} numbers; over two axes it has ${count}`,
    );
  };
  const pair = (name: string): Pair => numbers(name, 2, 1) as [number, number];
  const stride = pair("strides");
  const dilation = pair("dilations");
  const size: Pair = [kernel[0]!, kernel[1]!];
  const auto = text(node, "auto_pad");
  let padding = numbers("pads", 4, 0) as [number, number, number, number];
  if (auto === "SAME_UPPER" || auto === "SAME_LOWER") {
    const sides = ([h, w] as const).map((length, axis) => {
      const reach = (size[axis]! - 1) * dilation[axis]! + 1;
      const total = Math.max((Math.ceil(length / stride[axis]!) - 1) * stride[axis]! + reach - length, 0);
      const less = Math.floor(total / 2);
      return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
    });
    padding = [sides[0]![0]!, sides[1]![0]!, sides[0]![1]!, sides[1]![1]!];
  }
  if (int(node, "ceil_mode", 0) === 1) {
    const fits = ([h, w] as const).every((length, axis) => {
      const reach = (size[axis]! - 1) * dilation[axis]! + 1;
      return (length + padding[axis]! + padding[axis + 2]! - reach) % stride[axis]! === 0;
    });
    if (!fits) {
      throw new ModelError(
        `${node.opType} ${node.name}: rounds its output up: set ceil_mode=False, or pad the map`,
      );
    }
  }
  return { kernel: size, stride, dilation, padding };
}
