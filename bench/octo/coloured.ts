/**
 * Images of the shape of CIFAR-10, 32×32 in three channels, for when that set is not at hand: the drawn glyphs, each somewhere on a
 * darker ground whose colour changes across the image, under noise. Colours say nothing of the class.
 */

import type { Images } from "../../host/data/dataset.ts";
import { drawGlyphs, GLYPH_CLASSES, GLYPH_SIZE } from "../../host/data/glyphs.ts";
import { Random } from "../../host/data/random.ts";

export const COLOURED_SIZE = 32;
const CHANNELS = 3;
/** The ground is below this; a glyph is brighter by 16 … 128, in each channel by its own. Noise on either side. */
const GROUND = 120;
const NOISE = 24;
const SEED = 1;

export function drawColoured(limit: { train: number; test: number }) {
  return {
    // as of host/data: a set that is drawn
    name: "generated" as const,
    source: `glyphs in colour, drawn from seed ${SEED}`,
    height: COLOURED_SIZE,
    width: COLOURED_SIZE,
    channels: CHANNELS,
    classes: GLYPH_CLASSES,
    train: paint(limit.train, SEED),
    test: paint(limit.test, SEED ^ 0x5eed7e57),
  };
}

/** Image i depends on seed and i alone. */
function paint(count: number, seed: number): Images {
  const glyphs = drawGlyphs(count, seed);
  const pixels = new Uint8Array(count * COLOURED_SIZE * COLOURED_SIZE * CHANNELS);
  for (let image = 0, at = 0; image < count; image++) {
    const random = new Random(seed ^ 0x0c010ced, image);
    const glyph = image * GLYPH_SIZE * GLYPH_SIZE;
    const left = random.below(COLOURED_SIZE - GLYPH_SIZE + 1);
    const top = random.below(COLOURED_SIZE - GLYPH_SIZE + 1);
    const colours = Array.from({ length: CHANNELS }, () => {
      const ground = random.below(GROUND);
      const ink = ground + random.between(16, 128);
      return { ground, ink, slope: random.between(-2, 2) };
    });
    for (let y = 0; y < COLOURED_SIZE; y++) {
      for (let x = 0; x < COLOURED_SIZE; x++) {
        const inside = y >= top && y < top + GLYPH_SIZE && x >= left && x < left + GLYPH_SIZE;
        const alpha = inside ? glyphs.pixels[glyph + (y - top) * GLYPH_SIZE + x - left]! : 0;
        for (const { ground, ink, slope } of colours) {
          const mixed = (ink * alpha + ground * (255 - alpha)) / 255;
          const value = Math.floor(mixed) + slope * (x - y) + random.between(-NOISE, NOISE);
          pixels[at++] = Math.max(0, Math.min(255, value));
        }
      }
    }
  }
  return { count, pixels, labels: glyphs.labels };
}
