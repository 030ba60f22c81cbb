// Intrinsics 1–3 for depthwise convolutions, whose groups have one input channel each: the general forms would gather a patch
// for every channel and use it once. Arguments, checks, errors and bits are those of the general forms.
import { kernelSize } from "./check";
import { checkArguments } from "./conv2d";
import { put } from "./conv2d-block";
import { checkArguments as checkGradInput } from "./conv2d-grad-input";
import { checkArguments as checkGradWeight } from "./conv2d-grad-weight";
import {
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_GROUPS,
  CONV_KERNEL_W,
  CONV_PAD_LEFT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  CONV_X0,
  CONV_X1,
  CONV_Y0,
  CONV_Y1,
  QUANT_INPUT_ZERO,
  QUANT_MULTIPLIER,
  TENSOR_C,
  TENSOR_H,
  TENSOR_PITCH,
  TENSOR_W,
} from "./structs";
import { Taps } from "./taps";

/** The taps that lie inside for one output. */
let height: i32 = 0;
let width: i32 = 0;
/** The first of them: its input as an offset in elements, channel 0, and its place in the kernel. */
let corner: i32 = 0;
let tap: i32 = 0;

/** Finds these for output (oy, ox) over the input t. */
function reach(conv: usize, t: usize, oy: i32, ox: i32): void {
  const rows = Taps.vertical(conv, t, oy);
  const columns = Taps.horizontal(conv, t, ox);
  const ky = Taps.first(rows);
  const kx = Taps.first(columns);
  width = Taps.end(columns) - kx;
  height = width ? Taps.end(rows) - ky : 0;
  tap = ky * load<i32>(conv, CONV_KERNEL_W) + kx;
  const top =
    oy * load<i32>(conv, CONV_STRIDE_H) -
    load<i32>(conv, CONV_PAD_TOP) +
    ky * load<i32>(conv, CONV_DILATION_H);
  const left =
    ox * load<i32>(conv, CONV_STRIDE_W) -
    load<i32>(conv, CONV_PAD_LEFT) +
    kx * load<i32>(conv, CONV_DILATION_W);
  corner = top * load<i32>(t, TENSOR_PITCH) + left * load<i32>(t, TENSOR_C);
}

/** Intrinsic 1: as conv2d, for groups = c. Scratch is checked and not used. */
export function depthwiseConv2d(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  w: usize,
  bias: usize,
  yT: usize,
  y: usize,
): void {
  checkArguments(scratch, conv, quant, xT, x, w, bias, yT, y);

  const channels = load<i32>(yT, TENSOR_C);
  const multiplier = channels / load<i32>(conv, CONV_GROUPS);
  const n = <usize>kernelSize(conv, xT);
  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  const kernelW = <usize>load<i32>(conv, CONV_KERNEL_W);
  const step = <usize>(load<i32>(conv, CONV_DILATION_W) * load<i32>(xT, TENSOR_C));
  const pitch = <usize>(load<i32>(conv, CONV_DILATION_H) * load<i32>(xT, TENSOR_PITCH));
  const x1 = load<i32>(conv, CONV_X1);
  const y1 = load<i32>(conv, CONV_Y1);
  // with gaps between the rows, the place of an element is ahead of its index
  const gap =
    (<usize>(load<i32>(yT, TENSOR_PITCH) - load<i32>(yT, TENSOR_W) * channels)) <<
    (load<i32>(quant, QUANT_MULTIPLIER) ? 0 : 2);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    const to = y + <usize>oy * gap;
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      reach(conv, xT, oy, ox);
      const rows = height;
      const three = width == 3;
      const end = <usize>width;
      const first = (oy * load<i32>(yT, TENSOR_W) + ox) * channels;
      let kernel = w + <usize>tap;
      for (let o = 0; o < channels; ++o, kernel += n) {
        let sum = bias ? load<i32>(bias + ((<usize>o) << 2)) : 0;
        let row = x + <usize>(corner + o / multiplier);
        let weights = kernel;
        for (let ky = 0; ky < rows; ++ky) {
          if (three) {
            sum += (load<i8>(row) - zero) * load<i8>(weights);
            sum += (load<i8>(row + step) - zero) * load<i8>(weights, 1);
            sum += (load<i8>(row + (step << 1)) - zero) * load<i8>(weights, 2);
          } else {
            let at = row;
            for (let kx: usize = 0; kx < end; ++kx, at += step) {
              sum += (load<i8>(at) - zero) * load<i8>(weights + kx);
            }
          }
          row += pitch;
          weights += kernelW;
        }
        put(quant, to, first, first + o, sum);
      }
    }
  }
}

/** Intrinsic 2: as conv2dGradInput, for groups = c. Scratch is checked and not used. */
export function depthwiseConv2dGradInput(
  scratch: usize,
  conv: usize,
  eT: usize,
  e: usize,
  w: usize,
  dxT: usize,
  dx: usize,
): void {
  checkGradInput(scratch, conv, eT, e, w, dxT, dx);

  const channels = load<i32>(eT, TENSOR_C);
  const multiplier = channels / load<i32>(conv, CONV_GROUPS);
  const n = <usize>kernelSize(conv, dxT);
  const kernelW = <usize>load<i32>(conv, CONV_KERNEL_W);
  const inputChannels = load<i32>(dxT, TENSOR_C);
  const dxPitch = load<i32>(dxT, TENSOR_PITCH);
  const step = (<usize>(load<i32>(conv, CONV_DILATION_W) * inputChannels)) << 2;
  const pitch = (<usize>(load<i32>(conv, CONV_DILATION_H) * dxPitch)) << 2;
  const rowBytes = (<usize>(load<i32>(dxT, TENSOR_W) * inputChannels)) << 2;
  for (let row = 0, at = dx; row < load<i32>(dxT, TENSOR_H); ++row, at += (<usize>dxPitch) << 2)
    memory.fill(at, 0, rowBytes);

  const x1 = load<i32>(conv, CONV_X1);
  const y1 = load<i32>(conv, CONV_Y1);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      reach(conv, dxT, oy, ox);
      const rows = height;
      const end = <usize>width;
      const errors = e + <usize>(oy * load<i32>(eT, TENSOR_PITCH) + ox * channels);
      for (let o = 0; o < channels; ++o) {
        const error = <i32>load<i8>(errors + <usize>o);
        if (!error) continue;
        let row = dx + ((<usize>(corner + o / multiplier)) << 2);
        let weights = w + <usize>o * n + <usize>tap;
        for (let ky = 0; ky < rows; ++ky) {
          let at = row;
          for (let kx: usize = 0; kx < end; ++kx, at += step) {
            store<i32>(at, load<i32>(at) + error * load<i8>(weights + kx));
          }
          row += pitch;
          weights += kernelW;
        }
      }
    }
  }
}

/** Intrinsic 3: as conv2dGradWeight, for groups = c. Scratch is checked and not used. */
export function depthwiseConv2dGradWeight(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  c0: i32,
  c1: i32,
  dw: usize,
  db: usize,
): void {
  checkGradWeight(scratch, conv, quant, xT, x, eT, e, c0, c1, dw, db);

  const channels = load<i32>(eT, TENSOR_C);
  const multiplier = channels / load<i32>(conv, CONV_GROUPS);
  const n = <usize>kernelSize(conv, xT);
  const kernelBytes = (<usize>load<i32>(conv, CONV_KERNEL_W)) << 2;
  const zero = load<i32>(quant, QUANT_INPUT_ZERO);
  const step = <usize>(load<i32>(conv, CONV_DILATION_W) * load<i32>(xT, TENSOR_C));
  const pitch = <usize>(load<i32>(conv, CONV_DILATION_H) * load<i32>(xT, TENSOR_PITCH));
  memory.fill(dw, 0, (<usize>(c1 - c0) * n) << 2);
  if (db) memory.fill(db, 0, (<usize>(c1 - c0)) << 2);

  const x1 = load<i32>(conv, CONV_X1);
  const y1 = load<i32>(conv, CONV_Y1);
  for (let oy = load<i32>(conv, CONV_Y0); oy < y1; ++oy) {
    for (let ox = load<i32>(conv, CONV_X0); ox < x1; ++ox) {
      reach(conv, xT, oy, ox);
      const rows = height;
      const end = (<usize>width) << 2;
      const errors = e + <usize>(oy * load<i32>(eT, TENSOR_PITCH) + ox * channels);
      for (let o = c0; o < c1; ++o) {
        const error = <i32>load<i8>(errors + <usize>o);
        if (!error) continue;
        if (db) {
          const at = db + ((<usize>(o - c0)) << 2);
          store<i32>(at, load<i32>(at) + error);
        }
        let row = x + <usize>(corner + o / multiplier);
        let gradients = dw + ((<usize>(o - c0) * n + <usize>tap) << 2);
        for (let ky = 0; ky < rows; ++ky) {
          let at = row;
          for (let kx: usize = 0; kx < end; kx += 4, at += step) {
            const to = gradients + kx;
            store<i32>(to, load<i32>(to) + error * (load<i8>(at) - zero));
          }
          row += pitch;
          gradients += kernelBytes;
        }
      }
    }
  }
}
