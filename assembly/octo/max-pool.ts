// Max pooling layer.
import * as int8 from "../int8/intrinsics";
import * as back from "./backward";
import { create, Layer, MAX_POOL } from "./layer";
import { Window } from "./window";

export class MaxPool extends Window {
  place(input: Layer): void {
    this.c = input.c;
    this.slide(changetype<usize>(input));
  }

  forward(input: Layer): void {
    this.scale = input.scale;
    int8.maxPool2d(this.conv, changetype<usize>(input), input.data, changetype<usize>(this), this.data);
  }

  backward(input: Layer): void {
    const xT = changetype<usize>(input);
    int8.maxPool2dGrad(this.conv, xT, input.data, changetype<usize>(this), back.error, xT, back.spare);
    back.swap();
  }
}

/** Max pooling over squares; strides default to the pool's size. */
export function maxPool(poolSize: i32, strides: i32 = 0): Layer {
  const layer = create<MaxPool>();
  layer.kind = MAX_POOL;
  layer.set(poolSize, strides ? strides : poolSize, 0);
  return layer;
}
