// The learning step of a layer with weights, in parts: gradients of a few output channels at a time, as the workspace allows, then
// what moves weights and biases. Layers that need nothing but plain SGD take the fused intrinsic instead.
import * as int8 from "../int8/intrinsics";
import { BIAS_MAX } from "../int8/requantize32";
import { requantizeValue, stochastic } from "../int8/requantize-value";
import { MASTER_MAX, weightOf } from "../int8/sgd-update";
import { QUANT_KEY, QUANT_MULTIPLIER, QUANT_SHIFT } from "../int8/structs";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import { Conv2d } from "./conv2d";
import * as grid from "./grid";
import { create, Layer } from "./layer";
import { multiply, Scale, times2 } from "./scale";
import * as work from "./workspace";

/** Whether a layer or a trainer of the module asks for it. */
export let used: bool = false;

/** How weights and biases follow their gradients: this class is SGD. */
export class Optimizer {
  /** Names the optimiser in the structure digest. */
  kind(): i32 {
    return 0;
  }

  /** Bytes of learned state for a layer. */
  stateBytes(weights: i32, biases: i32): i32 {
    return 0;
  }

  /** The masters of a layer were halved, because their unit has doubled. */
  halve(layer: Conv2d): void {}

  /** Channels c0 … c1 − 1 against their gradients dw and db; returns how many masters were clamped. */
  step(layer: Conv2d, c0: i32, c1: i32, dw: usize, db: usize, weightStep: Scale, biasStep: Scale): i32 {
    const draws = layer.index << 2;
    const first = c0 * layer.fanIn;
    if (!work.vanishes(biasStep)) {
      work.fill(work.BIAS_QUANT, biasStep, BIAS_MAX, draws | back.BIAS_DRAWS);
      int8.sgdUpdate32(work.BIAS_QUANT, db, c1 - c0, c0, layer.biases + ((<usize>c0) << 2));
    }
    if (work.vanishes(weightStep)) return 0;
    work.fill(work.QUANT, weightStep, MASTER_MAX, draws | back.UPDATE_DRAWS);
    const masters = layer.masters + ((<usize>first) << 1);
    return int8.sgdUpdate(work.QUANT, dw, (c1 - c0) * layer.fanIn, first, masters, layer.weights + first);
  }
}

/** What moves the weights, once this file is used. */
export let optimizer: Optimizer = changetype<Optimizer>(0);

export function use(): void {
  used = true;
  if (!changetype<usize>(optimizer)) optimizer = create<Optimizer>();
}

export function setOptimizer(value: Optimizer): void {
  used = true;
  optimizer = value;
}

/** Weight decay λ; 0: none. */
export let decay: Scale = 0;
/** Decay is applied once in so many steps, by so many times as much: a step's share is far below a master's unit. */
const DECAY_BITS: i32 = 6;

export function setDecay(value: Scale): void {
  use();
  decay = value;
}

/** w = w − rate·λ·2^6·w, stochastically rounded; biases do not decay. */
function shrink(layer: Conv2d): void {
  const by = times2(multiply(back.rate, decay), DECAY_BITS);
  if (work.vanishes(by)) return;
  work.fill(work.QUANT, by, MASTER_MAX, (layer.index << 2) | back.DECAY_DRAWS);
  const m = load<i32>(<usize>load<i32>(work.QUANT, QUANT_MULTIPLIER));
  const s = load<i32>(<usize>load<i32>(work.QUANT, QUANT_SHIFT));
  const key = load<i32>(work.QUANT, QUANT_KEY);
  for (let i = 0; i < layer.count; ++i) {
    const at = layer.masters + ((<usize>i) << 1);
    const master = <i32>load<i16>(at);
    const less = requantizeValue(master, m, s, stochastic(s, key, i), 0, -i16.MAX_VALUE, i16.MAX_VALUE);
    store<i16>(at, master - less);
    store<i8>(layer.weights + <usize>i, weightOf(master - less));
  }
}

/** Gradients of the whole layer, and a step against them; returns how many masters were clamped. */
export function learn(layer: Conv2d, input: Layer, error: usize, weightStep: Scale, biasStep: Scale): i32 {
  const fanIn = layer.fanIn;
  const channels = layer.c;
  const atOnce = work.gradientCount / (fanIn + 1);
  const dw = work.gradients;
  const k = layer.levels;
  let clamped = 0;
  let widen: i64 = 0;
  for (let c0 = 0; c0 < channels; c0 += atOnce) {
    const c1 = min(c0 + atOnce, channels);
    const db = dw + ((<usize>((c1 - c0) * fanIn)) << 2);
    // only the input's zero point is read
    int8.conv2dGradWeight(
      work.SCRATCH,
      layer.conv,
      work.QUANT,
      layer.xT,
      input.data,
      changetype<usize>(layer),
      error,
      c0,
      c1,
      dw,
      db,
    );
    if (grid.used && layer.learnsStep) {
      for (let o = c0; o < c1; ++o) {
        const at = <usize>(o * fanIn);
        const slopes = dw + ((<usize>((o - c0) * fanIn)) << 2);
        widen +=
          grid.gradient(slopes, layer.masters + (at << 1), layer.weights + at, fanIn, layer.step, k) >> 16;
      }
    }
    clamped += optimizer.step(layer, c0, c1, dw, db, weightStep, biasStep);
  }
  if (grid.used && layer.learnsStep) {
    const key = checkpoint.key((layer.index << 2) | back.STEP_SIZE_DRAWS);
    layer.step = grid.learn(layer.step, widen, weightStep, layer.count, k, key);
  }
  if (decay && !((checkpoint.steps() + 1) & ((1 << DECAY_BITS) - 1))) shrink(layer);
  return clamped;
}
