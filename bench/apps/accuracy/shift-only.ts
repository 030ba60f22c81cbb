// How weights move in nets that train by shifts alone (NITI), to compare with: eight bits without a second byte, no learning rate; a
// gradient is shifted until the largest of its layer has one bit, rounded stochastically, and taken off. No biases.
import { draw } from "octomote/assembly/int8/rng";
import * as int8 from "octomote/assembly/int8/intrinsics";
import { UPDATE_DRAWS } from "octomote/assembly/octo/backward";
import * as checkpoint from "octomote/assembly/octo/checkpoint";
import { Conv2d } from "octomote/assembly/octo/conv2d";
import { Optimizer } from "octomote/assembly/octo/learn";
import { Scale } from "octomote/assembly/octo/scale";

/** Bits that the largest update keeps: it is 1 of 127 steps of a weight. */
const BITS: i32 = 1;

export class ShiftOnly extends Optimizer {
  kind(): i32 {
    return 64;
  }

  step(layer: Conv2d, c0: i32, c1: i32, dw: usize, db: usize, weightStep: Scale, biasStep: Scale): i32 {
    const first = c0 * layer.fanIn;
    const n = (c1 - c0) * layer.fanIn;
    const most = int8.absMaxS32(dw, n);
    if (!most) return 0;
    const shift = max(32 - <i32>clz(most) - BITS, 0);
    const key = checkpoint.key((layer.index << 2) | UPDATE_DRAWS);
    for (let i = 0; i < n; ++i, dw += 4) {
      const at = <usize>(first + i);
      const moved = (<i64>load<i32>(dw) + <i64>((<u64>draw(key, first + i) << shift) >> 16)) >> shift;
      // masters are int16 whose top byte is the weight
      const weight = max(min(<i32>load<i8>(layer.weights + at) - <i32>moved, 127), -127);
      store<i8>(layer.weights + at, weight);
      store<i16>(layer.masters + (at << 1), weight << 8);
    }
    return 0;
  }
}
