// What layers share, because only one of them works at a time: quantisation and scratch structs (docs/abi.md), and an int32
// workspace. Sizes are collected while the model is laid out.
import { allocate } from "../device/arena";
import {
  QUANT_BYTES,
  QUANT_CHANNELS,
  QUANT_HI,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_ROUNDING,
  QUANT_SHIFT,
  SCRATCH_BYTES,
  SCRATCH_DATA,
  SCRATCH_SIZE,
} from "../int8/structs";
import { key } from "./checkpoint";
import { exponent, Scale } from "./scale";

/** Quantisation struct; its one multiplier and its one shift follow it. */
export const QUANT: usize = memory.data(48, 4);
/** A second one, for biases. */
export const BIAS_QUANT: usize = memory.data(48, 4);
export const SCRATCH: usize = memory.data(12, 4);
/** int32 workspace of a training step, and how many elements it holds. */
export let gradients: usize = 0;
export let gradientCount: i32 = 0;

/** A convolution needs scratch bytes (docs/abi.md) … */
export function needScratch(bytes: i32): void {
  store<i32>(SCRATCH, max(load<i32>(SCRATCH, SCRATCH_SIZE), bytes), SCRATCH_SIZE);
}

/** … and, to learn, int32 elements. */
export function needGradients(elements: i32): void {
  gradientCount = max(gradientCount, elements);
}

/** Allocates what was needed. */
export function reserveScratch(): void {
  store<i32>(SCRATCH, SCRATCH_BYTES);
  store<i32>(SCRATCH, <i32>allocate(load<i32>(SCRATCH, SCRATCH_SIZE)), SCRATCH_DATA);
}

export function reserveGradients(): void {
  gradients = allocate((<usize>gradientCount) << 2);
}

/** The largest factor that requantisation can express, just below 1. */
const LARGEST: Scale = ((<i64>-1) << 32) | i32.MAX_VALUE;

/** No draws: rounds to nearest. */
export const NEAREST: i32 = 0;

/**
 * Prepares a quantisation struct of this file: values are multiplied by a factor (one past the largest saturates), rounded by
 * the draws of a tensor, and clamped to ±most.
 */
export function fill(quant: usize, by: Scale, most: i32, tensor: i32): void {
  by = by < 0 ? by : LARGEST;
  const multiplier = quant + QUANT_BYTES;
  store<i32>(quant, QUANT_BYTES);
  store<i32>(quant, -most, QUANT_LO);
  store<i32>(quant, most, QUANT_HI);
  store<i32>(quant, <i32>multiplier, QUANT_MULTIPLIER);
  store<i32>(quant, <i32>multiplier + 4, QUANT_SHIFT);
  store<i32>(quant, 1, QUANT_CHANNELS);
  store<i32>(quant, <i32>(tensor != NEAREST), QUANT_ROUNDING);
  store<i32>(quant, key(tensor), QUANT_KEY);
  store<i32>(multiplier, <i32>by);
  store<i32>(multiplier, min(-exponent(by), 62), 4);
}

/** Whether a factor is below what requantisation can express (2^−62): nothing would ever move. */
export function vanishes(by: Scale): bool {
  return exponent(by) < -62;
}
