// Average pooling layers: over squares, and over everything.
import * as int8 from "../int8/intrinsics-residual";
import { GRADIENT_BITS } from "../int8/average-pool2d";
import * as back from "./backward";
import { AVERAGE_POOL, create, Layer } from "./layer";
import { scaleOf, times2 } from "./scale";
import { Window } from "./window";
import * as work from "./workspace";

/** Means over a whole tensor are small beside its largest value: they get two bits more, and saturate past a quarter of the range. */
const GLOBAL_BITS: i32 = 2;

export class AveragePool extends Window {
  /** log2 of how much finer the output's unit is than the input's. */
  private finer: i32;
  private isGlobal: bool;

  place(input: Layer): void {
    this.c = input.c;
    const xT = changetype<usize>(input);
    if (this.isGlobal) this.cover(input);
    else this.slide(xT);
    work.needGradients(input.size);
  }

  /** One window over the whole input. */
  private cover(input: Layer): void {
    this.set(1, max(input.h, input.w), 0);
    this.slide(changetype<usize>(input));
    this.kernelH = input.h;
    this.kernelW = input.w;
  }

  forward(input: Layer): void {
    this.scale = times2(input.scale, -this.finer);
    work.fill(work.QUANT, scaleOf(1, this.finer), 127, work.NEAREST);
    const xT = changetype<usize>(input);
    int8.averagePool2d(this.conv, work.QUANT, xT, input.data, changetype<usize>(this), this.data);
  }

  /** Every input under a window gets its share of the error. */
  backward(input: Layer): void {
    const xT = changetype<usize>(input);
    int8.averagePool2dGrad(this.conv, changetype<usize>(this), back.error, xT, work.gradients);
    back.setScale(times2(back.scale, -GRADIENT_BITS));
    back.quantise(input.size, (this.index << 2) | back.ERROR_DRAWS);
  }

  /** Pools everything. */
  whole(): AveragePool {
    this.isGlobal = true;
    this.finer = GLOBAL_BITS;
    return this;
  }
}

function pool(size: i32, strides: i32): AveragePool {
  const layer = create<AveragePool>();
  layer.kind = AVERAGE_POOL;
  layer.set(size, strides, 0);
  return layer;
}

/** Average pooling over squares; strides default to the pool's size. */
export function averagePool(poolSize: i32, strides: i32 = 0): Layer {
  return pool(poolSize, strides ? strides : poolSize);
}

/** The mean of each channel, 1 × 1 × c; what lies beyond a quarter of the input's range saturates. */
export function globalAveragePool(): Layer {
  return pool(1, 1).whole();
}
