/**
 * `npm run bench:octo -- --endurance STEPS`: a training much longer than any table's, at a constant rate, which gives weights and
 * ranges every chance to run away. Told at each checkpoint: accuracy, weights that reached the edge of their range until then, and of
 * each layer what one weight and one activation are worth.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openState, STATE_HEADER_BYTES } from "../../host/protocol/checkpoint.ts";
import { decodeStateRecord } from "../../host/protocol/state-record.ts";
import { type Machine, machineText, thisMachine } from "../machine.ts";
import { planNet } from "../net.ts";
import { markdownTable, percent } from "../tables.ts";
import { type Budget, type DataName, FULL, loadData, orderOf } from "./budget.ts";
import { NETS } from "./nets.ts";
import { PosixHost } from "./posix.ts";
import { moduleWith } from "./rows.ts";

const NET = NETS["6.0k"];
const STEPS_AT_ONCE = 500;
/** The largest master of a weight. */
const MASTER_MAX = 32_512;

export interface LayerHealth {
  name: string;
  /** log2 of what one INT8 weight is worth: it grows by one when a weight has reached the edge. */
  exponent: number;
  /** What 128 activations are worth. */
  range: number;
  /** The largest weight, as a share of what the layer can hold now. */
  largest: number;
  bias: number;
}

export interface Checkpoint {
  steps: number;
  /** 0 … 1, on the test images. */
  accuracy: number;
  /** Mean cross-entropy of about the last 128 samples, nats. */
  loss: number;
  /** Weights that reached the edge since the first step. */
  saturated: number;
  layers: LayerHealth[];
}

export interface EnduranceResult {
  data: string;
  train: number;
  test: number;
  rate: number;
  seed: number;
  steps: number;
  module: string;
  machine: Machine;
  checkpoints: Checkpoint[];
}

export interface EnduranceOptions {
  steps: number;
  checkpoints: number;
  data: DataName;
  train: number;
  test: number;
  /** Told at each checkpoint, with what there is until then. */
  onCheckpoint?(checkpoint: Checkpoint, result: EnduranceResult): Promise<void> | void;
}

export async function measureEndurance(options: EnduranceOptions): Promise<EnduranceResult> {
  const { steps, data, train, test } = options;
  const seed = 0;
  const budget: Budget = { ...FULL, train, test, epochs: Math.ceil(steps / train), dropsAt: [] };
  const every = Math.ceil(steps / options.checkpoints);
  const dataset = await loadData(data, budget);
  const folder = await mkdtemp(join(tmpdir(), "octomote-endurance-"));
  try {
    const module = await moduleWith(NET.pages, folder);
    // no total number of steps, and no schedule: the rate stays as it is
    const params = { lr: budget.rate, net: NET.number };
    const host = await PosixHost.open({ ...module, seed, params, data: dataset, folder });
    const { name, source } = dataset;
    const result: EnduranceResult = {
      data: `${name} (${source})`,
      train: dataset.train.count,
      test: dataset.test.count,
      rate: budget.rate,
      seed,
      steps: 0,
      module: module.sha256,
      machine: thisMachine(),
      checkpoints: [],
    };
    const look = async (after: number): Promise<void> => {
      let right = 0;
      let record: Uint8Array = new Uint8Array();
      for (let i = 0; i < dataset.test.count; i += STEPS_AT_ONCE) {
        const n = Math.min(STEPS_AT_ONCE, dataset.test.count - i);
        const images = Array.from({ length: n }, (_, k) => dataset.train.count + i + k);
        for (const [k, one] of (await host.step(images)).records.entries()) {
          if (decodeStateRecord(one)?.class === dataset.test.labels[i + k]) right++;
          record = one;
        }
      }
      const told = decodeStateRecord(record);
      const checkpoint = {
        steps: after,
        accuracy: right / dataset.test.count,
        loss: told?.loss ?? Number.NaN,
        saturated: told?.saturated ?? Number.NaN,
        layers: healthOf(await host.state()),
      };
      result.steps = after;
      result.checkpoints.push(checkpoint);
      await options.onCheckpoint?.(checkpoint, result);
    };
    let step = 0;
    let images: number[] = [];
    for (const image of orderOf(budget, seed)) {
      images.push(image);
      const now = step + images.length;
      const due = now % every === 0 || now === steps;
      if (!due && images.length < STEPS_AT_ONCE) continue;
      await host.step(images);
      step = now;
      images = [];
      if (due) await look(step);
      if (step === steps) break;
    }
    host.close();
    return result;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Reads the layers of a state (docs/abi.md, "Learned state"): range, exponent, int16 masters, int32 biases. */
function healthOf(bytes: Uint8Array): LayerHealth[] {
  const state = openState(bytes);
  const view = new DataView(state.buffer, state.byteOffset, state.length);
  let at = STATE_HEADER_BYTES;
  const layers: LayerHealth[] = [];
  for (const { name, output, parameters } of planNet(NET.spec)) {
    if (parameters === 0) continue;
    const filters = output[2];
    const count = parameters - filters;
    let largest = 0;
    let bias = 0;
    const biases = 16 + ((2 * count + 3) & ~3);
    for (let i = 0; i < count; i++)
      largest = Math.max(largest, Math.abs(view.getInt16(at + 16 + 2 * i, true)));
    for (let o = 0; o < filters; o++)
      bias = Math.max(bias, Math.abs(view.getInt32(at + biases + 4 * o, true)));
    layers.push({
      name,
      exponent: view.getInt32(at + 8, true),
      range: Number(view.getBigUint64(at, true)) / 2 ** 32,
      largest: largest / MASTER_MAX,
      bias: bias / 2 ** 20,
    });
    at += (biases + 4 * filters + 7) & ~7;
  }
  return layers;
}

export const enduranceText = ({ data, train, test, rate, seed, steps, machine }: EnduranceResult): string =>
  [
    `${steps.toLocaleString("en-US")} steps of the net of 5,994 parameters at a constant rate of ${rate}, seed ${seed};`,
    `${data}, ${train.toLocaleString("en-US")} training and ${test.toLocaleString("en-US")} test images; ${machineText(machine)}.`,
  ].join("\n");

/** A line for each checkpoint. */
export function enduranceTable({ checkpoints }: EnduranceResult): string {
  const names = checkpoints[0]!.layers.map(({ name }) => name);
  const head = [
    "steps",
    "accuracy, %",
    "loss",
    "weights at the edge",
    ...names.map((name) => `${name}: weight unit, largest, range`),
  ];
  const lines = checkpoints.map(({ steps, accuracy, loss, saturated, layers }) => [
    steps,
    percent(accuracy),
    loss.toFixed(3),
    saturated,
    ...layers.map(({ exponent, largest, range }) =>
      `2^${exponent}, ${(100 * largest).toFixed(0)} %, ${range.toFixed(1)}`.replaceAll("-", "−"),
    ),
  ]);
  return markdownTable(head, lines, []);
}
