// Gradients for device halves: what the network says of its input, as an SGQ gradient frame (docs/sgq.md, "Gradient").

import { Random } from "../data/random.ts";
import type { Sgq } from "../sgq/types.ts";
import type { Shape } from "./codebook/train.ts";
import { UNIT } from "./input.ts";

/** Bits that the largest value has as an integer: more than 8 bits of a group can tell, and no sum overflows. */
const MAGNITUDE_BITS = 24;
/** Channels that share an exponent: none. A byte for each is little beside half a byte for each element, and what is small next to another channel is heard. */
const GROUP = 1;

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
  const key = new Random(seed, to.sequence).next();
  return codec.encodeGradient(to, { shape, values, exponent, group: GROUP, bits, key });
}
