/**
 * What benches of SGQ on Fashion-MNIST have in common: their options, and a result that grows row by row, so that a second run goes on
 * from the file of the first.
 */
import { readFile } from "node:fs/promises";
import type { Dataset } from "../../host/data/dataset.ts";
import { parseArgs, whole } from "../arguments.ts";
import { writeJson } from "../json.ts";
import { type Machine, thisMachine } from "../machine.ts";
import { PIXELS } from "./halves.ts";

export interface GrowingResult<Row> {
  machine: Machine;
  dataset: string;
  images: number;
  epochs: number;
  untouched?: boolean;
  rows: Row[];
}

export interface SgqBudget {
  /** Images of training, and passes over them. */
  readonly images: number;
  readonly epochs: number;
  readonly seeds: number;
  /** Images at the end of the training set are for choices: nothing learns from them. */
  readonly validation: number;
  readonly test: number;
  /** Test images are the training images before those for choices: no choice was measured on them. */
  readonly untouched?: boolean;
}

interface Images {
  readonly pixels: Uint8Array;
  readonly labels: Uint8Array;
}

/** @throws Error when images that must be untouched are among those of training */
export function testImages(
  { train, test }: Dataset,
  { images, validation, test: count, untouched }: Omit<SgqBudget, "seeds">,
): Images {
  if (!untouched) return test;
  const from = train.count - validation - count;
  if (images > from) throw new Error(`--untouched leaves ${from} images of training: use --images ${from}`);
  return {
    pixels: train.pixels.subarray(from * PIXELS, (from + count) * PIXELS),
    labels: train.labels.subarray(from, from + count),
  };
}

export interface SgqBench<Row, Options extends SgqBudget> {
  /** What `--short` does. */
  short: Options;
  /** What `--only` leaves of everything. */
  all(budget: SgqBudget, wanted: (name: string) => boolean): Options;
  /** Measures what `result` does not have yet; `keep` is called after every row. */
  measure(result: GrowingResult<Row>, options: Options, keep: () => Promise<void>): Promise<void>;
  table(result: GrowingResult<Row>): string;
}

export async function runSgqBench<Row, Options extends SgqBudget>(
  bench: SgqBench<Row, Options>,
): Promise<void> {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      images: { type: "string", default: "20000" },
      epochs: { type: "string", default: "2" },
      seeds: { type: "string", default: "3" },
      only: { type: "string", default: "" },
      untouched: { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const { json } = values;
  const only = new RegExp(values.only);
  const number = (name: "images" | "epochs" | "seeds"): number => whole(name, values[name]);
  const asked = {
    images: number("images"),
    epochs: number("epochs"),
    seeds: number("seeds"),
    ...(values.untouched && { untouched: true }),
  };
  const options = values.short
    ? bench.short
    : bench.all({ ...asked, validation: 5000, test: 10_000 }, (name) => only.test(name));
  const result = await resultOf<Row>(json, options);
  await bench.measure(result, options, async () => {
    if (json !== undefined) await writeJson(json, result);
  });
  console.log(bench.table(result));
}

/** What the file has of this budget; else nothing. */
async function resultOf<Row>(
  json: string | undefined,
  { images, epochs, untouched }: SgqBudget,
): Promise<GrowingResult<Row>> {
  const old = json === undefined ? undefined : await readFile(json, "utf8").catch(() => undefined);
  const known = old === undefined ? undefined : (JSON.parse(old) as GrowingResult<Row>);
  if (known?.images === images && known.epochs === epochs && known.untouched === untouched) return known;
  return {
    machine: thisMachine(),
    dataset: "",
    images,
    epochs,
    ...(untouched && { untouched }),
    rows: [],
  };
}
