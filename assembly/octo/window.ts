// A layer that slides a square window over its input: convolution and pooling.
import { allocate } from "../device/arena";
import { LAYER_SHAPE } from "../device/errors";
import * as int8 from "../int8/intrinsics";
import { CONV_BYTES, TENSOR_BYTES, TENSOR_C, TENSOR_H } from "../int8/structs";
import { DEPTHWISE, Layer } from "./layer";

/** Whether a layer of the module is depthwise. */
export let grouped: bool = false;

export function group(): void {
  grouped = true;
}

/** Ends with the convolution struct of docs/abi.md, field by field. */
export class Window extends Layer {
  private convBytes: i32;
  kernelH: i32;
  kernelW: i32;
  strideH: i32;
  strideW: i32;
  dilationH: i32;
  dilationW: i32;
  padTop: i32;
  padLeft: i32;
  padBottom: i32;
  padRight: i32;
  groups: i32;
  private y0: i32;
  private y1: i32;
  private x0: i32;
  private x1: i32;

  /** Largest magnitude of the output. */
  get most(): i32 {
    return int8.absMaxS8(this.data, this.size);
  }

  /** The convolution struct. */
  get conv(): usize {
    return changetype<usize>(this) + offsetof<Window>("convBytes");
  }

  /** Window, stride and zero padding, alike on all sides. */
  set(size: i32, stride: i32, padding: i32): void {
    this.kernelH = size;
    this.strideH = stride;
    this.padTop = padding;
  }

  /** Lays the window over the whole of a tensor; c is known. Returns the elements under it. Errors: LAYER_SHAPE */
  slide(xT: usize): i32 {
    const at = changetype<usize>(this);
    const size = this.kernelH;
    const stride = this.strideH;
    const padding = this.padTop;
    // once for the height, once for the width, which follows it in every struct
    let axis: usize = 0;
    do {
      const length = load<i32>(xT + axis, TENSOR_H) + 2 * padding;
      if ((size > length) | (size < 1) | (stride < 1) | (this.c < 1)) this.refuse(LAYER_SHAPE, size, length);
      const steps = (length - size) / stride + 1;
      const to = at + axis;
      store<i32>(to, steps, offsetof<Window>("h"));
      store<i32>(to, size, offsetof<Window>("kernelH"));
      store<i32>(to, stride, offsetof<Window>("strideH"));
      store<i32>(to, 1, offsetof<Window>("dilationH"));
      store<i32>(to, padding, offsetof<Window>("padTop"));
      store<i32>(to, padding, offsetof<Window>("padBottom"));
      store<i32>(to + axis, steps, offsetof<Window>("y1"));
    } while ((axis += 4) < 8);
    this.convBytes = CONV_BYTES;
    const groups = grouped && this.kind == DEPTHWISE ? this.c : 1;
    this.groups = groups;
    this.bytes = TENSOR_BYTES;
    this.pitch = this.w * this.c;
    this.data = allocate(this.size << this.width);
    return (size * size * load<i32>(xT, TENSOR_C)) / groups;
  }
}
