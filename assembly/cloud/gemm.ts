// Matrix product in f32 for the half of a split model that runs in the cloud. Host only: no module of a device has it. SIMD without
// fused multiply-add, so that every machine rounds alike and a resumed training gives the same weights.

/** Depth that is worked on at a time: 4 rows of A and 8 columns of B then stay in the first cache. */
const DEPTH: i32 = 256;

/**
 * C[m × n] = A[m × k] · B[k × n], or C += … with `accumulate`. A is addressed by two strides in bytes, so that it may be a
 * transposed view; rows of B and C are contiguous. n is a multiple of 4; all pointers are 16-byte aligned, and so are
 * rows of B and C.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: usize,
  aDepth: usize,
  b: usize,
  c: usize,
  accumulate: bool,
): void {
  const pitch = (<usize>n) << 2;
  for (let from = 0; from < k; from += DEPTH) {
    const depth = min(k - from, DEPTH);
    const a0 = a + <usize>from * aDepth;
    const b0 = b + <usize>from * pitch;
    const add = accumulate || from > 0;
    let row = 0;
    for (; row + 4 <= m; row += 4) {
      const at = a0 + <usize>row * aRow;
      const to = c + <usize>row * pitch;
      let column: usize = 0;
      for (; column + 32 <= pitch; column += 32)
        block4x8(depth, at, aRow, aDepth, b0 + column, to + column, pitch, add);
      if (column < pitch)
        for (let r: usize = 0; r < 4; r++)
          block1x4(depth, at + r * aRow, aDepth, b0 + column, to + r * pitch + column, pitch, add);
    }
    for (; row < m; row++) {
      const at = a0 + <usize>row * aRow;
      const to = c + <usize>row * pitch;
      for (let column: usize = 0; column < pitch; column += 16)
        block1x4(depth, at, aDepth, b0 + column, to + column, pitch, add);
    }
  }
}

/** Four rows, eight columns: eight accumulators stay in registers. */
function block4x8(
  depth: i32,
  a: usize,
  aRow: usize,
  aDepth: usize,
  b: usize,
  c: usize,
  pitch: usize,
  add: bool,
): void {
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  let s30 = s00;
  let s31 = s00;
  const row1 = aRow;
  const row2 = aRow << 1;
  const row3 = row1 + row2;
  for (let i = 0; i < depth; i++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load_splat<f32>(a);
    s00 = f32x4.add(s00, f32x4.mul(x, b0));
    s01 = f32x4.add(s01, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a + row1);
    s10 = f32x4.add(s10, f32x4.mul(x, b0));
    s11 = f32x4.add(s11, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a + row2);
    s20 = f32x4.add(s20, f32x4.mul(x, b0));
    s21 = f32x4.add(s21, f32x4.mul(x, b1));
    x = v128.load_splat<f32>(a + row3);
    s30 = f32x4.add(s30, f32x4.mul(x, b0));
    s31 = f32x4.add(s31, f32x4.mul(x, b1));
    a += aDepth;
    b += pitch;
  }
  put(c, s00, s01, add);
  put(c + pitch, s10, s11, add);
  put(c + (pitch << 1), s20, s21, add);
  put(c + pitch * 3, s30, s31, add);
}

// @ts-ignore: decorator
@inline
function put(c: usize, low: v128, high: v128, add: bool): void {
  v128.store(c, add ? f32x4.add(v128.load(c), low) : low);
  v128.store(c, add ? f32x4.add(v128.load(c, 16), high) : high, 16);
}

function block1x4(depth: i32, a: usize, aDepth: usize, b: usize, c: usize, pitch: usize, add: bool): void {
  let sum = add ? v128.load(c) : f32x4.splat(0);
  for (let i = 0; i < depth; i++) {
    sum = f32x4.add(sum, f32x4.mul(v128.load_splat<f32>(a), v128.load(b)));
    a += aDepth;
    b += pitch;
  }
  v128.store(c, sum);
}

/** y[columns × rows] = xᵀ of x[rows × columns]. */
export function transpose(rows: i32, columns: i32, x: usize, y: usize): void {
  for (let r = 0; r < rows; r++) {
    let to = y + ((<usize>r) << 2);
    for (let i = 0; i < columns; i++) {
      store<f32>(to, load<f32>(x));
      x += 4;
      to += (<usize>rows) << 2;
    }
  }
}
