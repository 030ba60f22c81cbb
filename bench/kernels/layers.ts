/** Layers for which CMSIS-NN was counted, as the regions of bench/apps/layers.ts have them. */
import type { BenchApp, Part } from "./parts.ts";

export interface Layer extends Part {
  /**
   * Instructions per MAC of CMSIS-NN's int8 function for it on the same emulated Cortex-M4 (arm-none-eabi-gcc 12.2, -Ofast),
   * counted once by the same plugin. Its code is not part of this project.
   */
  cmsisNN: number;
}

/** Input height and width, channels, filters, kernel, groups: as SHAPES in bench/apps/layers.ts. No padding. */
type Shape = readonly [size: number, channels: number, filters: number, kernel: number, groups: number];

const layer = (kind: string, shape: Shape, cmsisNN: number): Layer => {
  const [size, channels, filters, kernel, groups] = shape;
  const out = size - kernel + 1;
  const macs = out * out * filters * kernel * kernel * (channels / groups);
  const name = size === 1 ? `${kind} ${channels}→${filters}` : `${kind} ${channels}→${filters} ${out}×${out}`;
  return { name, macs, cmsisNN };
};

export const LAYERS: readonly Layer[] = [
  layer("conv 3×3", [16, 16, 16, 3, 1], 2.33),
  layer("conv 3×3", [16, 8, 16, 3, 1], 2.87),
  layer("conv 3×3", [30, 3, 16, 3, 1], 4.83),
  layer("conv 5×5", [28, 1, 8, 5, 1], 9.14),
  layer("conv 1×1", [14, 16, 16, 1, 1], 3.98),
  layer("conv 1×1", [7, 64, 64, 1, 1], 2.14),
  layer("depthwise 3×3", [16, 16, 16, 3, 16], 9.09),
  layer("dense", [1, 784, 64, 1, 1], 1.94),
  layer("dense", [1, 64, 32, 1, 1], 2.71),
  layer("dense", [1, 32, 10, 1, 1], 3.85),
];

export const LAYERS_APP: BenchApp = {
  app: "layers",
  title: "Layers forward",
  parts: [{ name: "nothing", macs: 0 }, ...LAYERS.map(({ name, macs }): Part => ({ name, macs }))],
};
