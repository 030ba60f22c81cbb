// The structs that intrinsics of PASS take besides those of assembly/int8: offsets of their i32 fields, and their sizes in
// version 1.

/** A part of a tensor: rows y0 … y1 − 1, columns x0 … x1 − 1. */
export const WINDOW_BYTES: i32 = 20;
export const WINDOW_Y0: usize = 4;
export const WINDOW_Y1: usize = 8;
export const WINDOW_X0: usize = 12;
export const WINDOW_X1: usize = 16;

/** Where changes go: to the positions of the next tensor that see them. */
export const SPREAD_BYTES: i32 = 28;
/** Pointers: convolution struct, tensor struct, u8 [h, w] pending changes, bitmap. */
export const SPREAD_CONV: usize = 4;
export const SPREAD_TENSOR: usize = 8;
export const SPREAD_PENDING: usize = 12;
export const SPREAD_TODO: usize = 16;
/** Changes are counted in units of 2^shift; more than `limit` of them set the bit. */
export const SPREAD_SHIFT: usize = 20;
export const SPREAD_LIMIT: usize = 24;
