// Rectifier layer, in place. Behind a layer with weights it is that layer's lower clamp and costs nothing forward.
import * as int8 from "../int8/intrinsics";
import { Conv2d } from "./conv2d";
import { CONV2D, DENSE, Layer, RELU } from "./layer";
import { Trainer } from "./trainer";

export class Relu extends Layer {
  private fused: bool = false;

  constructor() {
    super(RELU);
  }

  infer(input: Layer): void {
    this.h = input.h;
    this.w = input.w;
    this.c = input.c;
    if (input.kind == CONV2D || input.kind == DENSE) {
      this.fused = true;
      changetype<Conv2d>(input).rectified = true;
    }
  }

  reserve(state: usize, input: Layer): void {
    this.tensor = input.tensor;
    this.scale = input.scale;
    this.y = input.y;
  }

  forward(input: Layer): void {
    // the model's input arrives where the sensor put it, so the address may change from call to call
    this.y = input.y;
    if (!this.fused) int8.relu(input.y, this.size, 0, this.y);
  }

  backward(input: Layer, trainer: Trainer): void {
    int8.reluGrad(this.y, this.size, 0, trainer.error);
  }
}

/** Rectified linear unit. */
export function relu(): Layer {
  return new Relu();
}
