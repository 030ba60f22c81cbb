/** The nets of the camera: five layers that end in one number per cell of 8×8 pixels, plain or with cheap layers. */
import type { LayerSpec, NetSpec } from "../net.ts";

/** Channels of the four layers below the last one. */
export type Widths = readonly [number, number, number, number];

const RELU: LayerSpec = { kind: "relu" };

const conv = (filters: number, kernel: number, stride: number): LayerSpec => ({
  kind: "conv2d",
  filters,
  kernel,
  stride,
  padding: kernel >> 1,
});

/** A 3×3 convolution, or its cheap form: each channel by itself, then 1×1 over all channels. */
const block = (filters: number, stride: number, separable: boolean): LayerSpec[] =>
  separable
    ? [{ kind: "depthwise", kernel: 3, stride, padding: 1 }, RELU, conv(filters, 1, 1), RELU]
    : [conv(filters, 3, stride), RELU];

/**
 * Frames of height × width to [height / 8, width / 8, outputs] logits.
 * @param separable the third and the fourth layer are depthwise-separable
 * @param outputs numbers per cell: what it tells apart
 */
export function presenceNet(
  height: number,
  width: number,
  widths: Widths,
  separable: boolean,
  outputs = 1,
): NetSpec {
  const [c1, c2, c3, c4] = widths;
  return {
    input: [height, width, 1],
    layers: [
      ...block(c1, 2, false),
      ...block(c2, 2, false),
      ...block(c3, 2, separable),
      ...block(c4, 1, separable),
      conv(outputs, 1, 1),
    ],
  };
}
