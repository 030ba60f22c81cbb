// Max pooling layer.
import { allocate } from "../device/arena";
import * as int8 from "../int8/intrinsics";
import { Layer, MAX_POOL, tensorOf, windowLength, windowOf } from "./layer";
import { Trainer } from "./trainer";

export class MaxPool extends Layer {
  private conv: usize = 0;

  constructor(
    private pool: i32,
    private stride: i32,
  ) {
    super(MAX_POOL);
  }

  infer(input: Layer): void {
    this.h = windowLength(input.h, this.pool, this.stride, 0);
    this.w = windowLength(input.w, this.pool, this.stride, 0);
    this.c = input.c;
    if (!this.h || !this.w) this.refuse(this.pool, min(input.h, input.w));
  }

  reserve(state: usize, input: Layer): void {
    this.tensor = tensorOf(this.h, this.w, this.c);
    this.conv = windowOf(this.pool, this.stride, 0, this.h, this.w);
    this.y = allocate(this.size);
    this.scale = input.scale;
  }

  forward(input: Layer): void {
    int8.maxPool2d(this.conv, input.tensor, input.y, this.tensor, this.y);
  }

  backward(input: Layer, trainer: Trainer): void {
    const to = trainer.spare;
    int8.maxPool2dGrad(this.conv, input.tensor, input.y, this.tensor, trainer.error, input.tensor, to);
    trainer.swap();
  }
}

/** Max pooling over squares; strides default to the pool's size. */
export function maxPool(poolSize: i32, strides: i32 = 0): Layer {
  return new MaxPool(poolSize, strides ? strides : poolSize);
}
