// RMSprop with one second moment for each output channel: gradients are divided by the root of their channel's running mean
// square. That costs eight bytes for a channel instead of two or four for every weight, and needs one root and one division for a
// channel; weights of one channel see gradients of like size (as in Adam-mini), so that little is lost.
import { BIAS_MAX } from "../int8/requantize32";
import * as int8 from "../int8/intrinsics";
import { MASTER_MAX } from "../int8/sgd-update";
import * as back from "./backward";
import { Conv2d } from "./conv2d";
import { create } from "./layer";
import { Optimizer } from "./learn";
import { add, divide, multiply, Scale, scaleOf, sqrt, times2, whole } from "./scale";
import * as work from "./workspace";

/** A mean square over about 2^this steps. */
const MEMORY_BITS: i32 = 7;
/** 127 / 128. */
const DECAY: Scale = ((<i64>-31) << 32) | (127 << 24);

export class RmsProp extends Optimizer {
  kind(): i32 {
    return 2;
  }

  /** Mean square of each channel's gradients, a Scale. */
  stateBytes(weights: i32, biases: i32): i32 {
    return biases << 3;
  }

  step(layer: Conv2d, c0: i32, c1: i32, dw: usize, db: usize, weightStep: Scale, biasStep: Scale): i32 {
    const fanIn = layer.fanIn;
    const draws = layer.index << 2;
    let clamped = 0;
    for (let o = c0; o < c1; ++o, dw += (<usize>fanIn) << 2, db += 4) {
      const by = this.normalise(layer, o, dw, divide(weightStep, back.rate));
      const first = o * fanIn;
      const bias = multiply(biasStep, by);
      if (!work.vanishes(bias)) {
        work.fill(work.BIAS_QUANT, bias, BIAS_MAX, draws | back.BIAS_DRAWS);
        int8.sgdUpdate32(work.BIAS_QUANT, db, 1, o, layer.biases + ((<usize>o) << 2));
      }
      const weight = multiply(weightStep, by);
      if (work.vanishes(weight)) continue;
      work.fill(work.QUANT, weight, MASTER_MAX, draws | back.UPDATE_DRAWS);
      const masters = layer.masters + ((<usize>first) << 1);
      clamped += int8.sgdUpdate(work.QUANT, dw, fanIn, first, masters, layer.weights + <usize>first);
    }
    return clamped;
  }

  /**
   * Takes the gradients of channel o into its mean square; returns 1 / √mean. A channel without a gradient keeps its mean.
   *
   * @param slope master units that one unit of dw moves a weight at rate 1
   */
  private normalise(layer: Conv2d, o: i32, dw: usize, slope: Scale): Scale {
    const fanIn = layer.fanIn;
    const at = layer.moments + ((<usize>o) << 3);
    const most = int8.absMaxS32(dw, fanIn);
    let mean = load<Scale>(at);
    if (most) {
      // 23 bits of each: with at most 2^17 of them, the squares stay below 2^63
      const cut = max(9 - <i32>clz(most), 0);
      let sum: u64 = 0;
      for (const end = dw + ((<usize>fanIn) << 2); dw < end; dw += 4) {
        const gradient = <i64>(load<i32>(dw) >> cut);
        sum += <u64>(gradient * gradient);
      }
      const real = times2(slope, layer.unitBits - 8);
      const mine = divide(scaleOf(sum, 2 * cut), whole(fanIn));
      const square = multiply(multiply(real, real), mine);
      mean = mean ? add(multiply(mean, DECAY), times2(square, -MEMORY_BITS)) : square;
      store<Scale>(at, mean);
    }
    return mean ? divide(scaleOf(1, 0), sqrt(mean)) : scaleOf(1, 0);
  }
}

/**
 * RMSprop, one second moment for each output channel. A weight moves by about the learning rate in a step, so that wants to be a
 * tenth of what suits SGD. Takes 8 bytes for each channel.
 */
export function rmsProp(): Optimizer {
  return create<RmsProp>();
}
