/** Nets that the benchmark of PASS runs: the pilot of PETS, and those that this project trained (bench/nets). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { datasetFolders } from "../../host/data/dataset.ts";
import { DataError } from "../../host/data/file.ts";
import type { Conv2d, Net } from "../../host/pass/net.ts";

/** A net with where it comes from. */
export interface NamedNet {
  name: string;
  net: Net;
  source: string;
}

/** A layer of pilot-net.json. */
interface PilotLayer {
  inChannels: number;
  outChannels: number;
  kernel: number;
  stride: number;
  padding: number;
  weightsOHWI: string;
  bias: number[];
  multiplier: number[];
  clamp: [number, number];
}

interface PilotFile {
  input: { height: number; width: number };
  layers: PilotLayer[];
  reference: Record<string, { sha256OfEachLayerOutputHWC: string[]; logits: number[] }>;
}

export interface Pilot extends NamedNet {
  /** What another implementation computed, by frame: digests of every layer's output, and the logits. */
  reference: { frame: number; digests: string[]; logits: Int8Array }[];
}

/** The pilot net beside the PETS clip; null if no folder has it. */
export async function loadPilot(folders = datasetFolders("pets2009-s2l1")): Promise<Pilot | null> {
  for (const folder of folders) {
    const path = join(folder, "pilot-net.json");
    const text = await readFile(path, "utf8").catch(() => null);
    if (text !== null) return { ...parsePilot(text, path), source: path };
  }
  return null;
}

function parsePilot(text: string, path: string): Omit<Pilot, "source"> {
  let file: PilotFile;
  try {
    file = JSON.parse(text) as PilotFile;
  } catch (error) {
    throw new DataError(`${path}: ${(error as Error).message}`);
  }
  const { height, width } = file.input;
  const layers = file.layers.map((layer): Conv2d => {
    const weights = fromBase64(layer.weightsOHWI);
    const want = layer.outChannels * layer.inChannels * layer.kernel ** 2;
    if (weights.length !== want)
      throw new DataError(`${path}: ${weights.length} weights where the shape asks for ${want}`);
    return {
      kind: "conv2d",
      filters: layer.outChannels,
      kernel: layer.kernel,
      stride: layer.stride,
      padding: layer.padding,
      weights,
      bias: Int32Array.from(layer.bias),
      multiplier: layer.multiplier,
      lo: layer.clamp[0],
      hi: layer.clamp[1],
    };
  });
  const reference = Object.entries(file.reference).map(([frame, known]) => ({
    frame: Number(frame),
    digests: known.sha256OfEachLayerOutputHWC,
    logits: Int8Array.from(known.logits),
  }));
  return { name: "pilot", net: { input: [height, width, 1], layers }, reference };
}

const fromBase64 = (text: string): Int8Array => {
  const bytes = Buffer.from(text, "base64");
  return new Int8Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
};

/** A net of bench/nets as it is kept: small enough to read, exact enough to be the same on every machine. */
export interface NetFile {
  /** How it was made: script, seed, steps, data. */
  made: Record<string, string | number>;
  /** Average precision of its INT8 form on what it was tested with. */
  averagePrecision: number;
  input: readonly [number, number, number];
  layers: {
    filters: number;
    kernel: number;
    stride: number;
    padding: number;
    groups: number;
    lo: number;
    hi: number;
    /** int8 OHWI and int32, base64. */
    weights: string;
    bias: string;
    /** float32, base64: a factor per output channel. */
    multiplier: string;
  }[];
}

const base64 = (array: Int8Array | Int32Array | Float32Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");

export function encodeNetFile(net: Net, made: NetFile["made"], averagePrecision: number): NetFile {
  return {
    made,
    averagePrecision,
    input: net.input,
    layers: net.layers.map((layer) => {
      if (layer.kind !== "conv2d") throw new TypeError(`a ${layer.kind} layer has no place in a net file`);
      const { filters, kernel, stride = 1, padding = 0, groups = 1, lo = -128, hi = 127 } = layer;
      const factors = typeof layer.multiplier === "number" ? [layer.multiplier] : layer.multiplier;
      return {
        ...{
          filters,
          kernel: Number(kernel),
          stride: Number(stride),
          padding: Number(padding),
          groups,
          lo,
          hi,
        },
        weights: base64(layer.weights),
        bias: base64(layer.bias ?? new Int32Array(filters)),
        multiplier: base64(Float32Array.from(factors)),
      };
    }),
  };
}

export function decodeNetFile(file: NetFile): Net {
  return {
    input: file.input,
    layers: file.layers.map(({ weights, bias, multiplier, ...shape }): Conv2d => {
      const factors = fromBase64(multiplier).buffer as ArrayBuffer;
      return {
        kind: "conv2d",
        ...shape,
        weights: fromBase64(weights),
        bias: new Int32Array(fromBase64(bias).buffer as ArrayBuffer),
        multiplier: [...new Float32Array(factors)],
      };
    }),
  };
}

/** A net of bench/nets by its name. */
export async function loadNet(name: string): Promise<NamedNet & { file: NetFile }> {
  const path = new URL(`../nets/${name}.json`, import.meta.url);
  const file = JSON.parse(await readFile(path, "utf8")) as NetFile;
  return { name, net: decodeNetFile(file), source: `bench/nets/${name}.json`, file };
}
