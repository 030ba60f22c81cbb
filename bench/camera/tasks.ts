/** What `npm run train:camera` makes: for each net its shape, its data and its budget. */
import { type Clip, cutClip, loadClip } from "../../host/data/clip.ts";
import { KINDS } from "../../host/data/scene/actors.ts";
import { drawScene, type Scenario } from "../../host/data/scene.ts";
import type { NetSpec } from "../net.ts";
import { presenceNet, type Widths } from "./nets.ts";
import { type Example, examplesOf } from "./train.ts";

export interface Task {
  name: string;
  spec: NetSpec;
  steps: number;
  seed: number;
  /** See TrainOptions. */
  shift: number;
  /** For people: where the frames are from. */
  about: string;
  /** Null if they are not on this machine. */
  data(): Promise<{ train: Example[]; test: Example[] } | null>;
}

/** Size of the camera app's frame: what fits mps2-an386 (docs/pass.md). */
export const FRAME = { width: 96, height: 72 } as const;
/** The net that the app carries. */
export const APP_NET = "presence";

/** Seeds of the scenes that are learned from begin here, those of the tests there. No seed is in both. */
const LEARNED = 1000;
const TESTED = 50;
const SCENES = { train: 160, test: 24 } as const;
const FRAMES = 240;
/** Drawn places beside the one of PETS, so that its background is not learned by heart. */
const STREETS = 25;
const SCENARIOS: readonly Scenario[] = ["street", "crowd", "street", "foliage", "crowd", "light-step"];

/** Scene number i of a part: another place, another light, another noise. */
export function sceneOf(seed: number, frames = FRAMES): Clip {
  const scenario = SCENARIOS[seed % SCENARIOS.length] as Scenario;
  return drawScene({ ...FRAME, scenario, seed, frames, noise: seed % 3 });
}

async function scenes(kinds?: readonly string[]): Promise<{ train: Example[]; test: Example[] }> {
  const draw = (first: number, count: number, every: number) =>
    Array.from({ length: count }, (_, i) => examplesOf(sceneOf(first + i), every, kinds)).flat();
  return { train: draw(LEARNED, SCENES.train, 8), test: draw(TESTED, SCENES.test, 12) };
}

async function pets(): Promise<{ train: Example[]; test: Example[] } | null> {
  const clip = await loadClip("pets");
  if (clip === null) return null;
  const street = (seed: number) => drawScene({ scenario: "crowd", seed, frames: 160, kinds: ["person"] });
  const streets = Array.from({ length: STREETS }, (_, i) => examplesOf(street(LEARNED + i), 16)).flat();
  return {
    train: [...examplesOf(cutClip(clip, 0, 500), 1), ...streets],
    test: examplesOf(cutClip(clip, 500, 600), 1),
  };
}

const SMALL: Widths = [8, 16, 32, 32];
const SCENES_TEXT = `${SCENES.train} drawn scenes of ${FRAME.width}×${FRAME.height}`;

const onScenes = (name: string, widths: Widths, separable: boolean, steps: number): Task => ({
  name,
  spec: presenceNet(FRAME.height, FRAME.width, widths, separable),
  steps,
  seed: 1,
  shift: 0,
  about: SCENES_TEXT,
  data: () => scenes(),
});

export const TASKS: readonly Task[] = [
  onScenes(APP_NET, SMALL, false, 6000),
  onScenes("presence-separable", [8, 16, 64, 64], true, 9000),
  {
    name: "pets-separable",
    spec: presenceNet(120, 160, [16, 32, 96, 96], true),
    steps: 3500,
    seed: 1,
    shift: 2,
    about: `frames 0–499 of PETS 2009 S2.L1, and ${STREETS} drawn streets`,
    data: pets,
  },
  {
    name: "kinds",
    spec: presenceNet(FRAME.height, FRAME.width, SMALL, false, KINDS.length),
    steps: 4000,
    seed: 1,
    shift: 0,
    about: `${SCENES_TEXT}; ${KINDS.join(" and ")} told apart`,
    data: () => scenes(KINDS),
  },
];
