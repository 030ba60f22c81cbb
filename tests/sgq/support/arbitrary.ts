// Codebooks and features of every kind, each from one seed.
import fc from "fast-check";
import type { Codebook, Plane, Sgq, SgqForm, Tap } from "../../../host/sgq/types.ts";

/** mulberry32: a small generator, so that a case follows from one number. */
export function dice(seed: number): (lo: number, hi: number) => number {
  let state = seed | 0;
  return (lo, hi) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return lo + (((t ^ (t >>> 14)) >>> 0) % (hi - lo + 1));
  };
}

type Dice = ReturnType<typeof dice>;

const bytes = (roll: Dice, count: number): Int8Array =>
  Int8Array.from({ length: count }, () => roll(-128, 127));

function tap(roll: Dice): Tap {
  const back = roll(0, 3) === 0 ? 0 : roll(0, 5);
  if (back > 0) return { back, dx: roll(-3, 3), dy: roll(-2, 1) };
  const dy = roll(-2, 0);
  return { back, dy, dx: dy === 0 ? roll(-3, -1) : roll(-3, 3) };
}

function planesOf(roll: Dice, channels: number, bits: number, contexts: number): Plane[] {
  const planes: Plane[] = [];
  const last = new Map<number, { threshold: number; count: number }>();
  for (let left = roll(1, channels * (2 ** bits - 1)); left > 0; left--) {
    const channel = roll(0, channels - 1);
    const before = last.get(channel) ?? { threshold: -128, count: 0 };
    if (before.count === 2 ** bits - 1) continue;
    const threshold = roll(before.threshold, Math.min(127, before.threshold + 70));
    last.set(channel, { threshold, count: before.count + 1 });
    planes.push({ channel, threshold, context: roll(0, contexts - 1) });
  }
  return planes;
}

/** A codebook that is good, of any form and shape, or of one that is given; probabilities are random, skewed or extreme. */
export function codebookOf(
  seed: number,
  form: SgqForm,
  codec: Sgq,
  given?: { shape: readonly [number, number, number]; model: number },
): Codebook {
  const roll = dice(seed);
  const stripe = form === "stripes" ? roll(1, 2) : 1;
  const group = form === "contexts" ? 1 : given ? 2 ** roll(0, 2) : roll(1, 3);
  const wide = roll(0, 4) === 0;
  const shape =
    given?.shape ??
    ([
      stripe * roll(1, wide ? 12 : 6),
      stripe * (wide ? roll(15, 35) : roll(1, 8)),
      group * roll(1, 4),
    ] as const);
  const bits = form === "stripes" ? roll(1, 6) : roll(1, 4);
  const contexts = form === "stripes" ? 0 : roll(1, 4);
  const patch = roll(0, 1) === 0 ? ([0, 0] as const) : ([stripe * roll(1, 3), stripe * roll(1, 3)] as const);
  const book: Codebook = {
    model: given?.model ?? roll(0, 65535),
    version: roll(1, 65535),
    form,
    bits,
    shape,
    patch,
    group,
    stripe,
    planes: form === "stripes" ? [] : planesOf(roll, shape[2] / group, bits, contexts),
    weights: form === "shared" ? bytes(roll, shape[2]) : new Int8Array(),
    values: bytes(roll, shape[2] * 2 ** bits * (form === "stripes" ? stripe ** 2 : 1)),
    contexts: Array.from({ length: contexts }, () =>
      Array.from({ length: roll(1, given ? 11 : 14) }, () => tap(roll)),
    ),
    neighbourBits: form === "stripes" ? roll(0, Math.min(2, bits)) : 0,
    tables: new Uint8Array(),
  };
  const kind = roll(0, 2);
  const tables = Uint8Array.from({ length: codec.tableBytes(book) }, () =>
    kind === 0 ? roll(0, 255) : kind === 1 ? roll(0, 12) : roll(0, 1) * 255,
  );
  return { ...book, tables };
}

/** int8 features that look like activations, like noise, or are all alike. */
export function featuresOf(seed: number, count: number): Int8Array {
  const roll = dice(seed ^ 0x5eed);
  const kind = roll(0, 2);
  const level = roll(-128, 127);
  return Int8Array.from({ length: count }, () =>
    kind === 0 ? roll(-128, 127) : kind === 1 ? Math.max(0, roll(-90, 127)) : level,
  );
}

export const forms = fc.constantFrom<SgqForm>("contexts", "shared", "stripes");
export const seeds = fc.integer({ min: 0, max: 2 ** 31 - 1 });
