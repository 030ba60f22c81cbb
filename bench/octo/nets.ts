/** The nets of the accuracy table: as the FP32 reference has them, and by their number in bench/apps/accuracy. */
import { type LayerSpec, type NetSpec, planNet, REFERENCE_NET } from "../net.ts";

export type NetName = "6.0k" | "30k" | "MLP" | "434k";

const conv = (filters: number): LayerSpec[] => [
  { kind: "conv2d", filters, kernel: 5 },
  { kind: "relu" },
  { kind: "maxPool", size: 2 },
];
const hidden = (units: number): LayerSpec[] => [{ kind: "dense", units }, { kind: "relu" }];
const classes: LayerSpec = { kind: "dense", units: 10 };

const net = (...layers: LayerSpec[]): NetSpec => ({ input: [28, 28, 1], layers });

export interface NamedNet {
  /** Its number in bench/apps/accuracy/accuracy.ts. */
  readonly number: number;
  readonly text: string;
  readonly spec: NetSpec;
  /** Pages of 64 KiB that the module's memory has: one is what a device gives. */
  readonly pages: number;
}

export const NETS: Readonly<Record<NetName, NamedNet>> = {
  "6.0k": {
    number: 0,
    text: "conv 5×5×8, pool, conv 5×5×16, pool, dense 10",
    spec: REFERENCE_NET,
    pages: 1,
  },
  "30k": {
    number: 1,
    text: "conv 5×5×8, pool, conv 5×5×24, pool, dense 64, dense 10",
    spec: net(...conv(8), ...conv(24), ...hidden(64), classes),
    pages: 4,
  },
  MLP: {
    number: 2,
    text: "dense 200, dense 100, dense 50, dense 10",
    spec: net(...hidden(200), ...hidden(100), ...hidden(50), classes),
    pages: 16,
  },
  "434k": {
    number: 3,
    text: "conv 5×5×30, pool, dense 100, dense 10 (the net of the authors' demo)",
    spec: net(...conv(30), ...hidden(100), classes),
    pages: 40,
  },
};

export const parametersOf = (name: NetName): number =>
  planNet(NETS[name].spec).reduce((sum, layer) => sum + layer.parameters, 0);
