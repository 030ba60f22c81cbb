// Intrinsic 1: 2-D convolution, INT8 × INT8 → INT32 → INT8 (or INT32 accumulators). Dense layers are 1×1
// convolutions over a [1, 1, K] tensor; depthwise ones have groups = channels.
import * as check from "./check";
import { block, CHANNELS, pack, POSITIONS, put, SUMS_BYTES } from "./conv2d-block";
import { nearest } from "./requantize-value";
import {
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_GROUPS,
  CONV_KERNEL_H,
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
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
  SCRATCH_BYTES,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  scratchNeed,
  TENSOR_C,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";
import { Taps } from "./taps";

const FN: i32 = 1;

/**
 * The n bytes under output (oy, ox) that one group of channels sees, in the kernel's own order [kernelH, kernelW,
 * c/groups]; `rows` are the taps of oy, and the padding is the input zero point.
 */
export function gather(
  conv: usize,
  xT: usize,
  x: usize,
  zero: i32,
  rows: i32,
  oy: i32,
  ox: i32,
  group: i32,
  n: usize,
  to: usize,
): void {
  const columns = Taps.horizontal(conv, xT, ox);
  const kx0 = Taps.first(columns);
  const taps = Taps.end(columns) - kx0;
  const ky0 = Taps.first(rows);
  const ky1 = Taps.end(rows);
  const inputChannels = load<i32>(xT, TENSOR_C);
  const groups = load<i32>(conv, CONV_GROUPS);
  const perGroup = inputChannels / groups;
  const kernelW = load<i32>(conv, CONV_KERNEL_W);
  const dilationW = load<i32>(conv, CONV_DILATION_W);
  const dilationH = load<i32>(conv, CONV_DILATION_H);
  const xPitch = load<i32>(xT, TENSOR_PITCH);
  if (taps < kernelW || ky1 - ky0 < load<i32>(conv, CONV_KERNEL_H)) memory.fill(to, <u8>zero, n);
  const top = oy * load<i32>(conv, CONV_STRIDE_H) - load<i32>(conv, CONV_PAD_TOP) + ky0 * dilationH;
  const left = ox * load<i32>(conv, CONV_STRIDE_W) - load<i32>(conv, CONV_PAD_LEFT) + kx0 * dilationW;
  let row = x + <isize>(top * xPitch + left * inputChannels + group * perGroup);
  to += <usize>((ky0 * kernelW + kx0) * perGroup);
  // one run of bytes per kernel row where the taps of a row are neighbours, else one run per tap
  const joined = dilationW == 1 && groups == 1;
  const tapBytes = <usize>(dilationW * inputChannels);
  const runBytes = <usize>(joined ? taps * inputChannels : perGroup);
  const rowStep = <usize>(xPitch * dilationH);
  const step = <usize>(kernelW * perGroup);
  for (let ky = ky0; ky < ky1; ++ky, row += rowStep, to += step) {
    let left = joined ? 1 : taps;
    for (let from = row, at = to; left; --left) {
      memory.copy(at, from, runBytes);
      from += tapBytes;
      at += <usize>perGroup;
    }
  }
}

/**
 * y = requantise(Σ w·(x − inputZero) + bias) over the output window; padding is the input zero point, so it adds nothing.
 *
 * @param scratch scratchNeed(kernelH·kernelW·c/groups) bytes
 * @param conv kernel, stride, dilation, padding, groups, output window
 * @param quant zero points, range, multipliers; multiplier = 0 asks for int32 accumulators in y
 * @param xT, x int8 [h, w, c] in [−128, 127]
 * @param w int8 OHWI in [−127, 127]
 * @param bias int32 per output channel, in accumulator units, or 0
 * @param yT, y int8 or int32 [h', w', c']; only the window is written
 *
 * |Σ w·(x − zero)| < 2^31 is checked by K and the zero point; what that leaves is for the bias: 2^31 − K·127·(128 + |zero|). A
 * bias past it wraps the sum as i32 does, equally everywhere.
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
  checkArguments(scratch, conv, quant, xT, x, w, bias, yT, y);

  const channels = load<i32>(yT, TENSOR_C);
  const groups = load<i32>(conv, CONV_GROUPS);
  const channelsPerGroup = channels / groups;
  const n = <usize>check.kernelSize(conv, xT);
  const inputZero = load<i32>(quant, QUANT_INPUT_ZERO);
  const sums = <usize>load<i32>(scratch, SCRATCH_DATA);
  const words = sums + SUMS_BYTES;
  const patches = words + (n << 3);
  const width = load<i32>(yT, TENSOR_W);
  const x0 = load<i32>(conv, CONV_X0);
  const x1 = load<i32>(conv, CONV_X1);

  // one multiplier and no draws: the common case
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  const alike = multiplier && load<i32>(quant, QUANT_CHANNELS) == 1 && !load<i32>(quant, QUANT_ROUNDING);
  const m = alike ? <i64>load<i32>(multiplier) : 0;
  const s = alike ? <i64>load<i32>(<usize>load<i32>(quant, QUANT_SHIFT)) : 1;
  const r = nearest(<i32>s);
  const zero = <i64>load<i32>(quant, QUANT_OUTPUT_ZERO);
  const lo = <i64>load<i32>(quant, QUANT_LO);
  const hi = <i64>load<i32>(quant, QUANT_HI);
  const span = hi - lo;

  // with gaps between the rows, the place of an element is ahead of its index
  const gap = (<usize>(load<i32>(yT, TENSOR_PITCH) - width * channels)) << (multiplier ? 0 : 2);
  // positions go in threes, across the ends of rows
  let left = (load<i32>(conv, CONV_Y1) - load<i32>(conv, CONV_Y0)) * (x1 - x0);
  let oy = load<i32>(conv, CONV_Y0);
  let ox = x0;
  let rows = Taps.vertical(conv, xT, oy);
  for (; left > 0; left -= POSITIONS) {
    const positions = min(POSITIONS, left);
    const row = oy;
    const column = ox;
    const rowTaps = rows;
    for (let group = 0, o = 0; group < groups; ++group) {
      oy = row;
      ox = column;
      rows = rowTaps;
      for (let i = 0, patch = patches; i < positions; ++i, patch += n) {
        gather(conv, xT, x, inputZero, rows, oy, ox, group, n, patch);
        if (++ox == x1) {
          ox = x0;
          rows = Taps.vertical(conv, xT, ++oy);
        }
      }
      pack(patches, n, positions, inputZero, words);
      for (const end = o + channelsPerGroup; o < end; ) {
        const made = min(CHANNELS, end - o);
        block(words, w + <usize>o * n, n, inputZero, bias ? bias + ((<usize>o) << 2) : 0, made, sums);
        let py = row;
        let px = column;
        for (let i = 0, sum = sums; i < positions; ++i, sum += 4 * CHANNELS) {
          const first = (py * width + px) * channels;
          const rowY = y + <usize>py * gap;
          const end = sum + ((<usize>made) << 2);
          if (alike) {
            for (let at = sum, to = rowY + <usize>(first + o); at < end; at += 4, ++to) {
              let value = ((<i64>load<i32>(at) * m + r) >> s) + zero;
              if (<u64>(value - lo) > <u64>span) value = value < lo ? lo : hi;
              store<i8>(to, value);
            }
          } else {
            for (let at = sum, i = first + o; at < end; at += 4, ++i)
              put(quant, rowY, first, i, load<i32>(at));
          }
          if (++px == x1) {
            px = x0;
            ++py;
          }
        }
        o += made;
      }
    }
  }
}

/** Checks in the order of docs/abi.md. */
export function checkArguments(
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
  check.start(FN);
  check.convStructs(scratch, conv, quant, xT, yT);
  check.convShape(conv, xT, yT);
  check.window(conv, yT);
  const kernelBytes = check.kernelSize(conv, xT);
  check.zeroPoints(quant);
  check.products(kernelBytes, load<i32>(quant, QUANT_INPUT_ZERO));
  const channels = load<i32>(yT, TENSOR_C);
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  if (multiplier) check.requantisation(quant, channels, -128, 127);
  check.scratchSize(scratch, scratchNeed(kernelBytes));
  const xBytes = check.tensorBytes(xT, 1);
  const wBytes = <u64>(kernelBytes * channels);
  const biasBytes = bias ? (<u64>channels) << 2 : 0;
  const yBytes = check.tensorBytes(yT, multiplier ? 1 : 4);
  check.pointer(x, xBytes, 1);
  check.pointer(w, wBytes, 1);
  check.pointer(bias, biasBytes, 4);
  check.pointer(y, yBytes, multiplier ? 1 : 4);
  const scratchData = <usize>load<i32>(scratch, SCRATCH_DATA);
  const scratchBytes = <u64>load<i32>(scratch, SCRATCH_SIZE);
  check.output(y, yBytes);
  check.another(scratchData, scratchBytes);
  check.read(x, xBytes);
  check.read(w, wBytes);
  check.read(bias, biasBytes);
  check.read(scratch, SCRATCH_BYTES);
  check.readShapes(conv, xT, yT);
  check.readQuant(quant);
}
