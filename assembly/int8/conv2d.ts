// Intrinsic 1: 2-D convolution, INT8 × INT8 → INT32 → INT8 (or INT32 accumulators). Dense layers are 1×1
// convolutions over a [1, 1, K] tensor; depthwise ones have groups = channels.
import * as check from "./check";
import { nearest, requantizeValue, stochastic } from "./requantize-value";
import {
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_GROUPS,
  CONV_KERNEL_W,
  CONV_PAD_LEFT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  CONV_X0,
  CONV_X1,
  CONV_Y0,
  CONV_Y1,
  QUANT_CHANNELS,
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  TENSOR_C,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";
import { Taps } from "./taps";

const FN: i32 = 1;

/** Σ x·w over n bytes. */
function dot(x: usize, w: usize, n: usize): i32 {
  let sum = 0;
  const end = x + n;
  for (const fours = x + (n & ~3); x < fours; x += 4, w += 4) {
    sum +=
      load<i8>(x) * load<i8>(w) +
      load<i8>(x, 1) * load<i8>(w, 1) +
      load<i8>(x, 2) * load<i8>(w, 2) +
      load<i8>(x, 3) * load<i8>(w, 3);
  }
  for (; x < end; ++x, ++w) sum += load<i8>(x) * load<i8>(w);
  return sum;
}

/** Σ w over n bytes. */
function sumOf(w: usize, n: usize): i32 {
  let sum = 0;
  for (const end = w + n; w < end; ++w) sum += load<i8>(w);
  return sum;
}

/**
 * y = requantise(Σ w·(x − inputZero) + bias) over the output window; padding is the input zero point, so it adds nothing.
 *
 * @param scratch 4·kernelH·kernelW·c/groups bytes (for native im2col; the check is the same everywhere)
 * @param conv kernel, stride, dilation, padding, groups, output window
 * @param quant zero points, range, multipliers; multiplier = 0 asks for int32 accumulators in y
 * @param xT, x int8 [h, w, c] in [−128, 127]
 * @param w int8 OHWI in [−127, 127]
 * @param bias int32 per output channel, in accumulator units, or 0
 * @param yT, y int8 or int32 [h', w', c']; only the window is written
 *
 * |Σ w·(x − zero)| ≤ K·127·255 wraps only past K = 66,312 for a zero point at the edge of its range; with the K ≤ 132,104
 * that is checked, a zero point of 0 never wraps. Wrapping is that of i32 and equal everywhere.
 */
export function conv2d(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  w: usize,
  bias: usize,
  yT: usize,
  y: usize,
): void {
  const multiplier = checkArguments(scratch, conv, quant, xT, x, w, bias, yT, y);

  const inputChannels = load<i32>(xT, TENSOR_C);
  const channels = load<i32>(yT, TENSOR_C);
  const groups = load<i32>(conv, CONV_GROUPS);
  const perGroup = inputChannels / groups;
  const channelsPerGroup = channels / groups;
  const kernelW = load<i32>(conv, CONV_KERNEL_W);
  const dilationW = load<i32>(conv, CONV_DILATION_W);
  const kernelBytes = <usize>check.kernelSize(conv, xT);
  const rowBytes = <usize>(kernelW * perGroup);
  const xPitch = load<i32>(xT, TENSOR_PITCH);
  const xRowStep = <usize>(xPitch * load<i32>(conv, CONV_DILATION_H));
  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  const outputZero = load<i32>(quant, QUANT_OUTPUT_ZERO);
  const lo = load<i32>(quant, QUANT_LO);
  const hi = load<i32>(quant, QUANT_HI);
  const shift = <usize>load<i32>(quant, QUANT_SHIFT);
  const perChannel: usize = load<i32>(quant, QUANT_CHANNELS) == 1 ? 0 : 4;
  const random = load<i32>(quant, QUANT_ROUNDING);
  const key = load<i32>(quant, QUANT_KEY);
  const yPitch = load<i32>(yT, TENSOR_PITCH);
  const width = load<i32>(yT, TENSOR_W);
  // one run of bytes per kernel row where the taps of a row are neighbours, else one run per tap
  const joined = dilationW == 1 && groups == 1;
  const tapBytes = <usize>(dilationW * inputChannels);
  const x1 = load<i32>(conv, CONV_X1);
  const y1 = load<i32>(conv, CONV_Y1);

  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const rows = Taps.vertical(conv, xT, oy);
    const ky0 = Taps.first(rows);
    const ky1 = Taps.end(rows);
    const top =
      oy * load<i32>(conv, CONV_STRIDE_H) -
      load<i32>(conv, CONV_PAD_TOP) +
      ky0 * load<i32>(conv, CONV_DILATION_H);
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      const columns = Taps.horizontal(conv, xT, ox);
      const kx0 = Taps.first(columns);
      const taps = Taps.end(columns) - kx0;
      const left = ox * load<i32>(conv, CONV_STRIDE_W) - load<i32>(conv, CONV_PAD_LEFT) + kx0 * dilationW;
      const runs = joined ? 1 : taps;
      const runBytes = <usize>(joined ? taps * inputChannels : perGroup);
      const patch = x + <isize>(top * xPitch + left * inputChannels);
      const kernel = w + <usize>ky0 * rowBytes + <usize>(kx0 * perGroup);
      const element = (oy * width + ox) * channels;
      for (let o = 0; o < channels; ++o) {
        let acc = bias ? load<i32>(bias + ((<usize>o) << 2)) : 0;
        let xRow = patch + <usize>((o / channelsPerGroup) * perGroup);
        let wRow = kernel + <usize>o * kernelBytes;
        for (let ky = ky0; ky < ky1; ++ky) {
          for (let run = 0, xRun = xRow, wRun = wRow; run < runs; ++run) {
            acc += dot(xRun, wRun, runBytes);
            if (zero) acc -= zero * sumOf(wRun, runBytes);
            xRun += tapBytes;
            wRun += perGroup;
          }
          xRow += xRowStep;
          wRow += rowBytes;
        }
        const at = oy * yPitch + ox * channels + o;
        if (multiplier) {
          const q = <usize>o * perChannel;
          const s = load<i32>(shift + q);
          const r = random ? stochastic(s, key, element + o) : nearest(s);
          store<i8>(y + at, requantizeValue(acc, load<i32>(multiplier + q), s, r, outputZero, lo, hi));
        } else {
          store<i32>(y + ((<usize>at) << 2), acc);
        }
      }
    }
  }
}

/** Checks in the order of docs/abi.md; returns the multiplier's pointer, 0 for int32 output. */
function checkArguments(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  w: usize,
  bias: usize,
  yT: usize,
  y: usize,
): usize {
  check.scratchStruct(FN, scratch);
  check.convStruct(FN, conv);
  check.quantStruct(FN, quant);
  check.tensorStruct(FN, xT);
  check.tensorStruct(FN, yT);
  check.tensorShape(FN, xT);
  check.tensorShape(FN, yT);
  check.convShape(FN, conv, xT, yT);
  check.window(FN, conv, yT);
  const kernelBytes = check.kernelSize(conv, xT);
  check.products(FN, kernelBytes);
  check.zeroPoints(FN, quant);
  const channels = load<i32>(yT, TENSOR_C);
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  if (multiplier) check.requantisation(FN, quant, channels, -128, 127);
  check.scratchSize(FN, scratch, kernelBytes << 2);
  const xBytes = check.tensorBytes(xT, 1);
  const wBytes = <u64>(kernelBytes * channels);
  const biasBytes = bias ? (<u64>channels) << 2 : 0;
  const yBytes = check.tensorBytes(yT, multiplier ? 1 : 4);
  check.pointer(FN, x, xBytes, 1);
  check.pointer(FN, w, wBytes, 1);
  check.pointer(FN, bias, biasBytes, 4);
  check.pointer(FN, y, yBytes, multiplier ? 1 : 4);
  const scratchData = <usize>load<i32>(scratch, SCRATCH_DATA);
  const scratchBytes = <u64>load<i32>(scratch, SCRATCH_SIZE);
  check.apart(FN, y, yBytes, x, xBytes);
  check.apart(FN, y, yBytes, w, wBytes);
  check.apart(FN, y, yBytes, bias, biasBytes);
  check.apart(FN, y, yBytes, scratchData, scratchBytes);
  check.apart(FN, scratchData, scratchBytes, x, xBytes);
  check.apart(FN, scratchData, scratchBytes, w, wBytes);
  check.apart(FN, scratchData, scratchBytes, bias, biasBytes);
  return multiplier;
}
