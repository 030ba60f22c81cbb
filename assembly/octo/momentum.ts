// SGD with momentum: v = β·v + rate·gradient, w = w − v, with int16 velocities.
import { BIAS_MAX } from "../int8/requantize32";
import { requantizeValue, stochastic } from "../int8/requantize-value";
import { draw } from "../int8/rng";
import { MASTER_MAX, weightOf } from "../int8/sgd-update";
import { QUANT_MULTIPLIER, QUANT_SHIFT } from "../int8/structs";
import { Fixed } from "../device/param";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import { Conv2d } from "./conv2d";
import { create } from "./layer";
import { Optimizer } from "./learn";
import { MOMENTUM, within } from "./options";
import { Scale, times2 } from "./scale";
import * as work from "./workspace";

/** A velocity is int16 in 64ths of a master unit per step: it saturates at two INT8 steps per training step. */
const VELOCITY_BITS: i32 = 6;
const VELOCITY_MAX: i32 = i16.MAX_VALUE;

export class Momentum extends Optimizer {
  /** β, Q16, below 1. */
  beta: i32;

  kind(): i32 {
    return 1;
  }

  /** Velocities: int16 of the weights, then int32 of the biases (in their own unit). */
  stateBytes(weights: i32, biases: i32): i32 {
    return (((weights << 1) + 3) & ~3) + (biases << 2);
  }

  /**
   * Two draws for each weight: one rounds β·v and rate·gradient (opposite ways, so that their errors do not add up), one rounds
   * v to master units. |β·v| < 2^15 and a step of at most 2^16 fit i32.
   */
  step(layer: Conv2d, c0: i32, c1: i32, dw: usize, db: usize, weightStep: Scale, biasStep: Scale): i32 {
    const beta = this.beta;
    const fanIn = layer.fanIn;
    const first = c0 * fanIn;
    const draws = layer.index << 2;
    const velocityKey = checkpoint.key(draws | back.VELOCITY_DRAWS);
    const key = checkpoint.key(draws | back.UPDATE_DRAWS);
    this.biases(layer, c0, c1, db, biasStep);
    work.fill(work.QUANT, times2(weightStep, VELOCITY_BITS), VELOCITY_MAX, draws | back.VELOCITY_DRAWS);
    const m = load<i32>(<usize>load<i32>(work.QUANT, QUANT_MULTIPLIER));
    const s = load<i32>(<usize>load<i32>(work.QUANT, QUANT_SHIFT));
    let clamped = 0;
    for (let i = first; i < c1 * fanIn; ++i, dw += 4) {
      const gradient = load<i32>(dw);
      const at = layer.moments + ((<usize>i) << 1);
      let v = <i32>load<i16>(at);
      if (!gradient && !v) continue;
      const kept = (v * beta + <i32>(65535 - draw(velocityKey, i))) >> 16;
      const r = stochastic(s, velocityKey, i);
      v = kept + requantizeValue(gradient, m, s, r, 0, -2 * VELOCITY_MAX, 2 * VELOCITY_MAX);
      v = max(min(v, VELOCITY_MAX), -VELOCITY_MAX);
      store<i16>(at, v);
      const w = layer.masters + ((<usize>i) << 1);
      const moved = <i32>load<i16>(w) - ((v + <i32>(draw(key, i) >> (16 - VELOCITY_BITS))) >> VELOCITY_BITS);
      const master = max(min(moved, MASTER_MAX), -MASTER_MAX);
      clamped += <i32>(master != moved);
      store<i16>(w, master);
      store<i8>(layer.weights + <usize>i, weightOf(master));
    }
    return clamped;
  }

  private biases(layer: Conv2d, c0: i32, c1: i32, db: usize, by: Scale): void {
    const velocities = layer.moments + <usize>(((layer.count << 1) + 3) & ~3);
    const key = checkpoint.key((layer.index << 2) | back.BIAS_DRAWS);
    work.fill(work.QUANT, by, BIAS_MAX, work.NEAREST);
    const m = load<i32>(<usize>load<i32>(work.QUANT, QUANT_MULTIPLIER));
    const s = load<i32>(<usize>load<i32>(work.QUANT, QUANT_SHIFT));
    for (let o = c0; o < c1; ++o, db += 4) {
      const at = velocities + ((<usize>o) << 2);
      const kept = (<i64>load<i32>(at) * <i64>this.beta + <i64>(65535 - draw(key, o))) >> 16;
      const step = requantizeValue(load<i32>(db), m, s, stochastic(s, key, o), 0, -BIAS_MAX, BIAS_MAX);
      const v = max(min(kept + <i64>step, <i64>BIAS_MAX), <i64>-BIAS_MAX);
      store<i32>(at, <i32>v);
      const bias = layer.biases + ((<usize>o) << 2);
      store<i32>(bias, <i32>max(min(<i64>load<i32>(bias) - v, <i64>BIAS_MAX), <i64>-BIAS_MAX));
    }
  }

  /** Master units have doubled. */
  halve(layer: Conv2d): void {
    for (let i = 0, at = layer.moments; i < layer.count; ++i, at += 2)
      store<i16>(at, <i32>load<i16>(at) >> 1);
  }
}

// @ts-ignore: decorator
@inline
/** SGD with momentum: momentum(fixed(0.9)) forgets a gradient over about ten steps. Takes 2 bytes for each weight. */
export function momentum(beta: Fixed): Optimizer {
  const optimizer = create<Momentum>();
  optimizer.beta = <i32>(beta >> 16);
  within(MOMENTUM, optimizer.beta, 0, 65535);
  return optimizer;
}
