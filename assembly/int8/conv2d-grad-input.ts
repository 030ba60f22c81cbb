// Intrinsic 2: gradient of a convolution's input, INT8 errors × INT8 weights → INT32 (Octo §backward quantisation).
import { accumulate } from "./accumulate";
import * as check from "./check";
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
  SCRATCH_BYTES,
  SCRATCH_DATA,
  SCRATCH_SIZE,
  scratchNeed,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";
import { Taps } from "./taps";

const FN: i32 = 2;

/**
 * dx[input position] = Σ over the window's outputs of e·w. Scatters from the outputs, so that zero errors, which
 * are most of them after pooling and relu, cost one load.
 *
 * @param eT, e int8 [h', w', c'] errors of the output, in [−127, 127]
 * @param w int8 OHWI
 * @param dxT, dx int32 [h, w, c], 4-aligned; the whole tensor is overwritten (gaps of the row pitch excepted)
 *
 * At most kernelH·kernelW·c'/groups products of 127·127 meet in one element: checked against 132,104.
 */
export function conv2dGradInput(
  scratch: usize,
  conv: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void {
  checkArguments(scratch, conv, eT, e, w, dxT, dx);

  const inputChannels = load<i32>(dxT, TENSOR_C);
  const channels = load<i32>(eT, TENSOR_C);
  const groups = load<i32>(conv, CONV_GROUPS);
  const perGroup = inputChannels / groups;
  const channelsPerGroup = channels / groups;
  const dilationW = load<i32>(conv, CONV_DILATION_W);
  const kernelBytes = <usize>check.kernelSize(conv, dxT);
  const rowBytes = <usize>(load<i32>(conv, CONV_KERNEL_W) * perGroup);
  const dxPitch = load<i32>(dxT, TENSOR_PITCH);
  const dxRowStep = (<usize>(dxPitch * load<i32>(conv, CONV_DILATION_H))) << 2;
  const ePitch = load<i32>(eT, TENSOR_PITCH);
  const joined = dilationW == 1 && groups == 1;
  const tapStep = (<usize>(dilationW * inputChannels)) << 2;
  const x1 = load<i32>(conv, CONV_X1);
  const y1 = load<i32>(conv, CONV_Y1);

  const dxRow = (<usize>(load<i32>(dxT, TENSOR_W) * inputChannels)) << 2;
  for (let y = 0, at = dx; y < load<i32>(dxT, TENSOR_H); ++y, at += (<usize>dxPitch) << 2)
    memory.fill(at, 0, dxRow);

  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const rows = Taps.vertical(conv, dxT, oy);
    const ky0 = Taps.first(rows);
    const ky1 = Taps.end(rows);
    const top =
      oy * load<i32>(conv, CONV_STRIDE_H) -
      load<i32>(conv, CONV_PAD_TOP) +
      ky0 * load<i32>(conv, CONV_DILATION_H);
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      const columns = Taps.horizontal(conv, dxT, ox);
      const kx0 = Taps.first(columns);
      const taps = Taps.end(columns) - kx0;
      const left = ox * load<i32>(conv, CONV_STRIDE_W) - load<i32>(conv, CONV_PAD_LEFT) + kx0 * dilationW;
      const runs = joined ? 1 : taps;
      const run = <usize>(joined ? taps * inputChannels : perGroup);
      const patch = dx + ((<isize>(top * dxPitch + left * inputChannels)) << 2);
      const kernel = w + <usize>ky0 * rowBytes + <usize>(kx0 * perGroup);
      const errors = e + <usize>(oy * ePitch + ox * channels);
      for (let o = 0; o < channels; ++o) {
        const error = <i32>load<i8>(errors + <usize>o);
        if (!error) continue;
        let to = patch + ((<usize>((o / channelsPerGroup) * perGroup)) << 2);
        let from = kernel + <usize>o * kernelBytes;
        for (let ky = ky0; ky < ky1; ++ky) {
          for (let i = 0, toRun = to, fromRun = from; i < runs; ++i) {
            accumulate(toRun, fromRun, error, run);
            toRun += tapStep;
            fromRun += perGroup;
          }
          to += dxRowStep;
          from += rowBytes;
        }
      }
    }
  }
}

export function checkArguments(
  scratch: usize,
  conv: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void {
  check.start(FN);
  check.convStructs(scratch, conv, conv, eT, dxT);
  check.convShape(conv, dxT, eT);
  check.window(conv, eT);
  const channels = load<i32>(eT, TENSOR_C);
  const kernelBytes = check.kernelSize(conv, dxT);
  check.products(
    <i64>(load<i32>(conv, CONV_KERNEL_H) * load<i32>(conv, CONV_KERNEL_W)) *
      (channels / load<i32>(conv, CONV_GROUPS)),
    0,
  );
  check.scratchSize(scratch, scratchNeed(kernelBytes));
  const eBytes = check.tensorBytes(eT, 1);
  const wBytes = <u64>(kernelBytes * channels);
  const dxBytes = check.tensorBytes(dxT, 4);
  check.pointer(e, eBytes, 1);
  check.pointer(w, wBytes, 1);
  check.pointer(dx, dxBytes, 4);
  const scratchData = <usize>load<i32>(scratch, SCRATCH_DATA);
  const scratchBytes = <u64>load<i32>(scratch, SCRATCH_SIZE);
  check.output(dx, dxBytes);
  check.another(scratchData, scratchBytes);
  check.read(e, eBytes);
  check.read(w, wBytes);
  check.read(scratch, SCRATCH_BYTES);
  check.readShapes(conv, eT, dxT);
}
