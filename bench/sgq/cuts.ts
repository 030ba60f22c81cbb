/** Networks that are cut in two for joint training: what the device has, what the cloud has, and the levels of the features between. */
import type { LayerSpec, Shape } from "../../host/cloud/layers.ts";
import { FILTERS } from "./halves.ts";

export interface Cut {
  /** Shape of the features. */
  readonly name: string;
  readonly shape: Shape;
  readonly device: readonly LayerSpec[];
  readonly cloud: readonly LayerSpec[];
  /** Thresholds of each channel: one less than levels. */
  readonly planes: number;
  /** What the rate is steered to, in the usual contexts: a codebook with contexts of its own takes an eighth to a quarter less. */
  readonly bytes: number;
  /** Tables of a codebook, in bytes, and the samples that its contexts are chosen on. */
  readonly tables: number;
  readonly contextsFrom: number;
}

const HEAD: readonly LayerSpec[] = [
  { kind: "dense", units: 64 },
  { kind: "dense", units: 10 },
];

export const LATE: Cut = {
  name: "7×7×8",
  shape: [7, 7, 8],
  device: [
    { kind: "conv2d", filters: FILTERS, kernel: 3, padding: 1 },
    { kind: "maxPool" },
    { kind: "conv2d", filters: 8, kernel: 3, stride: 2, padding: 1 },
  ],
  cloud: HEAD,
  planes: 5,
  bytes: 66,
  tables: 4096,
  contextsFrom: 1000,
};

/** The cut of the rate–accuracy table, its device half with as many channels as that has, or fewer. */
const early = (channels: number): Cut => ({
  name: `14×14×${channels}`,
  shape: [14, 14, channels],
  device: [{ kind: "conv2d", filters: channels, kernel: 3, padding: 1 }, { kind: "maxPool" }],
  cloud: [{ kind: "conv2d", filters: 32, kernel: 3, stride: 2, padding: 1 }, ...HEAD],
  planes: 3,
  bytes: 126,
  tables: 8192,
  contextsFrom: 400,
});

export const EARLY = early(8);
export const EARLY_16 = early(FILTERS);
