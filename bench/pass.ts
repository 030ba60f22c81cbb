/**
 * `npm run bench:pass`: what PASS saves and what that costs, beside the baselines, in one run: multiplications, average
 * precision, guest instructions on a Cortex-M4, noise, a second task. Clips that are not on this machine are left out, and said.
 *
 *     --short            drawn scenes alone, few frames: seconds
 *     --choose           frames 500–599 of PETS instead of 600–794: to choose settings on, never to report
 *     --no-guest         no instruction counts
 *     --json FILE        writes what docs/benchmarks.md is made of
 */
import { createHash } from "node:crypto";
import { CLIPS, type Clip, type ClipName, cutClip, loadClip } from "../host/data/clip.ts";
import { drawScene } from "../host/data/scene.ts";
import type { Net } from "../host/pass/net.ts";
import { parseArgs } from "./arguments.ts";
import { FRAME } from "./camera/tasks.ts";
import { writeJson } from "./json.ts";
import { type Machine, thisMachine } from "./machine.ts";
import { addNoise, type Counted, compare, count, METHODS, type Outcome, toInt8 } from "./pass/measure.ts";
import { loadNet, loadPilot, type Pilot } from "./pass/nets.ts";
import { printPass } from "./pass/report.ts";
import { measureStability, type Stability } from "./pass/stability.ts";
import { WindowNet } from "./pass/windows.ts";

/** One net on one clip. */
export interface PassCase {
  clip: string;
  net: string;
  frames: number;
  denseMacs: number;
  outcomes: Outcome[];
  counted: Counted[];
}

export interface PassResult {
  machine: Machine;
  cases: PassCase[];
  /** PETS and the pilot net with added noise, by σ. */
  noise: { sigma: number; outcomes: Outcome[] }[];
  stability: Stability[];
  /** Clips and nets that were not there. */
  missing: string[];
}

interface Options {
  short: boolean;
  choose: boolean;
  guest: boolean;
}

const SIGMAS = [0, 2, 4] as const;
/** Of PASS and the net it is compared with; the others do not depend on noise in any new way. */
const NOISY = ["dense", "guarded", "careful", "fast"];
/** A drawn scene that no net was trained on. */
const SCENE = { seed: 97, scenario: "street", noise: 1 } as const;

async function measure({ short, choose, guest }: Options): Promise<PassResult> {
  const result: PassResult = { machine: thisMachine(), cases: [], noise: [], stability: [], missing: [] };
  const look = async (clip: Clip, name: string, net: Net, counted: boolean): Promise<void> => {
    console.error(`${name} on ${clip.name}: ${clip.count} frames`);
    result.cases.push({
      clip: clip.name,
      net: name,
      frames: clip.count,
      denseMacs: (await WindowNet.create(net)).denseMacs,
      outcomes: await compare(net, clip, METHODS),
      counted: counted && guest ? await count(`${name}-${clip.name}`, net, clip, METHODS) : [],
    });
  };

  const pilot = short ? null : await loadPilot();
  const pets = short ? null : await loadClip("pets");
  if (pets !== null && pilot !== null) {
    await verify(pilot, pets);
    const part = choose ? cutClip(pets, 500, 600) : cutClip(pets, 600, 795);
    await look(part, "pilot", pilot.net, true);
    await look(part, "pets-separable", (await loadNet("pets-separable")).net, true);
    for (const sigma of SIGMAS) {
      console.error(`noise ${sigma}`);
      const methods = METHODS.filter(({ name }) => NOISY.includes(name));
      result.noise.push({ sigma, outcomes: await compare(pilot.net, addNoise(part, sigma), methods) });
    }
  } else if (!short) result.missing.push("pets2009-s2l1");
  if (choose) return result;

  const scene = drawScene({ ...FRAME, ...SCENE, frames: short ? 24 : 200 });
  for (const name of ["presence", "presence-separable"]) {
    await look(
      { ...scene, name: "drawn street" },
      name,
      (await loadNet(name)).net,
      !short || name === "presence",
    );
  }
  for (const name of (Object.keys(CLIPS) as ClipName[]).filter((one) => one !== "pets" && !short)) {
    const clip = await loadClip(name);
    if (clip === null) result.missing.push(`${CLIPS[name].set}/${name}`);
    else if (pilot !== null)
      await look(cutClip(clip, 0, Math.min(200, clip.count)), "pilot", pilot.net, false);
  }
  console.error("whole-frame classification");
  result.stability = await measureStability(short ? 20 : 100, short ? 2 : 12);
  return result;
}

/** The pilot net must give what whoever made it got, bit for bit. @throws Error where it does not */
async function verify(pilot: Pilot, pets: Clip): Promise<void> {
  const windows = await WindowNet.create(pilot.net);
  for (const { frame, digests, logits } of pilot.reference) {
    const output = windows.dense(toInt8(pets, frame));
    const own = windows.stages.map(({ data }) => createHash("sha256").update(data).digest("hex"));
    if (own.some((digest, i) => digest !== digests[i]) || output.some((logit, i) => logit !== logits[i]))
      throw new Error(`the pilot net computes frame ${frame} otherwise than its reference`);
  }
  console.error(
    `the pilot net's reference outputs of frames 0 and 600: equal in all ${windows.stages.length} layers`,
  );
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean", default: false },
      choose: { type: "boolean", default: false },
      "no-guest": { type: "boolean", default: false },
      json: { type: "string" },
    },
  });
  const result = await measure({ short: values.short, choose: values.choose, guest: !values["no-guest"] });
  printPass(result);
  if (values.json) await writeJson(values.json, result);
}

export { measure as measurePass };
