// Convolutions as matrix products (im2col): the patches under a window become rows of a matrix, and back. f32, NHWC, host only.

/** x[count, h, w, c] → y[count · oh · ow, kernel · kernel · c]; the window hangs over the edge by `padding`, onto zeros. */
export function gather(
  count: i32,
  h: i32,
  w: i32,
  c: i32,
  kernel: i32,
  stride: i32,
  padding: i32,
  oh: i32,
  ow: i32,
  x: usize,
  y: usize,
): void {
  const bytes = (<usize>c) << 2;
  for (let i = 0; i < count; i++) {
    for (let oy = 0; oy < oh; oy++) {
      for (let ox = 0; ox < ow; ox++) {
        for (let ky = 0; ky < kernel; ky++) {
          const iy = oy * stride + ky - padding;
          for (let kx = 0; kx < kernel; kx++) {
            const ix = ox * stride + kx - padding;
            if (<u32>iy < <u32>h && <u32>ix < <u32>w) {
              copy(y, x + <usize>((i * h + iy) * w + ix) * bytes, bytes);
            } else memory.fill(y, 0, bytes);
            y += bytes;
          }
        }
      }
    }
  }
}

/** The transpose of `gather`: x, all of it overwritten, gets the sums of what the rows of y hold. */
export function scatter(
  count: i32,
  h: i32,
  w: i32,
  c: i32,
  kernel: i32,
  stride: i32,
  padding: i32,
  oh: i32,
  ow: i32,
  x: usize,
  y: usize,
): void {
  const bytes = (<usize>c) << 2;
  memory.fill(x, 0, <usize>(count * h * w) * bytes);
  for (let i = 0; i < count; i++) {
    for (let oy = 0; oy < oh; oy++) {
      for (let ox = 0; ox < ow; ox++) {
        for (let ky = 0; ky < kernel; ky++) {
          const iy = oy * stride + ky - padding;
          for (let kx = 0; kx < kernel; kx++) {
            const ix = ox * stride + kx - padding;
            if (<u32>iy < <u32>h && <u32>ix < <u32>w) {
              add(x + <usize>((i * h + iy) * w + ix) * bytes, y, bytes);
            }
            y += bytes;
          }
        }
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function copy(to: usize, from: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i < bytes; i += 4) store<f32>(to + i, load<f32>(from + i));
}

// @ts-ignore: decorator
@inline
function add(to: usize, from: usize, bytes: usize): void {
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, f32x4.add(v128.load(to + i), v128.load(from + i)));
  for (; i < bytes; i += 4) store<f32>(to + i, load<f32>(to + i) + load<f32>(from + i));
}
