// Intrinsics 18 and 19: average pooling, forward and backward. Padding does not count: the mean is that of the inputs under
// the window (Keras; PyTorch's count_include_pad = false). A window as large as the input is global average pooling.
import { ACCUMULATOR, BAD_QUANT } from "../device/errors";
import { fail } from "../device/host";
import * as check from "./check";
import { nearest, stochastic } from "./requantize-value";
import {
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_KERNEL_H,
  CONV_KERNEL_W,
  CONV_PAD_BOTTOM,
  CONV_PAD_LEFT,
  CONV_PAD_RIGHT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  CONV_X0,
  CONV_X1,
  CONV_Y0,
  CONV_Y1,
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_KEY,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_OUTPUT_ZERO,
  QUANT_ROUNDING,
  QUANT_SHIFT,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";
import { Taps } from "./taps";

/** Largest shift: with 132,104 inputs under a window, count·(r + 255·m) stays below 2^63. */
const MAX_SHIFT: i32 = 45;
/** Fraction bits of the input's gradient. */
export const GRADIENT_BITS: i32 = 16;
/** Windows over one input that surely fit: 255·128·2^16 < 2^31. */
const MAX_WINDOWS: i32 = 255;

/** ⌊a / n⌋ for n > 0. */
// @ts-ignore: decorator
@inline
function floorDivide<T>(a: T, n: T): T {
  const sign = a >> ((sizeof<T>() << 3) - 1);
  return ((a ^ sign) / n) ^ sign;
}

/**
 * y = requantise(Σ (x − inputZero) / count) over the output window, with one rounding: ⌊(sum·m + count·r) / (count·2^s)⌋ +
 * outputZero, clamped. m·2^−s is the ratio of the scales alone; s ≤ 45. Nothing but padding under a window gives outputZero.
 *
 * @param conv kernel, stride, dilation, padding, output window (groups are not used and must divide c)
 * @param quant one multiplier; multiplier = 0 asks for int32 sums in y, less their zero points and not divided
 * @param xT, x int8 [h, w, c], @param yT, y int8 or int32 [h', w', c]; only the window is written
 *
 * |sum| ≤ 132,104·255 < 2^25.1: the kernel's area is checked against the bound of accumulators.
 */
export function averagePool2d(conv: usize, quant: usize, xT: usize, x: usize, yT: usize, y: usize): void {
  checkForward(conv, quant, xT, x, yT, y);

  const channels = load<i32>(yT, TENSOR_C);
  const multiplier = <usize>load<i32>(quant, QUANT_MULTIPLIER);
  const inputZero = load<i32>(quant, QUANT_INPUT_ZERO);
  const zero = <i64>load<i32>(quant, QUANT_OUTPUT_ZERO);
  const lo = <i64>load<i32>(quant, QUANT_LO);
  const hi = <i64>load<i32>(quant, QUANT_HI);
  const random = load<i32>(quant, QUANT_ROUNDING);
  const key = load<i32>(quant, QUANT_KEY);
  const m = multiplier ? <i64>load<i32>(multiplier) : 0;
  const s = multiplier ? load<i32>(<usize>load<i32>(quant, QUANT_SHIFT)) : 1;
  const pitch = <usize>(load<i32>(xT, TENSOR_PITCH) * load<i32>(conv, CONV_DILATION_H));
  const step = <usize>(channels * load<i32>(conv, CONV_DILATION_W));
  const y1 = load<i32>(conv, CONV_Y1);
  const x1 = load<i32>(conv, CONV_X1);
  let r = nearest(s);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const rows = Taps.vertical(conv, xT, oy);
    const height = Taps.end(rows) - Taps.first(rows);
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      const columns = Taps.horizontal(conv, xT, ox);
      const width = Taps.end(columns) - Taps.first(columns);
      const count = height * width;
      const corner = x + cornerOf(conv, xT, oy, ox, rows, columns);
      const element = (oy * load<i32>(yT, TENSOR_W) + ox) * channels;
      const at = oy * load<i32>(yT, TENSOR_PITCH) + ox * channels;
      for (let c = 0; c < channels; ++c) {
        let sum = -inputZero * count;
        let row = corner + <usize>c;
        for (let ky = 0; ky < height; ++ky) {
          let tap = row;
          for (let kx = 0; kx < width; ++kx) {
            sum += load<i8>(tap);
            tap += step;
          }
          row += pitch;
        }
        if (!multiplier) {
          store<i32>(y + ((<usize>(at + c)) << 2), sum);
          continue;
        }
        if (random) r = stochastic(s, key, element + c);
        const n = <i64>max(count, 1);
        const q = floorDivide<i64>((<i64>sum * m + <i64>count * r) >> s, n) + zero;
        store<i8>(y + <usize>(at + c), q < lo ? lo : q > hi ? hi : q);
      }
    }
  }
}

/** Offset of the first tap inside for output (oy, ox), channel 0. */
function cornerOf(conv: usize, xT: usize, oy: i32, ox: i32, rows: i32, columns: i32): isize {
  const top =
    oy * load<i32>(conv, CONV_STRIDE_H) -
    load<i32>(conv, CONV_PAD_TOP) +
    Taps.first(rows) * load<i32>(conv, CONV_DILATION_H);
  const left =
    ox * load<i32>(conv, CONV_STRIDE_W) -
    load<i32>(conv, CONV_PAD_LEFT) +
    Taps.first(columns) * load<i32>(conv, CONV_DILATION_W);
  return top * load<i32>(xT, TENSOR_PITCH) + left * load<i32>(xT, TENSOR_C);
}

function checkForward(conv: usize, quant: usize, xT: usize, x: usize, yT: usize, y: usize): void {
  check.start(18);
  check.convStruct(conv);
  check.quantStruct(quant);
  check.tensorStruct(xT);
  check.tensorStruct(yT);
  check.pool(conv, xT, yT);
  check.products(load<i32>(conv, CONV_KERNEL_H) * load<i32>(conv, CONV_KERNEL_W), 0);
  check.zeroPoints(quant);
  const multiplier = load<i32>(quant, QUANT_MULTIPLIER);
  if (multiplier) {
    check.requantisation(quant, 1, -128, 127);
    check.within(BAD_QUANT, load<i32>(<usize>load<i32>(quant, QUANT_SHIFT)), 1, MAX_SHIFT);
  }
  const xBytes = check.tensorBytes(xT, 1);
  const yBytes = check.tensorBytes(yT, multiplier ? 1 : 4);
  check.pointer(x, xBytes, 1);
  check.pointer(y, yBytes, multiplier ? 1 : 4);
  check.output(y, yBytes);
  check.read(x, xBytes);
  check.readShapes(conv, xT, yT);
  check.readQuant(quant);
}

/**
 * dx[input position] = Σ over the window's outputs of e / count, each as ⌊(e·2^16 + ⌊count/2⌋) / count⌋: to nearest, in units
 * of 2^−16 of the error's. So little is lost that one requantisation behind it decides what the int8 error is.
 *
 * @param eT, e int8 [h', w', c] errors of the output
 * @param dxT, dx int32 [h, w, c], 4-aligned; the whole tensor is overwritten (gaps of the row pitch excepted)
 *
 * Without padding Σ 1/count ≤ 1 for one input. With it no more windows than taps meet there: along a padded side as many as the
 * kernel is long or the output window wide; their product is checked against 255, so that 255·128·2^16 fits int32.
 */
export function averagePool2dGrad(conv: usize, eT: usize, e: usize, dxT: usize, dx: usize): void {
  checkBackward(conv, eT, e, dxT, dx);

  const channels = load<i32>(eT, TENSOR_C);
  const dxPitch = load<i32>(dxT, TENSOR_PITCH);
  const rowBytes = (<usize>(load<i32>(dxT, TENSOR_W) * channels)) << 2;
  for (let row = 0, at = dx; row < load<i32>(dxT, TENSOR_H); ++row, at += (<usize>dxPitch) << 2)
    memory.fill(at, 0, rowBytes);

  const pitch = (<usize>(dxPitch * load<i32>(conv, CONV_DILATION_H))) << 2;
  const step = (<usize>(channels * load<i32>(conv, CONV_DILATION_W))) << 2;
  const y1 = load<i32>(conv, CONV_Y1);
  const x1 = load<i32>(conv, CONV_X1);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const rows = Taps.vertical(conv, dxT, oy);
    const height = Taps.end(rows) - Taps.first(rows);
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      const columns = Taps.horizontal(conv, dxT, ox);
      const width = Taps.end(columns) - Taps.first(columns);
      const count = height * width;
      if (!count) continue;
      const corner = dx + (cornerOf(conv, dxT, oy, ox, rows, columns) << 2);
      const from = e + <usize>(oy * load<i32>(eT, TENSOR_PITCH) + ox * channels);
      for (let c = 0; c < channels; ++c) {
        const error = <i32>load<i8>(from + <usize>c);
        if (!error) continue;
        const share = floorDivide<i32>((error << GRADIENT_BITS) + (count >> 1), count);
        let row = corner + ((<usize>c) << 2);
        for (let ky = 0; ky < height; ++ky) {
          let tap = row;
          for (let kx = 0; kx < width; ++kx) {
            store<i32>(tap, load<i32>(tap) + share);
            tap += step;
          }
          row += pitch;
        }
      }
    }
  }
}

/** Windows that can meet over one input along one side, less what 1/count makes up for. */
function windows(before: i32, after: i32, kernel: i32, outputs: i32): i32 {
  return before | after ? min(kernel, outputs) : 1;
}

function checkBackward(conv: usize, eT: usize, e: usize, dxT: usize, dx: usize): void {
  check.start(19);
  check.convStruct(conv);
  check.tensorStruct(eT);
  check.tensorStruct(dxT);
  check.pool(conv, dxT, eT);
  const most =
    windows(
      load<i32>(conv, CONV_PAD_TOP),
      load<i32>(conv, CONV_PAD_BOTTOM),
      load<i32>(conv, CONV_KERNEL_H),
      load<i32>(conv, CONV_Y1) - load<i32>(conv, CONV_Y0),
    ) *
    windows(
      load<i32>(conv, CONV_PAD_LEFT),
      load<i32>(conv, CONV_PAD_RIGHT),
      load<i32>(conv, CONV_KERNEL_W),
      load<i32>(conv, CONV_X1) - load<i32>(conv, CONV_X0),
    );
  if (most > MAX_WINDOWS) fail(ACCUMULATOR, 19, most, MAX_WINDOWS);
  const eBytes = check.tensorBytes(eT, 1);
  const dxBytes = check.tensorBytes(dxT, 4);
  check.pointer(e, eBytes, 1);
  check.pointer(dx, dxBytes, 4);
  check.output(dx, dxBytes);
  check.read(e, eBytes);
  check.readShapes(conv, eT, dxT);
}
