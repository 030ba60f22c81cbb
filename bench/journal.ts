/**
 * `npm run bench:journal`: what it costs that a trainer forces its journal to the disk before it acknowledges a sample. Labelled SGQ frames
 * of 14 × 14 × 16 features go into a trainer that does not learn, in bursts as a broker delivers them, until all are acknowledged; with and
 * without fsync, in turns.
 *
 *     --samples N    of a round (2,000)
 *     --json FILE    writes what docs/benchmarks.md is made of
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as breathe } from "node:timers/promises";
import { buildCloudKernels, buildSgq } from "../host/build/modules.ts";
import { sketchCodebook } from "../host/cloud/codebook/train.ts";
import { CloudTrainer } from "../host/cloud/trainer.ts";
import { Random } from "../host/data/random.ts";
import { encodeLabelled } from "../host/protocol/labelled.ts";
import { SgqCodec } from "../host/sgq/codec.ts";
import { fitContexts } from "../host/sgq/fit.ts";
import { parseArgs } from "./arguments.ts";
import { writeJson } from "./json.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { markdownTable } from "./tables.ts";

export interface JournalResult {
  machine: Machine;
  samples: number;
  burst: number;
  /** Samples per second of the best round. */
  fsync: number;
  without: number;
}

const SHAPE = [14, 14, 16] as const;
const ELEMENTS = 14 * 14 * 16;
/** Publications that are there at once. */
const BURST = 32;
const ROUNDS = 9;
const DISTINCT = 200;

/** Features with a spot in each channel: frames of some dozen bytes. */
function spots(random: Random): Int8Array {
  const x = new Int8Array(ELEMENTS);
  for (let c = 0; c < SHAPE[2]; c++) {
    const [cx, cy, r] = [random.below(14), random.below(14), 2 + random.below(3)];
    for (let i = 0; i < 196; i++) {
      const far = ((i % 14) - cx) ** 2 + (Math.floor(i / 14) - cy) ** 2;
      if (far < r * r) x[i * SHAPE[2] + c] = 40;
    }
  }
  return x;
}

export async function measureJournal(samples: number): Promise<JournalResult> {
  const codec = await SgqCodec.load(await readFile(await buildSgq()));
  const kernels = await readFile(await buildCloudKernels());
  const random = new Random(1);
  const features = Array.from({ length: DISTINCT }, () => spots(random));
  const tools = { codec, fitContexts };
  const thresholds = Array.from({ length: SHAPE[2] }, () => [8]);
  const book = sketchCodebook(tools, features, { model: 1, version: 1, shape: SHAPE, thresholds });
  const publications = Array.from({ length: samples }, (_, sequence) => {
    const frame = codec.encode(book, [features[sequence % DISTINCT] as Int8Array], { sequence });
    return encodeLabelled([{ label: sequence % 10, heldOut: false }], frame);
  });
  const round = async (fsync: boolean): Promise<number> => {
    const folder = await mkdtemp(join(tmpdir(), "octomote-journal-"));
    let kept = 0;
    const trainer = await CloudTrainer.create({
      tools,
      kernels,
      shape: SHAPE,
      layers: [{ kind: "dense", units: 10 }],
      mode: "frozen",
      folder,
      fsync,
      kept: (receipts) => {
        kept += receipts.length;
      },
    });
    trainer.takeCodebook(book.bytes);
    const start = process.hrtime.bigint();
    for (const [i, payload] of publications.entries()) {
      trainer.take("device", payload);
      if (i % BURST === BURST - 1) await breathe();
    }
    await trainer.settled();
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    trainer.close();
    await rm(folder, { recursive: true });
    if (kept !== samples) throw new Error(`${kept} of ${samples} samples were acknowledged`);
    return samples / seconds;
  };
  const best = { fsync: 0, without: 0 };
  for (let n = 0; n < ROUNDS; n++) {
    best.fsync = Math.max(best.fsync, await round(true));
    best.without = Math.max(best.without, await round(false));
  }
  const [fsync, without] = [best.fsync, best.without].map(Math.round) as [number, number];
  return { machine: thisMachine(), samples, burst: BURST, fsync, without };
}

export function journalTable({ fsync, without }: JournalResult): string {
  const rows: readonly (readonly [string, number])[] = [
    ["forced to the disk", fsync],
    ["`--no-fsync`", without],
  ];
  return markdownTable(
    ["journal", "samples per second", "of that without"],
    rows.map(([name, speed]) => [name, speed, `${((100 * speed) / without).toFixed(0)} %`]),
  );
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { samples: { type: "string", default: "2000" }, json: { type: "string" } },
  });
  const result = await measureJournal(Number(values.samples));
  console.log(journalTable(result));
  if (values.json) await writeJson(values.json, result);
}

if (process.argv[1] === import.meta.filename) await main();
