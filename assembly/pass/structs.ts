// The struct that intrinsic 97 takes besides those of assembly/int8: offsets of its i32 fields, and its size in version 1.

export const WINDOW_BYTES: i32 = 20;
export const WINDOW_Y0: usize = 4;
export const WINDOW_Y1: usize = 8;
export const WINDOW_X0: usize = 12;
export const WINDOW_X1: usize = 16;
