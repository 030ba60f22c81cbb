/** The nets of the accuracy table: as the FP32 reference has them, and by their number in bench/apps/accuracy. */
import { type LayerSpec, type NetSpec, planNet, REFERENCE_NET } from "../net.ts";

import type { DataName } from "./budget.ts";

export type NetName = "6.0k" | "30k" | "MLP" | "434k" | "residual";

const conv = (filters: number): LayerSpec[] => [
  { kind: "conv2d", filters, kernel: 5 },
  { kind: "relu" },
  { kind: "maxPool", size: 2 },
];
const hidden = (units: number): LayerSpec[] => [{ kind: "dense", units }, { kind: "relu" }];
const classes: LayerSpec = { kind: "dense", units: 10 };

/** Two 3×3 convolutions and the way around them; `from` is the index of the layer that they stand on. */
const block = (filters: number, from: number): LayerSpec[] => [
  { kind: "conv2d", filters, kernel: 3, padding: 1 },
  { kind: "relu" },
  { kind: "conv2d", filters, kernel: 3, padding: 1 },
  { kind: "residual", from },
  { kind: "relu" },
];

const net = (...layers: LayerSpec[]): NetSpec => ({ input: [28, 28, 1], layers });

export interface NamedNet {
  /** Its number in bench/apps/accuracy/accuracy.ts. */
  readonly number: number;
  readonly text: string;
  readonly spec: NetSpec;
  /** Pages of 64 KiB that the module's memory has: one is what a device gives. */
  readonly pages: number;
  readonly data: DataName;
}

export const NETS: Readonly<Record<NetName, NamedNet>> = {
  "6.0k": {
    number: 0,
    text: "conv 5×5×8, pool, conv 5×5×16, pool, dense 10",
    spec: REFERENCE_NET,
    pages: 1,
    data: "fashion-mnist",
  },
  "30k": {
    number: 1,
    text: "conv 5×5×8, pool, conv 5×5×24, pool, dense 64, dense 10",
    spec: net(...conv(8), ...conv(24), ...hidden(64), classes),
    pages: 4,
    data: "fashion-mnist",
  },
  MLP: {
    number: 2,
    text: "dense 200, dense 100, dense 50, dense 10",
    spec: net(...hidden(200), ...hidden(100), ...hidden(50), classes),
    pages: 16,
    data: "fashion-mnist",
  },
  "434k": {
    number: 3,
    text: "conv 5×5×30, pool, dense 100, dense 10 (the net of the authors' demo)",
    spec: net(...conv(30), ...hidden(100), classes),
    pages: 40,
    data: "fashion-mnist",
  },
  residual: {
    number: 4,
    text: "conv 3×3×8 by 2, residual block of 8, pool, conv 3×3×16, residual block of 16, pool, dense 10",
    spec: {
      input: [32, 32, 3],
      layers: [
        { kind: "conv2d", filters: 8, kernel: 3, stride: 2, padding: 1 },
        { kind: "relu" },
        ...block(8, 1),
        { kind: "maxPool", size: 2 },
        { kind: "conv2d", filters: 16, kernel: 3, padding: 1 },
        { kind: "relu" },
        ...block(16, 9),
        { kind: "maxPool", size: 2 },
        classes,
      ],
    },
    pages: 4,
    data: "coloured",
  },
};

export const parametersOf = (name: NetName): number =>
  planNet(NETS[name].spec).reduce((sum, layer) => sum + layer.parameters, 0);
