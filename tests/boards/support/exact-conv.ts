// Convolutions in double precision, which is exact as long as sums stay below 2^53: stride and dilation 1, NHWC, OHWI.
import type { Shape } from "./layout.ts";

export interface Conv {
  h: number;
  w: number;
  c: number;
  kh: number;
  kw: number;
  /** Top, left, bottom, right. */
  pads: readonly [number, number, number, number];
  groups: number;
  /** Output channels. */
  oc: number;
}

const shape = (h: number, w: number, c: number): Shape => ({ h, w, c, pitch: w * c });

export const inputOf = ({ h, w, c }: Conv): Shape => shape(h, w, c);

export const outputOf = ({ h, w, kh, kw, pads: [top, left, bottom, right], oc }: Conv): Shape =>
  shape(h + top + bottom - kh + 1, w + left + right - kw + 1, oc);

/** Fields of the conv struct; the window is the whole output. */
export function fieldsOf(conv: Conv): number[] {
  const { h, w } = outputOf(conv);
  return [conv.kh, conv.kw, 1, 1, 1, 1, ...conv.pads, conv.groups, 0, h, 0, w];
}

/** Visits every product: places of the output, the input and the weight. */
function products(
  conv: Conv,
  visit: (output: number, input: number, weight: number, channel: number) => void,
): void {
  const { h, w } = outputOf(conv);
  const perGroup = conv.c / conv.groups;
  const outputs = conv.oc / conv.groups;
  for (let oy = 0; oy < h; oy++) {
    for (let ox = 0; ox < w; ox++) {
      const top = oy - conv.pads[0];
      const left = ox - conv.pads[1];
      for (let ky = Math.max(0, -top); ky < Math.min(conv.kh, conv.h - top); ky++) {
        for (let kx = Math.max(0, -left); kx < Math.min(conv.kw, conv.w - left); kx++) {
          const [y, x] = [top + ky, left + kx];
          for (let o = 0; o < conv.oc; o++) {
            const first = Math.floor(o / outputs) * perGroup;
            const output = (oy * w + ox) * conv.oc + o;
            const input = (y * conv.w + x) * conv.c + first;
            const weight = ((o * conv.kh + ky) * conv.kw + kx) * perGroup;
            for (let i = 0; i < perGroup; i++) visit(output, input + i, weight + i, o);
          }
        }
      }
    }
  }
}

/** Accumulators of the whole output. */
export function forward(
  conv: Conv,
  x: Int8Array,
  w: Int8Array,
  bias: readonly number[],
  zero: number,
): Float64Array {
  const { h, w: width } = outputOf(conv);
  const y = Float64Array.from({ length: h * width * conv.oc }, (_, i) => bias[i % conv.oc]!);
  products(conv, (output, input, weight) => {
    y[output]! += (x[input]! - zero) * w[weight]!;
  });
  return y;
}

export function gradInput(conv: Conv, e: Int8Array, w: Int8Array): Float64Array {
  const dx = new Float64Array(conv.h * conv.w * conv.c);
  products(conv, (output, input, weight) => {
    dx[input]! += e[output]! * w[weight]!;
  });
  return dx;
}

export function gradWeight(
  conv: Conv,
  x: Int8Array,
  e: Int8Array,
  zero: number,
): { dw: Float64Array; db: Float64Array } {
  const dw = new Float64Array((conv.kh * conv.kw * conv.c * conv.oc) / conv.groups);
  const db = new Float64Array(conv.oc);
  products(conv, (output, input, weight) => {
    dw[weight]! += e[output]! * (x[input]! - zero);
  });
  e.forEach((error, i) => {
    db[i % conv.oc]! += error;
  });
  return { dw, db };
}
