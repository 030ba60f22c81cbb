// Intrinsic 3: gradient of a convolution's weights and biases, INT8 inputs × INT8 errors → INT32.
import { accumulate } from "./accumulate";
import * as check from "./check";
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
  QUANT_INPUT_ZERO,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  scratchNeed,
  TENSOR_C,
  TENSOR_PITCH,
} from "./structs";
import { Taps } from "./taps";

const FN: i32 = 3;

/**
 * dw[o] = Σ over the window of e[o]·(x − inputZero), db[o] = Σ e[o], for output channels c0 … c1−1 only, so that a caller
 * can work through a large layer with a small buffer.
 *
 * @param quant only inputZero is read
 * @param xT, x int8 [h, w, c], the input of the forward pass
 * @param eT, e int8 [h', w', c'] errors of the output
 * @param dw int32 [(c1 − c0), kernelH, kernelW, c/groups], overwritten
 * @param db int32 [c1 − c0], overwritten, or 0
 *
 * At most (window area) products meet in one element: checked against 132,104 (127·128 each at zero point 0).
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

  const inputChannels = load<i32>(xT, TENSOR_C);
  const channels = load<i32>(eT, TENSOR_C);
  const groups = load<i32>(conv, CONV_GROUPS);
  const perGroup = inputChannels / groups;
  const channelsPerGroup = channels / groups;
  const dilationW = load<i32>(conv, CONV_DILATION_W);
  const kernelSize = <usize>check.kernelSize(conv, xT);
  const rowStep = (<usize>(load<i32>(conv, CONV_KERNEL_W) * perGroup)) << 2;
  const xPitch = load<i32>(xT, TENSOR_PITCH);
  const xRowStep = <usize>(xPitch * load<i32>(conv, CONV_DILATION_H));
  const ePitch = load<i32>(eT, TENSOR_PITCH);
  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  const joined = dilationW == 1 && groups == 1;
  const tapBytes = <usize>(dilationW * inputChannels);
  const x1 = load<i32>(conv, CONV_X1);
  const y1 = load<i32>(conv, CONV_Y1);

  memory.fill(dw, 0, (<usize>(c1 - c0) * kernelSize) << 2);
  if (db) memory.fill(db, 0, (<usize>(c1 - c0)) << 2);

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
      const run = <usize>(joined ? taps * inputChannels : perGroup);
      const patch = x + <isize>(top * xPitch + left * inputChannels);
      const kernel = dw + <usize>ky0 * rowStep + ((<usize>(kx0 * perGroup)) << 2);
      const errors = e + <usize>(oy * ePitch + ox * channels);
      for (let o = c0; o < c1; ++o) {
        const error = <i32>load<i8>(errors + <usize>o);
        if (!error) continue;
        if (db) {
          const at = db + ((<usize>(o - c0)) << 2);
          store<i32>(at, load<i32>(at) + error);
        }
        let from = patch + <usize>((o / channelsPerGroup) * perGroup);
        let to = kernel + ((<usize>(o - c0) * kernelSize) << 2);
        for (let ky = ky0; ky < ky1; ++ky) {
          for (let i = 0, fromRun = from, toRun = to; i < runs; ++i) {
            accumulate(toRun, fromRun, error, run);
            if (zero) subtract(toRun, error * zero, run);
            fromRun += tapBytes;
            toRun += (<usize>perGroup) << 2;
          }
          from += xRowStep;
          to += rowStep;
        }
      }
    }
  }
}

/** acc[i] −= value: the zero point's share of one run. */
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
  check.scratchStruct(FN, scratch);
  check.convStruct(FN, conv);
  check.quantStruct(FN, quant);
  check.tensorStruct(FN, xT);
  check.tensorStruct(FN, eT);
  check.tensorShape(FN, xT);
  check.tensorShape(FN, eT);
  check.convShape(FN, conv, xT, eT);
  check.window(FN, conv, eT);
  check.range(FN, c0, c1, load<i32>(eT, TENSOR_C));
  check.products(
    FN,
    <i64>(load<i32>(conv, CONV_Y1) - load<i32>(conv, CONV_Y0)) *
      <i64>(load<i32>(conv, CONV_X1) - load<i32>(conv, CONV_X0)),
  );
  check.zeroPoints(FN, quant);
  const kernelSize = check.kernelSize(conv, xT);
  check.scratchSize(FN, scratch, scratchNeed(kernelSize));
  const xBytes = check.tensorBytes(xT, 1);
  const eBytes = check.tensorBytes(eT, 1);
  const dwBytes = (<u64>(kernelSize * (c1 - c0))) << 2;
  const dbBytes = db ? (<u64>(c1 - c0)) << 2 : 0;
  check.pointer(FN, x, xBytes, 1);
  check.pointer(FN, e, eBytes, 1);
  check.pointer(FN, dw, dwBytes, 4);
  check.pointer(FN, db, dbBytes, 4);
  const scratchData = <usize>load<i32>(scratch, SCRATCH_DATA);
  const scratchBytes = <u64>load<i32>(scratch, SCRATCH_SIZE);
  check.apart(FN, dw, dwBytes, x, xBytes);
  check.apart(FN, dw, dwBytes, e, eBytes);
  check.apart(FN, dw, dwBytes, db, dbBytes);
  check.apart(FN, dw, dwBytes, scratchData, scratchBytes);
  check.apart(FN, db, dbBytes, x, xBytes);
  check.apart(FN, db, dbBytes, e, eBytes);
  check.apart(FN, db, dbBytes, scratchData, scratchBytes);
  check.apart(FN, scratchData, scratchBytes, x, xBytes);
  check.apart(FN, scratchData, scratchBytes, e, eBytes);
}
