// Buffers that layers share, because only one of them works at a time: the quantisation and scratch structs, and an
// int32 workspace for gradients. Sizes are collected while the model is planned.
import { allocate } from "../device/arena";
import { QUANT_BYTES, SCRATCH_BYTES } from "../int8/structs";
import { Scale } from "./scale";

let scratchNeed: i32 = 0;
let gradientNeed: i32 = 0;

/** Quantisation struct; its one multiplier and one shift follow it. */
export let quant: usize = 0;
/** A second one, for biases. */
export let biasQuant: usize = 0;
export let scratch: usize = 0;
/** int32 workspace and how many elements it holds. */
export let gradients: usize = 0;
export let gradientCount: i32 = 0;
/** Factor under construction. */
export let factor: Scale = changetype<Scale>(0);

/** A convolution needs scratch bytes (docs/abi.md) … */
export function needScratch(bytes: i32): void {
  scratchNeed = max(scratchNeed, bytes);
}

/** … and, to learn, int32 elements. */
export function needGradients(elements: i32): void {
  gradientNeed = max(gradientNeed, elements);
}

/** A quantisation struct with its one multiplier and one shift behind it. */
function quantOf(): usize {
  const quant = allocate(QUANT_BYTES + 8);
  store<i32>(quant, QUANT_BYTES);
  store<i32>(quant, <i32>quant + QUANT_BYTES + 4, 24);
  store<i32>(quant, 1, 28);
  return quant;
}

export function reserve(): void {
  factor = changetype<Scale>(allocate(8));
  quant = quantOf();
  biasQuant = quantOf();
  scratch = allocate(SCRATCH_BYTES);
  store<i32>(scratch, SCRATCH_BYTES);
  store<i32>(scratch, <i32>allocate(scratchNeed), 4);
  store<i32>(scratch, scratchNeed, 8);
  gradients = allocate((<usize>gradientNeed) << 2);
  gradientCount = gradientNeed;
}

/** Fills a quantisation struct of this file: factor, range, stochastic rounding by the draws of `key`. */
export function fill(quant: usize, by: Scale, lo: i32, hi: i32, key: u32): void {
  store<i32>(quant, lo, 12);
  store<i32>(quant, hi, 16);
  store<i32>(quant, <i32>quant + QUANT_BYTES, 20);
  store<i32>(quant, 1, 32);
  store<i32>(quant, key, 36);
  store<i32>(quant, by.multiplier, QUANT_BYTES);
  store<i32>(quant, by.shift, QUANT_BYTES + 4);
}

/** Prepares `quant` to multiply by a factor, rounding to nearest. */
export function requantiseBy(by: Scale, lo: i32, hi: i32): void {
  fill(quant, by, lo, hi, 0);
  store<i32>(quant, 0, 32);
}

/** Asks a convolution for its int32 accumulators. */
export function keepAccumulators(): void {
  store<i32>(quant, 0, 20);
}
