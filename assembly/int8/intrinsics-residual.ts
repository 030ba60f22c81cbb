// The intrinsics that residual nets need, as intrinsics.ts has the others: pooling by mean, sums of tensors and of errors,
// rescaling.
import * as sum from "./add";
import * as pool from "./average-pool2d";
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
