// Gradients for device halves: what the network says of its input, as an SGQ gradient frame (docs/sgq.md, "Gradient").

import { Random } from "../data/random.ts";
import type { Codebook, Sgq } from "../sgq/types.ts";
import { UNIT } from "./codebook/choose.ts";
import type { Shape } from "./codebook/train.ts";

/** Bits that the largest value has as an integer: more than 8 bits of a group can tell, and no sum overflows. */
const MAGNITUDE_BITS = 24;
/** Channels that share an exponent, where that divides them. */
const GROUP = 4;

export interface GradientOptions {
  readonly shape: Shape;
  readonly bits: 4 | 8;
  readonly seed: number;
}

/** @param gradient ∂loss/∂x, x in units of the network's input; the frame tells it for a unit of the int8 features */
export function encodeGradientOf(
  codec: Sgq,
  to: { readonly model: number; readonly codebook: number; readonly sequence: number },
  gradient: Float32Array,
  { shape, bits, seed }: GradientOptions,
): Uint8Array {
  const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0) * UNIT;
  const exponent = largest > 0 ? Math.ceil(Math.log2(largest)) - MAGNITUDE_BITS : 0;
  const values = Int32Array.from(gradient, (value) => Math.round((value * UNIT) / 2 ** exponent));
  const group = shape[2] % GROUP === 0 ? GROUP : 1;
  const key = new Random(seed, to.sequence).next();
  return codec.encodeGradient(to, { shape, values, exponent, group, bits, key });
}

/**
 * The straight-through estimator, clipped: what has the lowest level of its channel is not asked to shrink, what has the highest not to
 * grow. Nothing of that would be seen on this side, so nothing would ever stop it. A channel that is not sent is left alone. In place; a
 * codebook of another form than contexts clips nothing.
 * @param features what the sample was decoded to, int8 NHWC
 */
export function clipGradient(
  gradient: Float32Array,
  features: Int8Array,
  { form, bits, shape, planes, values }: Codebook,
): void {
  if (form !== "contexts") return;
  const c = shape[2];
  const levels = new Uint8Array(c);
  for (const { channel } of planes) levels[channel] = (levels[channel] as number) + 1;
  for (let i = 0; i < gradient.length; i++) {
    const first = (i % c) << bits;
    const value = features[i] as number;
    const error = gradient[i] as number;
    if (error > 0 && value <= (values[first] as number)) gradient[i] = 0;
    if (error < 0 && value >= (values[first + (levels[i % c] as number)] as number)) gradient[i] = 0;
  }
}
