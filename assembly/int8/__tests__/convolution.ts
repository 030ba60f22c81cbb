// A random convolution for the specs, and its definition.
import { scratchNeed } from "../structs";
import { conv, index, random, randomBytes, scratch, seed, span, tensor } from "./support";

/** A random convolution; one at a time. */
export let kh: i32 = 0;
export let kw: i32 = 0;
export let sh: i32 = 0;
export let sw: i32 = 0;
export let dh: i32 = 0;
export let dw: i32 = 0;
export let top: i32 = 0;
export let left: i32 = 0;
export let groups: i32 = 0;
export let y0: i32 = 0;
export let y1: i32 = 0;
export let x0: i32 = 0;
export let x1: i32 = 0;
export let cIn: i32 = 0;
export let cOut: i32 = 0;
/** Weights of one output channel. */
export let fanIn: i32 = 0;
export let xT: usize = 0;
export let yT: usize = 0;
export let x: usize = 0;
export let w: usize = 0;
export let e: usize = 0;
export let window: usize = 0;
export let work: usize = 0;

export function make(n: i32, depthwise: bool = false): void {
  seed(n);
  kh = random(1, 3);
  kw = random(1, 4);
  sh = random(1, 3);
  sw = random(1, 2);
  dh = random(1, 2);
  dw = random(1, 2);
  top = random(0, 2);
  left = random(0, 2);
  const bottom = random(0, 2);
  const right = random(0, 2);
  const h = dh * (kh - 1) + 1 + random(0, 4);
  const wide = dw * (kw - 1) + 1 + random(0, 5);
  const oh = (h + top + bottom - dh * (kh - 1) - 1) / sh + 1;
  const ow = (wide + left + right - dw * (kw - 1) - 1) / sw + 1;
  groups = depthwise ? random(2, 9) : random(1, 3);
  cIn = groups * (depthwise ? 1 : random(1, 5));
  cOut = groups * random(1, 3);
  fanIn = (kh * kw * cIn) / groups;
  // all of the output, or a part of it (as PASS computes)
  const whole = random(0, 1);
  y0 = whole ? 0 : random(0, oh);
  y1 = whole ? oh : random(y0, oh);
  x0 = whole ? 0 : random(0, ow);
  x1 = whole ? ow : random(x0, ow);
  xT = tensor(h, wide, cIn, random(0, 3));
  yT = tensor(oh, ow, cOut, random(0, 3));
  x = randomBytes(span(xT), -128, 127);
  w = randomBytes(fanIn * cOut, -127, 127);
  e = randomBytes(span(yT), -127, 127);
  window = conv([kh, kw, sh, sw, dh, dw, top, left, bottom, right, groups, y0, y1, x0, x1]);
  work = scratch(<i32>scratchNeed(fanIn));
}

/** Whether tap (ky, kx) of output (oy, ox) lies inside the input. */
export function inside(oy: i32, ox: i32, ky: i32, kx: i32): bool {
  const iy = oy * sh - top + ky * dh;
  const ix = ox * sw - left + kx * dw;
  return iy >= 0 && iy < load<i32>(xT, 4) && ix >= 0 && ix < load<i32>(xT, 8);
}

export function input(oy: i32, ox: i32, ky: i32, kx: i32, c: i32): i32 {
  return index(xT, oy * sh - top + ky * dh, ox * sw - left + kx * dw, c);
}

/** Σ w·(x − zero) of one output, by the definition: padding is the zero point. */
export function accumulated(oy: i32, ox: i32, o: i32, zero: i32): i32 {
  const perGroup = cIn / groups;
  const first = (o / (cOut / groups)) * perGroup;
  let sum: i64 = 0;
  for (let ky = 0; ky < kh; ++ky) {
    for (let kx = 0; kx < kw; ++kx) {
      for (let c = 0; c < perGroup; ++c) {
        const value = inside(oy, ox, ky, kx) ? <i32>load<i8>(x + input(oy, ox, ky, kx, first + c)) : zero;
        sum += (value - zero) * <i32>load<i8>(w + o * fanIn + (ky * kw + kx) * perGroup + c);
      }
    }
  }
  return <i32>sum;
}
