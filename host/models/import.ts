// A model of the ecosystem as an app: read, quantised on calibration data, compiled, and run on held-out data beside the float model.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildIntrinsics, buildModules } from "../build/modules.ts";
import type { Samples } from "../data/sample-file.ts";
import { ModuleHost, ModuleTrap, type Sample } from "../module/module-host.ts";
import { encodeNet } from "../pass/net.ts";
import { decodeStateRecord } from "../protocol/state-record.ts";
import { type Graph, ModelError, type Shape } from "./graph.ts";
import { headFile } from "./head.ts";
import { ARENA } from "./limits.ts";
import { readOnnx } from "./onnx/read.ts";
import { quantise, type Scaling } from "./quantise.ts";
import { runGraph } from "./reference.ts";
import { appSource, numbersSource } from "./source.ts";
import { readTflite } from "./tflite/read.ts";

export interface ImportOptions {
  /** Name of the app: a file name without its ending. */
  name: string;
  /** Name of the model file: its ending says what it is. */
  model: string;
  /** Frames to find ranges with, at most; 64. */
  frames?: number;
  /** Held-out frames to compare on, at most; 500. */
  test?: number;
  /** What a unit of a frame is worth in the model. */
  input?: Scaling;
  onProgress?(doing: string): void;
}

export interface ImportReport {
  input: Shape;
  /** Operators that were read. */
  layers: number;
  multiplications: number;
  /** Frames of calibration, and those that were compared. */
  calibrated: number;
  compared: number;
  /** Shares of right answers over labelled frames; null without labels. */
  accuracy: { float: number; int8: number } | null;
  /** Share of frames of which both say the same. */
  agreement: number;
  /** Bytes: of the module, of the linear memory that it uses. */
  module: number;
  memory: number;
}

export interface ImportedModel {
  app: string;
  numbers: string;
  /** Weights file of the head; null if the model ends otherwise. */
  head: Uint8Array | null;
  report: ImportReport;
}

/** A data-set pixel p is p >> 1 on a device, and p / 255 in most models. */
export const INPUT: Scaling = { scale: 1 / 127.5, zero: 0 };

/** @throws ModelError, before anything is written */
export async function importModel(
  file: Uint8Array,
  samples: Samples,
  options: ImportOptions,
): Promise<ImportedModel> {
  const { frames = 64, input = INPUT, model, name, test = 500, onProgress = () => {} } = options;
  const { calibration, heldOut } = split(samples, frames, test);
  const shape: Shape = [calibration[0]!.h, calibration[0]!.w, calibration[0]!.c];
  onProgress("reading");
  const graph = /\.tflite$/i.test(model) ? readTflite(file, shape) : readOnnx(file, shape);
  onProgress("calibrating");
  const real = ({ data }: Sample) => Float32Array.from(data, (q) => (q - input.zero) * input.scale);
  const quantised = quantise(graph, calibration.map(real), input);
  const net = quantised.net && encodeNet(quantised.net);
  const { head: last } = quantised;
  const head = last && headFile(last.node, net, last.input);
  const constants = (net?.length ?? 0) + (head?.length ?? 0);
  if (constants > ARENA) {
    throw new ModelError(
      `the model's constants take ${constants} bytes, and a module has ${ARENA} for everything: use a smaller model`,
    );
  }
  const numbers = numbersSource(name, net, head);
  const facts = {
    name,
    model,
    input: graph.input,
    classes: last ? last.node.bias.length : 0,
    hasBackbone: net !== null,
  };
  onProgress("compiling");
  const folder = await mkdtemp(join(tmpdir(), "octomote-import-"));
  try {
    await writeFile(join(folder, `${name}-net.ts`), numbers);
    await writeFile(join(folder, `${name}.ts`), appSource({ ...facts, notes: [] }));
    const [built] = await buildModules({
      apps: [join(folder, `${name}.ts`)],
      targets: ["device"],
      out: folder,
    });
    onProgress("comparing");
    const seen = await classesOf(built!.path, heldOut);
    const report = compare(graph, heldOut, real, seen.classes);
    const measured: ImportReport = {
      ...report,
      calibrated: calibration.length,
      module: built!.bytes,
      memory: seen.memory,
    };
    return { app: appSource({ ...facts, notes: notesOf(measured) }), numbers, head, report: measured };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Frames to calibrate with, spread over those that are learned from, and held-out ones to compare on. */
function split(samples: Samples, frames: number, test: number): { calibration: Sample[]; heldOut: Sample[] } {
  const all = Array.from({ length: samples.count }, (_, i) => i);
  const held = all.filter((i) => samples.at(i).heldOut);
  const learned = all.filter((i) => !samples.at(i).heldOut);
  if (learned.length === 0)
    throw new ModelError("there is no frame to calibrate with: all of them are held out");
  const every = Math.max(1, Math.floor(learned.length / frames));
  const calibration = learned.filter((_, i) => i % every === 0).slice(0, frames);
  const compared = (held.length > 0 ? held : learned).slice(0, test);
  const copy = (i: number): Sample => {
    const sample = samples.at(i);
    return { ...sample, data: sample.data.slice() };
  };
  return { calibration: calibration.map(copy), heldOut: compared.map(copy) };
}

/** What the compiled app says of each frame, none of which it learns from. */
async function classesOf(
  path: string,
  frames: readonly Sample[],
): Promise<{ classes: number[]; memory: number }> {
  const classes: number[] = [];
  let next = 0;
  const host = await ModuleHost.load(await readFile(path), {
    intrinsics: await readFile(await buildIntrinsics()),
    sensor: () => ({ ...(frames[next++] as Sample), heldOut: true }),
    publish: (_channel, bytes) => {
      classes.push(decodeStateRecord(bytes)?.class ?? -1);
    },
  });
  try {
    host.start();
    for (const _ of frames) host.step();
  } catch (error) {
    if (!(error instanceof ModuleTrap)) throw error;
    throw new ModelError(`the model does not run on a device: ${error.message}`);
  }
  return { classes, memory: host.memory.used };
}

const argmax = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
};

function compare(
  graph: Graph,
  frames: readonly Sample[],
  real: (sample: Sample) => Float32Array,
  seen: readonly number[],
): Omit<ImportReport, "calibrated" | "module" | "memory"> {
  const float = frames.map((frame) => argmax(runGraph(graph, real(frame)).at(-1)!));
  const share = (right: (i: number) => boolean, of: readonly number[]) => of.filter(right).length / of.length;
  const all = frames.map((_, i) => i);
  const labelled = all.filter((i) => frames[i]!.label >= 0);
  const label = (i: number) => frames[i]!.label;
  return {
    input: graph.input,
    layers: graph.nodes.length,
    multiplications: graph.nodes.reduce((sum, node) => {
      if (node.op !== "conv2d") return sum;
      return sum + node.shape[0] * node.shape[1] * node.weights.length;
    }, 0),
    compared: frames.length,
    accuracy:
      labelled.length === 0
        ? null
        : {
            float: share((i) => float[i] === label(i), labelled),
            int8: share((i) => seen[i] === label(i), labelled),
          },
    agreement: share((i) => float[i] === seen[i], all),
  };
}

function notesOf({ accuracy, agreement, calibrated, compared, memory }: ImportReport): string[] {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const right = accuracy
    ? `right on ${percent(accuracy.int8)} of them (in float ${percent(accuracy.float)}), `
    : "";
  return [
    `Calibrated with ${calibrated} frames, compared on ${compared}: ${right}the same as in float on ${percent(agreement)}.`,
    `It uses ${memory} bytes of linear memory.`,
  ];
}
