// Intrinsics 8 and 9: max pooling, forward and backward.
import * as check from "./check";
import {
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_PAD_LEFT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  CONV_X0,
  CONV_X1,
  CONV_Y0,
  CONV_Y1,
  TENSOR_BYTES,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";
import { BAD_SHAPE } from "../device/errors";
import { fail } from "../device/host";
import { Taps } from "./taps";

/**
 * Offset from x of the first maximum of channel c in the window of output (oy, ox), or −1 when the window holds
 * nothing but padding. "First" in row order: forward and backward agree on it.
 */
function argMax(conv: usize, xT: usize, x: usize, rows: i32, columns: i32, top: i32, left: i32, c: i32): i32 {
  const pitch = load<i32>(xT, TENSOR_PITCH);
  const channels = load<i32>(xT, TENSOR_C);
  let best = -1;
  let most = -129;
  for (let ky = Taps.first(rows); ky < Taps.end(rows); ++ky) {
    const row = (top + ky * load<i32>(conv, CONV_DILATION_H)) * pitch + c;
    for (let kx = Taps.first(columns); kx < Taps.end(columns); ++kx) {
      const at = row + (left + kx * load<i32>(conv, CONV_DILATION_W)) * channels;
      const v = <i32>load<i8>(x + <usize>at);
      if (v > most) {
        most = v;
        best = at;
      }
    }
  }
  return best;
}

/**
 * y = the largest x under the window; padding never wins, and a window of padding alone gives −128.
 *
 * @param conv kernel, stride, dilation, padding, output window (groups are not used and must divide c)
 * @param xT, x int8 [h, w, c], @param yT, y int8 [h', w', c]; only the window is written
 */
export function maxPool2d(conv: usize, xT: usize, x: usize, yT: usize, y: usize): void {
  check.start(8);
  check.convStruct(conv);
  check.tensorStruct(xT);
  check.tensorStruct(yT);
  check.pool(conv, xT, yT);
  const xBytes = check.tensorBytes(xT, 1);
  const yBytes = check.tensorBytes(yT, 1);
  check.pointer(x, xBytes, 1);
  check.pointer(y, yBytes, 1);
  check.output(y, yBytes);
  check.read(x, xBytes);
  check.readShapes(conv, xT, yT);

  const channels = load<i32>(yT, TENSOR_C);
  const y1 = load<i32>(conv, CONV_Y1);
  const x1 = load<i32>(conv, CONV_X1);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const rows = Taps.vertical(conv, xT, oy);
    const top = oy * load<i32>(conv, CONV_STRIDE_H) - load<i32>(conv, CONV_PAD_TOP);
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      const columns = Taps.horizontal(conv, xT, ox);
      const left = ox * load<i32>(conv, CONV_STRIDE_W) - load<i32>(conv, CONV_PAD_LEFT);
      const to = y + <usize>(oy * load<i32>(yT, TENSOR_PITCH) + ox * channels);
      for (let c = 0; c < channels; ++c) {
        const at = argMax(conv, xT, x, rows, columns, top, left, c);
        store<i8>(to + <usize>c, at < 0 ? -128 : load<i8>(x + <usize>at));
      }
    }
  }
}

/**
 * dx = errors routed to the first maximum of each window; where windows overlap, sums clamp to ±127.
 *
 * @param xT, x int8 [h, w, c], the input of the forward pass; @param eT, e int8 [h', w', c] errors of the output
 * @param dxT, dx int8 [h, w, c]; the whole tensor is overwritten (gaps of the row pitch excepted)
 */
export function maxPool2dGrad(
  conv: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  dxT: usize,
  dx: usize,
): void {
  check.start(9);
  check.convStruct(conv);
  check.tensorStruct(xT);
  check.tensorStruct(eT);
  check.tensorStruct(dxT);
  check.pool(conv, xT, eT);
  check.tensorShape(dxT);
  for (let at = TENSOR_H; at <= TENSOR_C; at += 4) {
    if (load<i32>(dxT + at) != load<i32>(xT + at))
      fail(BAD_SHAPE, 9, load<i32>(dxT + at), load<i32>(xT + at));
  }
  const xBytes = check.tensorBytes(xT, 1);
  const eBytes = check.tensorBytes(eT, 1);
  const dxBytes = check.tensorBytes(dxT, 1);
  check.pointer(x, xBytes, 1);
  check.pointer(e, eBytes, 1);
  check.pointer(dx, dxBytes, 1);
  check.output(dx, dxBytes);
  check.read(x, xBytes);
  check.read(e, eBytes);
  check.readShapes(conv, xT, eT);
  check.read(dxT, TENSOR_BYTES);

  const channels = load<i32>(eT, TENSOR_C);
  const pitch = load<i32>(xT, TENSOR_PITCH);
  const dxPitch = load<i32>(dxT, TENSOR_PITCH);
  const rowBytes = <usize>(load<i32>(dxT, TENSOR_W) * channels);
  for (let row = 0, at = dx; row < load<i32>(dxT, TENSOR_H); ++row, at += dxPitch)
    memory.fill(at, 0, rowBytes);

  const y1 = load<i32>(conv, CONV_Y1);
  const x1 = load<i32>(conv, CONV_X1);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const rows = Taps.vertical(conv, xT, oy);
    const top = oy * load<i32>(conv, CONV_STRIDE_H) - load<i32>(conv, CONV_PAD_TOP);
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      const columns = Taps.horizontal(conv, xT, ox);
      const left = ox * load<i32>(conv, CONV_STRIDE_W) - load<i32>(conv, CONV_PAD_LEFT);
      const from = e + <usize>(oy * load<i32>(eT, TENSOR_PITCH) + ox * channels);
      for (let c = 0; c < channels; ++c) {
        const error = <i32>load<i8>(from + <usize>c);
        if (!error) continue;
        const at = argMax(conv, xT, x, rows, columns, top, left, c);
        if (at < 0) continue;
        const to = dx + <usize>((at / pitch) * dxPitch + (at % pitch));
        const sum = <i32>load<i8>(to) + error;
        store<i8>(to, sum > 127 ? 127 : sum < -127 ? -127 : sum);
      }
    }
  }
}
