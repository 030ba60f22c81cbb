// What stands between two matrix products: biases, rectifier, 2×2 pooling. f32, NHWC, host only.

/** y[rows × n] += bias[n], then max(y, 0) if asked. n is a multiple of 4. */
export function addBias(rows: i32, n: i32, bias: usize, y: usize, rectify: bool): void {
  const zero = f32x4.splat(0);
  const bytes = (<usize>n) << 2;
  for (let row = 0; row < rows; row++) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const value = f32x4.add(v128.load(y), v128.load(bias + i));
      v128.store(y, rectify ? f32x4.max(value, zero) : value);
      y += 16;
    }
  }
}

/** out[n] = Σ over rows of e[rows × n]. */
export function sumRows(rows: i32, n: i32, e: usize, out: usize): void {
  const bytes = (<usize>n) << 2;
  memory.fill(out, 0, bytes);
  for (let row = 0; row < rows; row++) {
    for (let i: usize = 0; i < bytes; i += 16) {
      v128.store(out + i, f32x4.add(v128.load(out + i), v128.load(e)));
      e += 16;
    }
  }
}

/** e = 0 where y ≤ 0; elements is a multiple of 4. */
export function rectifyGrad(elements: i32, y: usize, e: usize): void {
  const zero = f32x4.splat(0);
  const end = y + ((<usize>elements) << 2);
  for (; y < end; y += 16, e += 16) {
    v128.store(e, v128.and(v128.load(e), f32x4.gt(v128.load(y), zero)));
  }
}

/** Maximum of each 2×2 window: x[count, h, w, c] → y[count, h/2, w/2, c]; c a multiple of 4, an odd edge is cut off. */
export function maxPool(count: i32, h: i32, w: i32, c: i32, x: usize, y: usize): void {
  const bytes = (<usize>c) << 2;
  const row = <usize>w * bytes;
  for (let i = 0; i < count; i++) {
    for (let oy = 0; oy < h >> 1; oy++) {
      let from = x + <usize>(i * h + 2 * oy) * row;
      for (let ox = 0; ox < w >> 1; ox++) {
        for (let k: usize = 0; k < bytes; k += 16) {
          const at = from + k;
          const upper = f32x4.max(v128.load(at), v128.load(at + bytes));
          const lower = f32x4.max(v128.load(at + row), v128.load(at + row + bytes));
          v128.store(y, f32x4.max(upper, lower));
          y += 16;
        }
        from += bytes << 1;
      }
    }
  }
}

/** The error of each maximum goes to the first element that has it; the whole of dx is overwritten. */
export function maxPoolGrad(
  count: i32,
  h: i32,
  w: i32,
  c: i32,
  x: usize,
  y: usize,
  e: usize,
  dx: usize,
): void {
  const bytes = (<usize>c) << 2;
  const row = <usize>w * bytes;
  memory.fill(dx, 0, <usize>(count * h) * row);
  for (let i = 0; i < count; i++) {
    for (let oy = 0; oy < h >> 1; oy++) {
      let from = <usize>(i * h + 2 * oy) * row;
      for (let ox = 0; ox < w >> 1; ox++) {
        for (let k: usize = 0; k < bytes; k += 4) {
          const most = load<f32>(y);
          let at = from + k;
          if (load<f32>(x + at) != most) {
            if (load<f32>(x + at + bytes) == most) at += bytes;
            else if (load<f32>(x + at + row) == most) at += row;
            else at += row + bytes;
          }
          store<f32>(dx + at, load<f32>(e));
          y += 4;
          e += 4;
        }
        from += bytes << 1;
      }
    }
  }
}
