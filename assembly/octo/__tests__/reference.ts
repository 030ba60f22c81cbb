// The same functions in double precision, forward only: gradients are taken of them by differences, which are exact where a function
// is linear in what is moved.
import { Conv2d } from "../conv2d";
import { Layer } from "../layer";
import { exponent, mantissa, Scale } from "../scale";
import { Window } from "../window";

export function real(scale: Scale): f64 {
  return <f64>mantissa(scale) * Math.pow(2, <f64>exponent(scale));
}

/** int8 values in double precision. */
export function doubles(at: usize, n: i32, unit: f64): Float64Array {
  const values = new Float64Array(n);
  for (let i = 0; i < n; ++i) values[i] = <f64>load<i8>(at + <usize>i) * unit;
  return values;
}

/** Σ e·y: what is differentiated. */
export function dot(e: Float64Array, y: Float64Array): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < e.length; ++i) sum += e[i] * y[i];
  return sum;
}

/** Index of the input under tap (ky, kx) of output (oy, ox), channel c; −1: it is padding. */
function under(layer: Window, input: Layer, oy: i32, ox: i32, ky: i32, kx: i32, c: i32): i32 {
  const y = oy * layer.strideH + ky - layer.padTop;
  const x = ox * layer.strideW + kx - layer.padLeft;
  if (y < 0 || x < 0 || y >= input.h || x >= input.w) return -1;
  return (y * input.w + x) * input.c + c;
}

/** Convolution with a bias, NHWC, weights OHWI; dense layers are 1×1 over 1×1×n. */
export function convolve(
  layer: Conv2d,
  input: Layer,
  x: Float64Array,
  w: Float64Array,
  b: Float64Array,
): Float64Array {
  const y = new Float64Array(layer.h * layer.w * layer.c);
  const perGroup = input.c / layer.groups;
  const outputsPerGroup = layer.c / layer.groups;
  for (let oy = 0, at = 0; oy < layer.h; ++oy) {
    for (let ox = 0; ox < layer.w; ++ox) {
      for (let o = 0; o < layer.c; ++o, ++at) {
        let k = o * layer.fanIn;
        let sum = b[o];
        for (let ky = 0; ky < layer.kernelH; ++ky) {
          for (let kx = 0; kx < layer.kernelW; ++kx) {
            for (let c = 0; c < perGroup; ++c, ++k) {
              const i = under(layer, input, oy, ox, ky, kx, (o / outputsPerGroup) * perGroup + c);
              if (i >= 0) sum += x[i] * w[k];
            }
          }
        }
        y[at] = sum;
      }
    }
  }
  return y;
}

/** Pooling by maximum, or by mean. */
export function pool(layer: Window, input: Layer, x: Float64Array, mean: bool): Float64Array {
  const y = new Float64Array(layer.h * layer.w * layer.c);
  const area = <f64>(layer.kernelH * layer.kernelW);
  for (let oy = 0, at = 0; oy < layer.h; ++oy) {
    for (let ox = 0; ox < layer.w; ++ox) {
      for (let c = 0; c < layer.c; ++c, ++at) {
        let most = -Infinity;
        let sum: f64 = 0;
        for (let ky = 0; ky < layer.kernelH; ++ky) {
          for (let kx = 0; kx < layer.kernelW; ++kx) {
            const value = x[under(layer, input, oy, ox, ky, kx, c)];
            most = max(most, value);
            sum += value;
          }
        }
        y[at] = mean ? sum / area : most;
      }
    }
  }
  return y;
}

/** What a quantity that is rounded stochastically was in many rounds, against what it ought to be. */
export class Rounds {
  private sums: Float64Array;
  private squares: Float64Array;
  private farthest: f64 = 0;

  /** @param want values in units of the rounding */
  constructor(private want: Float64Array) {
    this.sums = new Float64Array(want.length);
    this.squares = new Float64Array(want.length);
  }

  see(i: i32, got: f64): void {
    const error = got - this.want[i];
    this.sums[i] += error;
    this.squares[i] += error * error;
    this.farthest = max(this.farthest, Math.abs(error));
  }

  /**
   * Every value within one unit; the variance of each at most ¼ and its mean off by at most 5 standard deviations of a mean, ½/√n
   * each; over all values together the same, that is, a bias below 2.5/√(n·values). `slack` is for what is computed in 31 bits.
   */
  expectUnbiased(n: i32, what: string, slack: f64 = 0.002): void {
    const values = this.want.length;
    let all: f64 = 0;
    let worst: f64 = 0;
    let variance: f64 = 0;
    for (let i = 0; i < values; ++i) {
      const mean = this.sums[i] / <f64>n;
      all += mean;
      worst = max(worst, Math.abs(mean));
      variance = max(variance, this.squares[i] / <f64>n - mean * mean);
    }
    expect(this.farthest).toBeLessThan(1 + slack, what);
    expect(worst).toBeLessThan(2.5 / Math.sqrt(<f64>n) + slack, what);
    expect(variance).toBeLessThan(0.25 + slack, what);
    expect(Math.abs(all / <f64>values)).toBeLessThan(2.5 / Math.sqrt(<f64>(n * values)) + slack, what);
  }
}
