/** A backbone that knows eight classes, then a device that is shown two more: in Node, by the module that is deployed. */
import { setImmediate } from "node:timers/promises";
import type { Dataset, Images } from "../../host/data/dataset.ts";
import { permutation } from "../../host/data/random.ts";
import { ModuleHost, type Sample } from "../../host/module/module-host.ts";
import { decodeStateRecord } from "../../host/protocol/state-record.ts";

export interface Modules {
  wasm: Uint8Array<ArrayBuffer>;
  intrinsics: Uint8Array<ArrayBuffer>;
}

export interface PersonaliseBudget {
  /** Training images that there are, and test images. */
  train: number;
  test: number;
  /** Classes that the backbone does not know. */
  fresh: readonly number[];
  /** Over the images of the old classes, at `backboneRate`, ×0.2 at 60 % and 85 %. */
  epochs: number;
  backboneRate: number;
  /** Images of the old classes that the device sees, and may keep, before anything new. */
  life: number;
  /** Samples of each new class, and how often they are shown. */
  shots: number;
  shows: number;
  rate: number;
}

export interface Method {
  name: string;
  /** Bytes of the replay buffer, and old samples that are learned with each new one. */
  buffer: number;
  replays: number;
  /** Bits of an element in the buffer. */
  bits: number;
  /** Layers with weights that learn. */
  last: number;
}

/** Shares, 0 … 1: of test images of the old classes and of the new ones that are told among all ten. */
export interface Accuracy {
  old: number;
  fresh: number;
}

export interface Outcome {
  /** As the backbone came. */
  before: Accuracy;
  after: Accuracy;
  /** Samples in the buffer at the end. */
  kept: number;
  /** Steps that the new classes took, old samples included. */
  steps: number;
  /** Bytes of linear memory that the module needs. */
  memory: number;
}

/** After so many steps a run looks whether its process is still wanted. */
const STEPS_AT_ONCE = 500;

/** A module that is shown one sample at a time. */
export class Shown {
  #sample: Sample | null = null;
  #record: Uint8Array = new Uint8Array();
  #steps = 0;
  readonly host: ModuleHost;

  private constructor(host: ModuleHost) {
    this.host = host;
  }

  static async load(modules: Modules, seed: number, params: Record<string, number>): Promise<Shown> {
    let sensor: () => Sample | null = () => null;
    let publish: (bytes: Uint8Array) => void = () => {};
    const host = await ModuleHost.load(modules.wasm, {
      seed,
      params,
      intrinsics: modules.intrinsics,
      sensor: () => sensor(),
      publish: (_channel, bytes) => publish(bytes),
    });
    const shown = new Shown(host);
    sensor = () => shown.#sample;
    publish = (bytes) => {
      shown.#record = bytes;
    };
    host.start();
    return shown;
  }

  async show(sample: Sample): Promise<number | undefined> {
    this.#sample = sample;
    this.host.step();
    if (++this.#steps % STEPS_AT_ONCE === 0) await setImmediate();
    return decodeStateRecord(this.#record)?.class;
  }

  get record(): ReturnType<typeof decodeStateRecord> {
    return decodeStateRecord(this.#record);
  }
}

export function samplesOf(dataset: Dataset, images: Images, heldOut: boolean): Sample[] {
  const { height: h, width: w } = dataset;
  const values = Int8Array.from(images.pixels, (pixel) => pixel >> 1);
  return Array.from({ length: images.count }, (_, i) => ({
    data: values.subarray(i * h * w, (i + 1) * h * w),
    h,
    w,
    c: 1,
    label: images.labels[i]!,
    heldOut,
  }));
}

/** The learned state of a model that has seen the old classes only. */
export async function trainBackbone(
  modules: Modules,
  old: readonly Sample[],
  budget: PersonaliseBudget,
  seed: number,
): Promise<Uint8Array> {
  const steps = old.length * budget.epochs;
  const device = await Shown.load(modules, seed, { lr: budget.backboneRate, steps, last: 3, replays: 0 });
  for (let epoch = 0; epoch < budget.epochs; epoch++) {
    for (const i of permutation(old.length, seed, epoch)) await device.show(old[i]!);
  }
  return device.host.state();
}

export async function accuracyOf(
  device: Shown,
  test: readonly Sample[],
  classes: readonly number[],
): Promise<Accuracy> {
  const right = { old: 0, fresh: 0 };
  const all = { old: 0, fresh: 0 };
  for (const sample of test) {
    const part = classes.includes(sample.label) ? "fresh" : "old";
    all[part]++;
    if ((await device.show(sample)) === sample.label) right[part]++;
  }
  return { old: right.old / all.old, fresh: right.fresh / all.fresh };
}

export interface Situation {
  modules: Modules;
  backbone: Uint8Array;
  /** Images of the old classes for the device's life before, of the new classes, and for the test. */
  life: readonly Sample[];
  fresh: readonly Sample[];
  test: readonly Sample[];
  budget: PersonaliseBudget;
  seed: number;
}

export async function personalise(situation: Situation, method: Method): Promise<Outcome> {
  const { modules, backbone, life, fresh, test, budget, seed } = situation;
  const device = await Shown.load(modules, seed + 100, {
    lr: budget.rate,
    last: method.last,
    buffer: method.buffer,
    replays: method.replays,
    bits: method.bits,
  });
  device.host.restore(resized(backbone, device.host.state()));
  const before = await accuracyOf(device, test, budget.fresh);
  for (const sample of life) await device.show(sample);
  const started = device.record?.steps ?? 0;
  for (let show = 0; show < budget.shows; show++) {
    for (const i of permutation(fresh.length, seed, 1000 + show)) await device.show(fresh[i]!);
  }
  const steps = (device.record?.steps ?? 0) - started;
  const after = await accuracyOf(device, test, budget.fresh);
  return { before, after, kept: device.record?.kept ?? 0, steps, memory: device.host.memory.used };
}

/** The weights of one state in the frame of another, whose buffer has another size. */
function resized(state: Uint8Array, like: Uint8Array): Uint8Array {
  if (state.length === like.length) return state;
  const whole = like.slice();
  whole.set(state.subarray(16, 24), 16);
  const end = Math.min(state.length, like.length);
  whole.set(state.subarray(32, end), 32);
  return whole;
}
