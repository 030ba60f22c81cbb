// Depthwise convolution layer: a Conv2d with as many groups and filters as its input has channels.
import { Conv2d, weighted } from "./conv2d";
import { DEPTHWISE } from "./layer";
import { group } from "./window";

/** Each channel convolved with a window of its own: kernel size, strides, zero padding on each side. Weights learn. */
export function depthwiseConv2d(kernelSize: i32, strides: i32 = 1, padding: i32 = 0): Conv2d {
  group();
  // the number of filters is the input's, once that is known
  return weighted(DEPTHWISE, 1, kernelSize, strides, padding);
}
