// Networks of any shape, drawn from a seed.
import type { Net, NetLayer } from "../../../host/pass/net.ts";

export const SEED = Number(process.env["OCTOMOTE_TEST_SEED"] ?? 20261122);

/** Draws from one seed, so that a case shrinks to a printable number. */
export function dice(seed: number): (lo: number, hi: number) => number {
  let state = seed | 0;
  return (lo, hi) => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return lo + Math.floor(((state >>> 0) / 2 ** 32) * (hi - lo + 1));
  };
}

/** A network of one to four layers of any shape. */
export function netOf(draw: (lo: number, hi: number) => number): Net {
  const input = [draw(9, 26), draw(9, 26), draw(1, 2)] as const;
  let c: number = input[2];
  const layers = Array.from({ length: draw(1, 4) }, (_, i): NetLayer => {
    const shape = { kernel: [draw(1, 3), draw(1, 3)], stride: [draw(1, 2), draw(1, 2)] } as const;
    const padding = [draw(0, 2), draw(0, 2), 2, 2] as const;
    if (draw(0, 4) === 0) return { kind: "maxPool", ...shape, padding };
    if (draw(0, 5) === 0 && i > 0) return { kind: "relu", zero: draw(-9, 9) };
    const groups = draw(0, 2) === 0 ? c : 1;
    const filters = groups > 1 ? c : draw(1, 9);
    const weights = Int8Array.from(
      { length: (filters * shape.kernel[0] * shape.kernel[1] * c) / groups },
      () => draw(-127, 127),
    );
    c = filters;
    const store = draw(0, 2) === 0 ? "recompute" : "cache";
    return { kind: "conv2d", ...shape, padding, groups, filters, weights, multiplier: 0.004, store };
  });
  return { input, layers };
}
