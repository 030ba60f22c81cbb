/**
 * `npm run bench:pass-features`: bytes of a camera's features (docs/pass.md, "Features to a cloud half"), whole and without what did not
 * change, and the average precision of what a host makes of them.
 *
 *     --short            a drawn scene alone, few frames: seconds
 *     --choose           frames 500–599 of PETS, with every choice of codebook: to choose settings on, never to report
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { readFile } from "node:fs/promises";
import { buildSgq } from "../host/build/modules.ts";
import { type Clip, cutClip, loadClip } from "../host/data/clip.ts";
import { drawScene } from "../host/data/scene.ts";
import type { Net } from "../host/pass/net.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import { parseArgs } from "./arguments.ts";
import { FRAME, sceneOf } from "./camera/tasks.ts";
import { writeJson } from "./json.ts";
import { type Machine, thisMachine } from "./machine.ts";
import {
  type CodebookChoice,
  codebookOf,
  type FeatureRow,
  featuresOf,
  METHODS,
  measureFeatures,
} from "./pass/features.ts";
import { loadNet, loadPilot } from "./pass/nets.ts";
import { featuresTable } from "./pass/report.ts";

export interface FeatureCase {
  clip: string;
  net: string;
  frames: number;
  shape: readonly [number, number, number];
  choice: CodebookChoice;
  codebook: number;
  rows: FeatureRow[];
}

export interface FeaturesResult {
  machine: Machine;
  cases: FeatureCase[];
  missing: string[];
}

/** Chosen on frames 500–599 of PETS. */
const CHOICE: CodebookChoice = { bits: 2, scale: 0.4, patch: [1, 1] };
const CHOICES: readonly CodebookChoice[] = [
  CHOICE,
  ...[0.4, 0.7, 1.2].map((scale): CodebookChoice => ({ bits: 1, scale, patch: [1, 1] })),
  { ...CHOICE, patch: [2, 2] },
  { ...CHOICE, patch: [3, 3] },
];
/** A codebook is made of every so many-th frame. */
const EVERY = 8;
/** Frames of a drawn scene, of those that a net learned from and of one that it did not. */
const SCENE = { seed: 97, scenario: "street", noise: 1 } as const;
const LEARNED = 1000;

interface Options {
  short: boolean;
  choose: boolean;
}

async function measure({ short, choose }: Options): Promise<FeaturesResult> {
  const codec = await SgqCodec.load(new Uint8Array(await readFile(await buildSgq())));
  const result: FeaturesResult = { machine: thisMachine(), cases: [], missing: [] };
  const look = async (name: string, net: Net, learned: readonly Int8Array[], clip: Clip): Promise<void> => {
    for (const choice of choose ? CHOICES : [CHOICE]) {
      const book = await codebookOf(codec, net, learned, choice);
      const { shape } = book.book;
      console.error(`${name} on ${clip.name}: ${clip.count} frames, ${JSON.stringify(choice)}`);
      const rows: FeatureRow[] = [];
      for (const method of METHODS) rows.push(await measureFeatures(codec, book, net, clip, method));
      const about = { clip: clip.name, net: name, frames: clip.count, shape, choice };
      result.cases.push({ ...about, codebook: book.bytes.length, rows });
    }
  };
  const pilot = short ? null : await loadPilot();
  const pets = short ? null : await loadClip("pets");
  if (pilot && pets) {
    const learned = await featuresOf(pilot.net, cutClip(pets, 0, 500), EVERY);
    await look("pilot", pilot.net, learned, choose ? cutClip(pets, 500, 600) : cutClip(pets, 600, 795));
  } else if (!short) result.missing.push("pets2009-s2l1");
  if (choose) return result;
  const { net } = await loadNet("presence");
  const scenes = Array.from({ length: short ? 1 : 6 }, (_, i) => sceneOf(LEARNED + i, 64));
  const learned = await Promise.all(scenes.map((scene) => featuresOf(net, scene, EVERY)));
  const scene = drawScene({ ...FRAME, ...SCENE, frames: short ? 40 : 200 });
  await look("presence", net, learned.flat(), { ...scene, name: "drawn street" });
  return result;
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs(
    {
      options: {
        short: { type: "boolean", default: false },
        choose: { type: "boolean", default: false },
        json: { type: "string" },
      },
    },
    "bench:pass-features",
  );
  const result = await measure({ short: values.short, choose: values.choose });
  for (const one of result.cases) {
    const { bits, scale, patch } = one.choice;
    console.log(`\n${one.net} on ${one.clip}: ${bits} bit at ${scale}, patches of ${patch.join("×")}\n`);
    console.log(featuresTable(one));
  }
  for (const one of result.missing) console.log(`\n${one} is not on this machine: left out`);
  if (values.json) await writeJson(values.json, result);
}

export { measure as measurePassFeatures };
