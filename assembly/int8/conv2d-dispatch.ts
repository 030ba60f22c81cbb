// Which form of intrinsics 1–3 a call gets in `intrinsics.wasm`. A portable module carries only the forms that its layers name
// (intrinsics.ts, intrinsics-residual.ts).
import { limit } from "../device/limit";
import * as general from "./conv2d";
import { depthwiseConv2d, depthwiseConv2dGradInput, depthwiseConv2dGradWeight } from "./conv2d-depthwise";
import * as generalGradInput from "./conv2d-grad-input";
import * as generalGradWeight from "./conv2d-grad-weight";
import { CONV_BYTES, CONV_GROUPS, TENSOR_BYTES, TENSOR_C } from "./structs";

/** Whether every group has one input channel; of structs outside memory no, since nothing has been checked yet. */
function isDepthwise(conv: usize, input: usize): bool {
  if (<u64>conv + CONV_BYTES > <u64>limit || <u64>input + TENSOR_BYTES > <u64>limit) return false;
  const groups = load<i32>(conv, CONV_GROUPS);
  // one group is no reason: its output channels share a patch
  return groups > 1 && groups == load<i32>(input, TENSOR_C);
}

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
  if (isDepthwise(conv, xT)) depthwiseConv2d(scratch, conv, quant, xT, x, w, bias, yT, y);
  else general.conv2d(scratch, conv, quant, xT, x, w, bias, yT, y);
}

export function conv2dGradInput(
  scratch: usize,
  conv: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void {
  if (isDepthwise(conv, dxT)) depthwiseConv2dGradInput(scratch, conv, eT, e, w, dxT, dx);
  else generalGradInput.conv2dGradInput(scratch, conv, eT, e, w, dxT, dx);
}

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
  if (isDepthwise(conv, xT)) {
    depthwiseConv2dGradWeight(scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db);
  } else {
    generalGradWeight.conv2dGradWeight(scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db);
  }
}
