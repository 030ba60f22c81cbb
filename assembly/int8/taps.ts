// Which taps of a kernel fall inside the input for one output row or column. The rest lies in the padding, whose
// value is the zero point, and adds nothing.
import {
  CONV_DILATION_H,
  CONV_DILATION_W,
  CONV_KERNEL_H,
  CONV_KERNEL_W,
  CONV_PAD_LEFT,
  CONV_PAD_TOP,
  CONV_STRIDE_H,
  CONV_STRIDE_W,
  TENSOR_H,
  TENSOR_W,
} from "./structs";

export namespace Taps {
  /** Taps [first, end) of the kernel for output row oy, packed as first | end << 16 (kernels reach 1,024). */
  export function vertical(conv: usize, input: usize, oy: i32): i32 {
    const origin = oy * load<i32>(conv, CONV_STRIDE_H) - load<i32>(conv, CONV_PAD_TOP);
    return inside(
      origin,
      load<i32>(conv, CONV_DILATION_H),
      load<i32>(conv, CONV_KERNEL_H),
      load<i32>(input, TENSOR_H),
    );
  }

  /** Taps [first, end) of the kernel for output column ox. */
  export function horizontal(conv: usize, input: usize, ox: i32): i32 {
    const origin = ox * load<i32>(conv, CONV_STRIDE_W) - load<i32>(conv, CONV_PAD_LEFT);
    return inside(
      origin,
      load<i32>(conv, CONV_DILATION_W),
      load<i32>(conv, CONV_KERNEL_W),
      load<i32>(input, TENSOR_W),
    );
  }

  // @ts-ignore: decorator
  @inline
  export function first(packed: i32): i32 {
    return packed & 0xffff;
  }

  // @ts-ignore: decorator
  @inline
  export function end(packed: i32): i32 {
    return packed >>> 16;
  }

  /** 0 ≤ origin + k·dilation < length; |origin| ≤ 32,767·1,024 + 1,024 fits i32. first = end when no tap is inside. */
  function inside(origin: i32, dilation: i32, kernel: i32, length: i32): i32 {
    const first = min(origin < 0 ? (dilation - 1 - origin) / dilation : 0, kernel);
    const room = length - origin;
    const end = max(first, room <= 0 ? 0 : min(kernel, (room + dilation - 1) / dilation));
    return first | (end << 16);
  }
}
