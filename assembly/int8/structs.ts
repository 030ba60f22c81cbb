// The structs that intrinsics take (docs/abi.md): offsets of their i32 fields, and their sizes in version 1.
// Whoever fills one writes the size first.

export const TENSOR_BYTES: i32 = 20;
export const TENSOR_H: usize = 4;
export const TENSOR_W: usize = 8;
export const TENSOR_C: usize = 12;
export const TENSOR_PITCH: usize = 16;

export const CONV_BYTES: i32 = 64;
export const CONV_KERNEL_H: usize = 4;
export const CONV_KERNEL_W: usize = 8;
export const CONV_STRIDE_H: usize = 12;
export const CONV_STRIDE_W: usize = 16;
export const CONV_DILATION_H: usize = 20;
export const CONV_DILATION_W: usize = 24;
export const CONV_PAD_TOP: usize = 28;
export const CONV_PAD_LEFT: usize = 32;
export const CONV_PAD_BOTTOM: usize = 36;
export const CONV_PAD_RIGHT: usize = 40;
export const CONV_GROUPS: usize = 44;
export const CONV_Y0: usize = 48;
export const CONV_Y1: usize = 52;
export const CONV_X0: usize = 56;
export const CONV_X1: usize = 60;

export const QUANT_BYTES: i32 = 40;
export const QUANT_INPUT_ZERO: usize = 4;
export const QUANT_OUTPUT_ZERO: usize = 8;
export const QUANT_LO: usize = 12;
export const QUANT_HI: usize = 16;
export const QUANT_MULTIPLIER: usize = 20;
export const QUANT_SHIFT: usize = 24;
export const QUANT_CHANNELS: usize = 28;
export const QUANT_ROUNDING: usize = 32;
export const QUANT_KEY: usize = 36;

export const SCRATCH_BYTES: i32 = 12;
export const SCRATCH_DATA: usize = 4;
export const SCRATCH_SIZE: usize = 8;

/**
 * Bytes of scratch that intrinsics 1–3 ask for with n = kernelH·kernelW·c/groups weights per output channel: 8·n for packed
 * patches, 3·n for what they are made of, and the int32 sums of three outputs of four channels.
 */
export function scratchNeed(n: i64): i64 {
  return 11 * n + 48;
}

/** Elements of a [h, w, c] tensor. */
export function elements(t: usize): i32 {
  return load<i32>(t, TENSOR_H) * load<i32>(t, TENSOR_W) * load<i32>(t, TENSOR_C);
}

/** Fills a tensor struct for a [h, w, c] array without gaps; returns it. */
export function tensorOf(t: usize, h: i32, w: i32, c: i32): usize {
  store<i32>(t, TENSOR_BYTES);
  store<i32>(t, h, TENSOR_H);
  store<i32>(t, w, TENSOR_W);
  store<i32>(t, c, TENSOR_C);
  store<i32>(t, w * c, TENSOR_PITCH);
  return t;
}
