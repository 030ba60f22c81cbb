// Residual connections: the sum of a layer's input and of an output further up, as at the end of a residual block.
import { allocate } from "../device/arena";
import { LAYER_SHAPE } from "../device/errors";
import * as int8 from "../int8/intrinsics-residual";
import { TENSOR_BYTES, TENSOR_H } from "../int8/structs";
import { ADD, create, Layer, RELU } from "./layer";
import { join, Path } from "./path";
import { add as sum, divide } from "./scale";
import * as work from "./workspace";

export class Residual extends Layer {
  path: Path;

  place(input: Layer): void {
    const path = this.path;
    // a rectifier works in place: what it leaves is what there is to add
    if (path.from.next.kind == RELU) path.from = path.from.next;
    const from = path.from;
    for (let axis: usize = 0; axis < 12; axis += 4) {
      const got = load<i32>(changetype<usize>(from) + TENSOR_H + axis);
      const want = load<i32>(changetype<usize>(input) + TENSOR_H + axis);
      if (got != want) this.refuse(LAYER_SHAPE, got, want);
    }
    memory.copy(changetype<usize>(this), changetype<usize>(input), TENSOR_BYTES);
    const size = input.size;
    this.data = allocate(size);
    path.place(this.index, size);
  }

  /** One unit is worth as much as those of both together: the sum never saturates. */
  forward(input: Layer): void {
    const from = this.path.from;
    const scale = sum(input.scale, from.scale);
    this.scale = scale;
    work.fill(work.QUANT, divide(input.scale, scale), 127, work.NEAREST);
    work.fill(work.BIAS_QUANT, divide(from.scale, scale), 127, work.NEAREST);
    int8.add(work.QUANT, input.data, work.BIAS_QUANT, from.data, this.size, 0, this.data);
  }

  /** The error of a sum is that of either summand. */
  backward(input: Layer): void {
    this.path.hold();
  }
}

/**
 * Adds the output of an earlier layer of the same shape (after its relu(), if one follows it): the end of a residual block.
 * Errors: LAYER_SHAPE
 */
export function residual(from: Layer): Layer {
  const layer = create<Residual>();
  layer.kind = ADD;
  const path = create<Path>();
  path.from = from;
  join(path);
  layer.path = path;
  return layer;
}
