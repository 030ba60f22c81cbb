// What a model may hold to become a module: every number of a model file is looked at here before it is believed. The device has the
// same bounds (assembly/int8/check.ts, assembly/pass/network.ts); here they come with the model's own names, and before anything is built.
import type { Shape, Window } from "./graph.ts";
import { ModelError } from "./model-error.ts";

/** What a module may use: one page (asconfig.json). An element of a map and a weight take a byte each. */
export const ARENA = 65_536;
/** Most layers of a network, the largest axis of a map, the largest number of a window. */
export const MAX_LAYERS = 64;
const MAX_DIM = 32_767;
const MAX_WINDOW = 1024;
/** Largest bias of a fixed layer, in accumulator units. */
export const BIAS_MAX = 2 ** 30;
/** Most inputs of one output: sums of products leave room for any bias. */
const MAX_FAN_IN = 32_767;

const isWhole = (n: number, least: number, most: number): boolean =>
  Number.isInteger(n) && n >= least && n <= most;

/** Shape of a constant: whole axes from 1. A shape with an axis of none or less belongs to no tensor. @returns elements */
export function countOf(name: string, dims: readonly number[]): number {
  const count = dims.reduce((product, n) => product * n, 1);
  if (dims.every((n) => isWhole(n, 1, 2 ** 31 - 1)) && Number.isSafeInteger(count)) return count;
  throw new ModelError(`tensor ${name} has the shape [${dims.join(", ")}]: the file is damaged`);
}

/** The map that a node makes. */
export function checkMap(name: string, shape: Shape): void {
  const text = shape.join("×");
  if (!shape.every((n) => isWhole(n, 1, MAX_DIM))) {
    throw new ModelError(`${name}: a map of ${text}; axes are 1 … ${MAX_DIM}`);
  }
  const bytes = shape[0] * shape[1] * shape[2];
  if (bytes > ARENA) {
    throw new ModelError(
      `${name}: a map of ${text} takes ${bytes} bytes, and a module has ${ARENA} for everything: use smaller frames, fewer filters or a stride`,
    );
  }
}

/** Layers of a network, a dense head apart. */
export function checkLayers(name: string, layers: number, most: number): void {
  if (layers <= most) return;
  throw new ModelError(
    `${name}: it is layer ${layers + 1}, and a network has ${MAX_LAYERS} at most, and a dense layer behind them: use a smaller model`,
  );
}

/** Kernel, stride, dilation and padding of a node. */
export function checkWindow(name: string, { dilation, kernel, padding, stride }: Window): void {
  for (const [what, pair] of Object.entries({ kernel, stride, dilation })) {
    if (pair.length !== 2 || !pair.every((n) => isWhole(n, 1, MAX_WINDOW))) {
      throw new ModelError(`${name}: a ${what} of ${pair.join("×")}; it is two numbers in 1 … ${MAX_WINDOW}`);
    }
  }
  // where a window may lie in the padding alone, there is nothing to take the maximum or the mean of
  const reach = kernel.map((n, axis) => (n - 1) * dilation[axis]! + 1);
  if (
    padding.length !== 4 ||
    !padding.every((n, side) => isWhole(n, 0, Math.min(reach[side % 2]! - 1, 1024)))
  ) {
    throw new ModelError(
      `${name}: a padding of [${padding.join(", ")}] around a window of ${reach.join("×")}: it must be whole, not below 0, and smaller than the window; crop or pad the map by an operator of its own before the export`,
    );
  }
}

/** Weights of a node. */
export function checkWeights(name: string, fanIn: number, filters: number): void {
  if (fanIn > MAX_FAN_IN) {
    throw new ModelError(
      `${name}: each of its outputs sums ${fanIn} products, and ${MAX_FAN_IN} are the most: pool the map before it`,
    );
  }
  if (fanIn * filters > ARENA) {
    throw new ModelError(
      `${name}: its constants take ${fanIn * filters} bytes, and a module has ${ARENA} for everything: use a smaller layer`,
    );
  }
}

/** Groups of a convolution of `channels` to `filters`. */
export function checkGroups(name: string, groups: number, channels: number, filters: number): void {
  if (isWhole(groups, 1, MAX_DIM) && channels % groups === 0 && filters % groups === 0) return;
  throw new ModelError(
    `${name}: ${groups} groups of ${channels} channels and ${filters} filters: groups must divide both`,
  );
}

/** Scales and zero points of a quantised constant; one for all, or one for each of `channels`. */
export function checkScales(
  name: string,
  scales: readonly number[],
  zeros: readonly number[],
  channels: number | undefined,
  [lowest, highest]: readonly [number, number],
): void {
  const refuse = (what: string) => {
    throw new ModelError(`tensor ${name} ${what}: convert the model again`);
  };
  const bad = scales.find((scale) => !(scale > 0 && scale < Infinity));
  if (bad !== undefined) refuse(`has a scale of ${bad}; scales are above 0`);
  if (scales.length !== 1 && scales.length !== channels) {
    refuse(`has ${scales.length} scales for ${channels ?? "no"} channels`);
  }
  if (zeros.length > 1 && zeros.length !== scales.length) {
    refuse(`has ${zeros.length} zero points and ${scales.length} scales`);
  }
  const zero = zeros.find((it) => !isWhole(it, lowest, highest));
  if (zero !== undefined) refuse(`has a zero point of ${zero}, outside of ${lowest} … ${highest}`);
}
