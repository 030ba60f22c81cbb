// Features as a device half gives them, small: each class lights another patch in channel 0, channel 1 follows channel 0, channel 2 is
// noise, and channel 3 is always zero.
import { Random } from "../../../host/data/random.ts";

export const SHAPE = [6, 6, 4] as const;
export const CLASSES = 3;

export interface Labelled {
  readonly features: Int8Array;
  readonly label: number;
}

export function sampleOf(seed: number, label = seed % CLASSES): Labelled {
  const [h, w, c] = SHAPE;
  const random = new Random(seed, 0xfea7);
  const features = new Int8Array(h * w * c);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const lit = Math.floor(x / 2) === label && y > 0 && y < 5;
      const at = (y * w + x) * c;
      features[at] = lit ? random.between(40, 90) : random.between(0, 6);
      features[at + 1] = (features[at] as number) >> 1;
      features[at + 2] = random.below(8) === 0 ? random.between(20, 60) : 0;
    }
  }
  return { features, label };
}

export function samplesOf(count: number, seed = 0): { features: Int8Array[]; labels: number[] } {
  const samples = Array.from({ length: count }, (_, i) => sampleOf(seed + i));
  return { features: samples.map((one) => one.features), labels: samples.map((one) => one.label) };
}
