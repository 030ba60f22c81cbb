// Rectifier layer, in place. Behind a layer with weights it is that layer's lower clamp and costs nothing forward.
import * as int8 from "../int8/intrinsics";
import * as back from "./backward";
import { create, Layer, RELU } from "./layer";

export class Relu extends Layer {
  place(input: Layer): void {
    this.alias(input);
    input.lowest = 0;
  }

  forward(input: Layer): void {
    // scales move, and the model's input lies where the sensor put it
    this.alias(input);
    if (!input.learns) int8.relu(this.data, this.size, 0, this.data);
  }

  /** The output is the input's own: tensor struct, data, scale. */
  private alias(input: Layer): void {
    memory.copy(changetype<usize>(this), changetype<usize>(input), offsetof<Relu>("width"));
  }

  backward(input: Layer): void {
    int8.reluGrad(this.data, this.size, 0, back.error);
  }
}

/** Rectified linear unit. */
export function relu(): Layer {
  const layer = create<Relu>();
  layer.kind = RELU;
  return layer;
}
