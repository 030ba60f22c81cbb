// The intrinsics as everything above sees them. A `device` module imports them from the firmware; a `portable` one
// carries the AssemblyScript twins. Numbers, arguments and errors: docs/abi.md.
import * as absMax from "./abs-max";
import * as conv from "./conv2d";
import * as convGradInput from "./conv2d-grad-input";
import * as learning from "./conv2d-learn";
import * as convGradWeight from "./conv2d-grad-weight";
import * as masters from "./masters";
import * as pool from "./max-pool2d";
import * as rectifier from "./relu";
import * as requantizer from "./requantize";
import * as requantizer32 from "./requantize32";
import * as sgd from "./sgd-update";
import * as loss from "./softmax-cross-entropy";

@external("octo_int8_1", "conv2d")
declare function nativeConv2d(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  w: usize,
  bias: usize,
  yT: usize,
  y: usize,
): void;

@external("octo_int8_1", "conv2dGradInput")
declare function nativeConv2dGradInput(
  scratch: usize,
  conv: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void;

@external("octo_int8_1", "conv2dGradWeight")
declare function nativeConv2dGradWeight(
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
): void;

@external("octo_int8_1", "absMaxS8")
declare function nativeAbsMaxS8(x: usize, n: i32): i32;

@external("octo_int8_1", "absMaxS32")
declare function nativeAbsMaxS32(x: usize, n: i32): i32;

@external("octo_int8_1", "requantize")
declare function nativeRequantize(quant: usize, x: usize, n: i32, first: i32, y: usize): void;

@external("octo_int8_1", "sgdUpdate")
declare function nativeSgdUpdate(quant: usize, dw: usize, n: i32, first: i32, w16: usize, w8: usize): i32;

@external("octo_int8_1", "maxPool2d")
declare function nativeMaxPool2d(conv: usize, xT: usize, x: usize, yT: usize, y: usize): void;

@external("octo_int8_1", "maxPool2dGrad")
declare function nativeMaxPool2dGrad(
  conv: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  dxT: usize,
  dx: usize,
): void;

@external("octo_int8_1", "relu")
declare function nativeRelu(x: usize, n: i32, zero: i32, y: usize): void;

@external("octo_int8_1", "reluGrad")
declare function nativeReluGrad(y: usize, n: i32, zero: i32, e: usize): void;

@external("octo_int8_1", "requantize32")
declare function nativeRequantize32(quant: usize, x: usize, n: i32, first: i32, y: usize): void;

@external("octo_int8_1", "sgdUpdate32")
declare function nativeSgdUpdate32(quant: usize, x: usize, n: i32, first: i32, y: usize): void;

@external("octo_int8_1", "conv2dLearn")
declare function nativeConv2dLearn(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  workspace: usize,
  elements: i32,
  weightQuant: usize,
  w16: usize,
  w8: usize,
  biasQuant: usize,
  bias: usize,
): i32;

@external("octo_int8_1", "drawMasters")
declare function nativeDrawMasters(key: u32, bound: i32, shift: i32, n: i32, w16: usize): void;

@external("octo_int8_1", "weightsOf")
declare function nativeWeightsOf(w16: usize, n: i32, halve: i32, w8: usize): void;

@external("octo_int8_1", "softmaxCrossEntropy")
declare function nativeSoftmaxCrossEntropy(
  quant: usize,
  logits: usize,
  n: i32,
  label: i32,
  errors: usize,
): i32;

@inline
export function conv2d(
  scratch: usize,
  params: usize,
  quant: usize,
  xT: usize,
  x: usize,
  w: usize,
  bias: usize,
  yT: usize,
  y: usize,
): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeConv2d(scratch, params, quant, xT, x, w, bias, yT, y);
  else conv.conv2d(scratch, params, quant, xT, x, w, bias, yT, y);
}

@inline
export function conv2dGradInput(
  scratch: usize,
  params: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeConv2dGradInput(scratch, params, eT, e, w, dxT, dx);
  else convGradInput.conv2dGradInput(scratch, params, eT, e, w, dxT, dx);
}

@inline
export function conv2dGradWeight(
  scratch: usize,
  params: usize,
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
  if (isDefined(OCTOMOTE_DEVICE))
    nativeConv2dGradWeight(scratch, params, quant, xT, x, eT, e, c0, c1, dw, db);
  else convGradWeight.conv2dGradWeight(scratch, params, quant, xT, x, eT, e, c0, c1, dw, db);
}

@inline
export function absMaxS8(x: usize, n: i32): i32 {
  return isDefined(OCTOMOTE_DEVICE) ? nativeAbsMaxS8(x, n) : absMax.absMaxS8(x, n);
}

@inline
export function absMaxS32(x: usize, n: i32): i32 {
  return isDefined(OCTOMOTE_DEVICE) ? nativeAbsMaxS32(x, n) : absMax.absMaxS32(x, n);
}

@inline
export function requantize(quant: usize, x: usize, n: i32, first: i32, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeRequantize(quant, x, n, first, y);
  else requantizer.requantize(quant, x, n, first, y);
}

@inline
export function sgdUpdate(quant: usize, dw: usize, n: i32, first: i32, w16: usize, w8: usize): i32 {
  return isDefined(OCTOMOTE_DEVICE)
    ? nativeSgdUpdate(quant, dw, n, first, w16, w8)
    : sgd.sgdUpdate(quant, dw, n, first, w16, w8);
}

@inline
export function maxPool2d(params: usize, xT: usize, x: usize, yT: usize, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeMaxPool2d(params, xT, x, yT, y);
  else pool.maxPool2d(params, xT, x, yT, y);
}

@inline
export function maxPool2dGrad(
  params: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  dxT: usize,
  dx: usize,
): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeMaxPool2dGrad(params, xT, x, eT, e, dxT, dx);
  else pool.maxPool2dGrad(params, xT, x, eT, e, dxT, dx);
}

@inline
export function relu(x: usize, n: i32, zero: i32, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeRelu(x, n, zero, y);
  else rectifier.relu(x, n, zero, y);
}

@inline
export function reluGrad(y: usize, n: i32, zero: i32, e: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeReluGrad(y, n, zero, e);
  else rectifier.reluGrad(y, n, zero, e);
}

@inline
export function requantize32(quant: usize, x: usize, n: i32, first: i32, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeRequantize32(quant, x, n, first, y);
  else requantizer32.requantize32(quant, x, n, first, y);
}

@inline
export function sgdUpdate32(quant: usize, x: usize, n: i32, first: i32, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeSgdUpdate32(quant, x, n, first, y);
  else requantizer32.sgdUpdate32(quant, x, n, first, y);
}

@inline
export function conv2dLearn(
  scratch: usize,
  params: usize,
  quant: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  workspace: usize,
  elements: i32,
  weightQuant: usize,
  w16: usize,
  w8: usize,
  biasQuant: usize,
  bias: usize,
): i32 {
  return isDefined(OCTOMOTE_DEVICE)
    ? nativeConv2dLearn(
        scratch,
        params,
        quant,
        xT,
        x,
        eT,
        e,
        workspace,
        elements,
        weightQuant,
        w16,
        w8,
        biasQuant,
        bias,
      )
    : learning.conv2dLearn(
        scratch,
        params,
        quant,
        xT,
        x,
        eT,
        e,
        workspace,
        elements,
        weightQuant,
        w16,
        w8,
        biasQuant,
        bias,
      );
}

@inline
export function drawMasters(key: u32, bound: i32, shift: i32, n: i32, w16: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeDrawMasters(key, bound, shift, n, w16);
  else masters.drawMasters(key, bound, shift, n, w16);
}

@inline
export function weightsOf(w16: usize, n: i32, halve: i32, w8: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeWeightsOf(w16, n, halve, w8);
  else masters.weightsOf(w16, n, halve, w8);
}

@inline
export function softmaxCrossEntropy(quant: usize, logits: usize, n: i32, label: i32, errors: usize): i32 {
  return isDefined(OCTOMOTE_DEVICE)
    ? nativeSoftmaxCrossEntropy(quant, logits, n, label, errors)
    : loss.softmaxCrossEntropy(quant, logits, n, label, errors);
}
