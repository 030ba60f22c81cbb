// The learned state of a device half (docs/abi.md, "Learned state"), made of weights that were learned elsewhere.

/** A layer with weights as a network in the cloud has it. */
export interface HalfLayer {
  /** [fan-in × filters], fan-in in the order kernel row, kernel column, channel. */
  readonly weights: Float32Array;
  readonly biases: Float32Array;
  /** Largest activation behind it: 127 of an int8. */
  readonly range: number;
}

const HEADER_BYTES = 32;
/** Training steps that the state has seen (u32). */
const STEP = 16;
/** Range (u64 Q32.32), weight exponent (i32), zero. */
const LAYER_HEADER_BYTES = 16;
const BIAS_BITS = 20;
/** Largest master that a layer learns with; its top byte is the weight. */
const MASTER_MAX = 127 * 256;

/**
 * @param template a state of the same model, as a module has after `init`: header and sizes are kept, but for the step
 * @throws RangeError when the layers are not those of the template
 */
export function writeHalfState(template: Uint8Array, layers: readonly HalfLayer[]): Uint8Array {
  const state = template.slice();
  const view = new DataView(state.buffer);
  // ranges are known: a device that trains does not look for them in its first frame
  view.setUint32(STEP, 1, true);
  let at = HEADER_BYTES;
  for (const { weights, biases, range } of layers) {
    const count = weights.length;
    const filters = biases.length;
    const fanIn = count / filters;
    const biasesAt = at + LAYER_HEADER_BYTES + ((2 * count + 3) & ~3);
    const end = biasesAt + 4 * filters;
    if (end > state.length)
      throw new RangeError(`the state has ${state.length} bytes, but the layers need more`);
    const largest = weights.reduce((most, w) => Math.max(most, Math.abs(w)), 2 ** -20);
    // 127 · 2^exponent is at least the largest weight
    const exponent = Math.ceil(Math.log2(largest / 127));
    view.setBigUint64(at, BigInt(Math.round(range * 2 ** 32)), true);
    view.setInt32(at + 8, exponent, true);
    for (let o = 0; o < filters; o++) {
      for (let k = 0; k < fanIn; k++) {
        const master = Math.round((weights[k * filters + o] as number) * 2 ** (8 - exponent));
        const clamped = Math.max(-MASTER_MAX, Math.min(MASTER_MAX, master));
        view.setInt16(at + LAYER_HEADER_BYTES + 2 * (o * fanIn + k), clamped, true);
      }
      view.setInt32(biasesAt + 4 * o, Math.round((biases[o] as number) * 2 ** BIAS_BITS), true);
    }
    at += (end - at + 7) & ~7;
  }
  if (at !== state.length)
    throw new RangeError(`the layers need ${at} bytes, but the state has ${state.length}`);
  return state;
}
