// Intrinsic 22: INT8 to INT8 of another scale and zero point: between models that were quantised elsewhere, and for
// concatenation.
import { BAD_SHAPE } from "../device/errors";
import { fail } from "../device/host";
import * as check from "./check";
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import {
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
  TENSOR_BYTES,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";

const FN: i32 = 22;

/**
 * y[…, c0 + c] = requantise(x[…, c] − inputZero) for all channels of x; the other channels of y stay as they are. So a call for
 * each of several tensors concatenates them. The draw is that of y's element, as if y had no gaps.
 *
 * @param quant one multiplier
 * @param xT, x int8 [h, w, c], @param yT, y int8 [h, w, c'] with c0 + c ≤ c'
 *
 * y = x is allowed where both have the same channels and the same row pitch.
 */
export function rescale(quant: usize, xT: usize, x: usize, yT: usize, y: usize, c0: i32): void {
  checkArguments(quant, xT, x, yT, y, c0);

  const m = load<i32>(<usize>load<i32>(quant, QUANT_MULTIPLIER));
  const s = load<i32>(<usize>load<i32>(quant, QUANT_SHIFT));
  const inputZero = load<i32>(quant, QUANT_INPUT_ZERO);
  const zero = load<i32>(quant, QUANT_OUTPUT_ZERO);
  const lo = load<i32>(quant, QUANT_LO);
  const hi = load<i32>(quant, QUANT_HI);
  const random = load<i32>(quant, QUANT_ROUNDING);
  const key = load<i32>(quant, QUANT_KEY);
  const channels = load<i32>(xT, TENSOR_C);
  const all = load<i32>(yT, TENSOR_C);
  const w = load<i32>(xT, TENSOR_W);
  let r = nearest(s);
  for (let row = 0, element = c0; row < load<i32>(xT, TENSOR_H); ++row) {
    let from = x + <usize>(row * load<i32>(xT, TENSOR_PITCH));
    let to = y + <usize>(row * load<i32>(yT, TENSOR_PITCH) + c0);
    for (let column = 0; column < w; ++column) {
      for (let c = 0; c < channels; ++c) {
        if (random) r = stochastic(s, key, element + c);
        const value = load<i8>(from + <usize>c) - inputZero;
        store<i8>(to + <usize>c, requantizeValue(value, m, s, r, zero, lo, hi));
      }
      from += <usize>channels;
      to += <usize>all;
      element += all;
    }
  }
}

function checkArguments(quant: usize, xT: usize, x: usize, yT: usize, y: usize, c0: i32): void {
  check.start(FN);
  check.quantStruct(quant);
  check.tensorStruct(xT);
  check.tensorStruct(yT);
  check.tensorShape(xT);
  check.tensorShape(yT);
  for (let at = TENSOR_H; at <= TENSOR_W; at += 4) {
    if (load<i32>(yT + at) != load<i32>(xT + at)) fail(BAD_SHAPE, FN, load<i32>(yT + at), load<i32>(xT + at));
  }
  check.within(BAD_SHAPE, c0, 0, load<i32>(yT, TENSOR_C) - load<i32>(xT, TENSOR_C));
  check.zeroPoints(quant);
  check.requantisation(quant, 1, -128, 127);
  const xBytes = check.tensorBytes(xT, 1);
  const yBytes = check.tensorBytes(yT, 1);
  check.pointer(x, xBytes, 1);
  check.pointer(y, yBytes, 1);
  const same =
    load<i32>(xT, TENSOR_C) == load<i32>(yT, TENSOR_C) &&
    load<i32>(xT, TENSOR_PITCH) == load<i32>(yT, TENSOR_PITCH);
  check.output(y, yBytes);
  if (y != x || !same) check.read(x, xBytes);
  check.readQuant(quant);
  check.read(xT, TENSOR_BYTES);
  check.read(yT, TENSOR_BYTES);
}
