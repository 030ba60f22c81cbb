// The intrinsics that residual nets need, as intrinsics.ts has the others: depthwise convolution, pooling by mean, sums of
// tensors and of errors, rescaling. Depthwise convolutions are intrinsics 1–3; a portable module that asks for them here has
// their own forms, and one that does not has nothing of these.
import * as sum from "./add";
import * as pool from "./average-pool2d";
import * as depthwise from "./conv2d-depthwise";
import * as int8 from "./intrinsics";
import * as scaler from "./rescale";

@external("octo_int8_1", "averagePool2d")
declare function nativeAveragePool2d(
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  yT: usize,
  y: usize,
): void;

@external("octo_int8_1", "averagePool2dGrad")
declare function nativeAveragePool2dGrad(conv: usize, eT: usize, e: usize, dxT: usize, dx: usize): void;

@external("octo_int8_1", "add")
declare function nativeAdd(
  quantA: usize,
  a: usize,
  quantB: usize,
  b: usize,
  n: i32,
  first: i32,
  y: usize,
): void;

@external("octo_int8_1", "addGrad")
declare function nativeAddGrad(quant: usize, e: usize, n: i32, first: i32, y: usize): void;

@external("octo_int8_1", "rescale")
declare function nativeRescale(quant: usize, xT: usize, x: usize, yT: usize, y: usize, c0: i32): void;

@inline
export function averagePool2d(conv: usize, quant: usize, xT: usize, x: usize, yT: usize, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeAveragePool2d(conv, quant, xT, x, yT, y);
  else pool.averagePool2d(conv, quant, xT, x, yT, y);
}

@inline
export function averagePool2dGrad(conv: usize, eT: usize, e: usize, dxT: usize, dx: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeAveragePool2dGrad(conv, eT, e, dxT, dx);
  else pool.averagePool2dGrad(conv, eT, e, dxT, dx);
}

@inline
export function add(quantA: usize, a: usize, quantB: usize, b: usize, n: i32, first: i32, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeAdd(quantA, a, quantB, b, n, first, y);
  else sum.add(quantA, a, quantB, b, n, first, y);
}

@inline
export function addGrad(quant: usize, e: usize, n: i32, first: i32, y: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeAddGrad(quant, e, n, first, y);
  else sum.addGrad(quant, e, n, first, y);
}

@inline
export function rescale(quant: usize, xT: usize, x: usize, yT: usize, y: usize, c0: i32): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeRescale(quant, xT, x, yT, y, c0);
  else scaler.rescale(quant, xT, x, yT, y, c0);
}

@inline
export function depthwiseConv2d(
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
  if (isDefined(OCTOMOTE_DEVICE)) int8.conv2d(scratch, conv, quant, xT, x, w, bias, yT, y);
  else depthwise.depthwiseConv2d(scratch, conv, quant, xT, x, w, bias, yT, y);
}

@inline
export function depthwiseConv2dGradInput(
  scratch: usize,
  conv: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void {
  if (isDefined(OCTOMOTE_DEVICE)) int8.conv2dGradInput(scratch, conv, eT, e, w, dxT, dx);
  else depthwise.depthwiseConv2dGradInput(scratch, conv, eT, e, w, dxT, dx);
}

@inline
export function depthwiseConv2dGradWeight(
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
  if (isDefined(OCTOMOTE_DEVICE)) int8.conv2dGradWeight(scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db);
  else depthwise.depthwiseConv2dGradWeight(scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db);
}
