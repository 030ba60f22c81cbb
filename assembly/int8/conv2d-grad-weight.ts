// Intrinsic 3: gradient of a convolution's weights and biases, INT8 inputs × INT8 errors → INT32.
import { accumulate } from "./accumulate";
import * as check from "./check";
import { gather } from "./conv2d";
import {
  CONV_GROUPS,
  CONV_X0,
  CONV_X1,
  CONV_Y0,
  CONV_Y1,
  QUANT_BYTES,
  QUANT_INPUT_ZERO,
  SCRATCH_BYTES,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  scratchNeed,
  TENSOR_C,
  TENSOR_PITCH,
} from "./structs";
import { Taps } from "./taps";

const FN: i32 = 3;

/**
 * acc[k] += e·x[k] for n bytes at x, where e and acc hold two channels in lanes of 32 bits, low + high·2^32.
 * |Σ e·x| ≤ 132,104·127·128 < 2^31: a lane never spills. What a negative low one borrows, split gives back.
 */
function addLanes(acc: usize, x: usize, e: i64, n: usize): void {
  const end = x + n;
  for (const fours = x + (n & ~3); x < fours; x += 4, acc += 32) {
    store<i64>(acc, e * <i64>load<i8>(x) + load<i64>(acc));
    store<i64>(acc, e * <i64>load<i8>(x, 1) + load<i64>(acc, 8), 8);
    store<i64>(acc, e * <i64>load<i8>(x, 2) + load<i64>(acc, 16), 16);
    store<i64>(acc, e * <i64>load<i8>(x, 3) + load<i64>(acc, 24), 24);
  }
  for (; x < end; ++x, acc += 8) store<i64>(acc, e * <i64>load<i8>(x) + load<i64>(acc));
}

/** The upper lane. */
// @ts-ignore: decorator
@inline
function high(lanes: i64): i32 {
  return <i32>((lanes - <i64>(<i32>lanes)) >> 32);
}

/** Takes n lanes of two channels apart: n int32 of the one, then n of the other. */
function split(acc: usize, n: usize, spare: usize): void {
  let low = acc;
  let to = spare;
  for (const end = acc + (n << 2); low < end; low += 4, to += 4) {
    const lanes = load<i64>(acc);
    store<i32>(low, <i32>lanes);
    store<i32>(to, high(lanes));
    acc += 8;
  }
  memory.copy(low, spare, n << 2);
}

/**
 * dw[o] = Σ over the window of e[o]·(x − inputZero), db[o] = Σ e[o], for output channels c0 … c1−1 only, so that a caller
 * can work through a large layer with a small buffer. Two channels go together; where both errors are 0, as below a
 * max pool most are, that costs two loads.
 *
 * @param quant only inputZero is read
 * @param xT, x int8 [h, w, c], the input of the forward pass
 * @param eT, e int8 [h', w', c'] errors of the output, in [−127, 127]
 * @param dw int32 [(c1 − c0), kernelH, kernelW, c/groups], overwritten
 * @param db int32 [c1 − c0], overwritten, or 0
 *
 * At most (window area) products meet in one element: 127·(128 + |zero|) each, below 2^31 by a check.
 */
export function conv2dGradWeight(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  c0: i32,
  c1: i32,
  dw: usize,
  db: usize,
): void {
  checkArguments(scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db);

  const channels = load<i32>(eT, TENSOR_C);
  const channelsPerGroup = channels / load<i32>(conv, CONV_GROUPS);
  const n = <usize>check.kernelSize(conv, xT);
  const channelBytes = n << 2;
  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  const patch = <usize>load<i32>(scratch, SCRATCH_DATA);
  const ePitch = load<i32>(eT, TENSOR_PITCH);
  const x0 = load<i32>(conv, CONV_X0);
  const x1 = load<i32>(conv, CONV_X1);

  memory.fill(dw, 0, <usize>(c1 - c0) * channelBytes);
  if (db) memory.fill(db, 0, (<usize>(c1 - c0)) << 2);

  const y0 = load<i32>(conv, CONV_Y0);
  const y1 = load<i32>(conv, CONV_Y1);
  // lanes are for the common case, and for more than one position
  const paired = !zero && channelsPerGroup == channels && (y1 - y0) * (x1 - x0) > 1;
  for (let oy = y0; oy < y1; ++oy) {
    const rows = Taps.vertical(conv, xT, oy);
    for (let ox = x0; ox < x1; ++ox) {
      const errors = e + <usize>(oy * ePitch + ox * channels);
      let gathered = -1;
      for (let o = c0, made = 1; o < c1; o += made) {
        made = paired && o + 1 < c1 ? 2 : 1;
        const group = o / channelsPerGroup;
        let lanes = <i64>load<i8>(errors + <usize>o);
        if (made == 2) lanes += (<i64>load<i8>(errors + <usize>o, 1)) << 32;
        if (!lanes) continue;
        if (group != gathered) gather(conv, xT, x, zero, rows, oy, ox, group, n, patch);
        gathered = group;
        const at = db + ((<usize>(o - c0)) << 2);
        if (db) store<i32>(at, load<i32>(at) + <i32>lanes);
        const acc = dw + <usize>(o - c0) * channelBytes;
        if (made == 2) {
          if (db) store<i32>(at, load<i32>(at, 4) + high(lanes), 4);
          addLanes(acc, patch, lanes, n);
        } else {
          accumulate(acc, patch, <i32>lanes, n);
          if (zero) subtract(acc, zero * <i32>lanes, n);
        }
      }
    }
  }
  if (!paired) return;
  for (let o = c0; o + 1 < c1; o += 2) split(dw + <usize>(o - c0) * channelBytes, n, patch);
}

/** acc[i] −= value: the zero point's share. */
function subtract(acc: usize, value: i32, n: usize): void {
  for (const end = acc + (n << 2); acc < end; acc += 4) store<i32>(acc, load<i32>(acc) - value);
}

export function checkArguments(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  c0: i32,
  c1: i32,
  dw: usize,
  db: usize,
): void {
  check.start(FN);
  check.convStructs(scratch, conv, quant, xT, eT);
  check.convShape(conv, xT, eT);
  check.window(conv, eT);
  check.range(c0, c1, load<i32>(eT, TENSOR_C));
  check.zeroPoints(quant);
  check.products(
    <i64>(load<i32>(conv, CONV_Y1) - load<i32>(conv, CONV_Y0)) *
      <i64>(load<i32>(conv, CONV_X1) - load<i32>(conv, CONV_X0)),
    load<i32>(quant, QUANT_INPUT_ZERO),
  );
  const kernelSize = check.kernelSize(conv, xT);
  check.scratchSize(scratch, scratchNeed(kernelSize));
  const xBytes = check.tensorBytes(xT, 1);
  const eBytes = check.tensorBytes(eT, 1);
  const dwBytes = (<u64>(kernelSize * (c1 - c0))) << 2;
  const dbBytes = db ? (<u64>(c1 - c0)) << 2 : 0;
  check.pointer(x, xBytes, 1);
  check.pointer(e, eBytes, 1);
  check.pointer(dw, dwBytes, 4);
  check.pointer(db, dbBytes, 4);
  const scratchData = <usize>load<i32>(scratch, SCRATCH_DATA);
  const scratchBytes = <u64>load<i32>(scratch, SCRATCH_SIZE);
  check.output(dw, dwBytes);
  check.another(db, dbBytes);
  check.another(scratchData, scratchBytes);
  check.read(x, xBytes);
  check.read(e, eBytes);
  check.read(scratch, SCRATCH_BYTES);
  check.readShapes(conv, xT, eT);
  check.read(quant, QUANT_BYTES); // only its zero point is used, so it may have no tables
}
