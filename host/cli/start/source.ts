// What the sensors of `octomote start` give: labelled images, or the frames of a camera.

import { access } from "node:fs/promises";
import type { Clip } from "../../data/clip.ts";
import type { Dataset, DatasetName } from "../../data/dataset.ts";
import type { Scenario } from "../../data/scene.ts";
import type { App } from "../support/apps.ts";
import { UsageError } from "../support/exit.ts";
import { count } from "../support/format.ts";
import { harmless } from "../support/style.ts";

/** Sample files for devices. */
export interface SampleSource {
  /** What `bridge/info` and the report call it. */
  name: string;
  /** For people. */
  about: string;
  /** Labelled images, where that is what it gives. */
  dataset?: Dataset;
  /** Labels of whole frames, where a camera's frames have some. */
  classes?: number;
  /** A sample file; each device has its own seed. */
  samples(seed: number): Uint8Array;
}

export interface SourceOptions {
  app: App;
  data: DatasetName;
  images: number;
  /** A scenario, a file of raw frames, or a video; makes the sensor a camera. */
  frames?: string;
  frameSize: FrameSize;
  /** Frames per second. */
  fps: number;
}

export interface FrameSize {
  width: number;
  height: number;
}

/** Held-out images of each device. */
const HELD_OUT = 2000;
/** Frames of a drawn scene; it starts over. */
const SCENE_FRAMES = 600;
/** What Octomote's own cameras see when nobody says. */
const STREET = "street";
/** Octomote's own apps that look at frames; whether the frames of drawn scenes have labels for them. */
const CAMERA_APPS: ReadonlyMap<string, { labelled: boolean }> = new Map([
  ["camera", { labelled: false }],
  ["camera-learn", { labelled: false }],
  ["camera-split", { labelled: true }],
]);

/** `96x72` as a size. @throws UsageError */
export function frameSize(text: string): FrameSize {
  const found = /^(\d{1,4})x(\d{1,4})$/.exec(text);
  const [width, height] = [Number(found?.[1]), Number(found?.[2])];
  if (!(width >= 8 && height >= 8)) {
    throw new UsageError(`"${text}" is no size of a frame`, "write width and height like 96x72");
  }
  return { width, height };
}

/** Loads or draws what the devices are to see. @throws DataError, UsageError */
export async function openSource(options: SourceOptions): Promise<SampleSource> {
  const own = options.app.source === undefined ? undefined : CAMERA_APPS.get(options.app.name);
  const frames = options.frames ?? (own && STREET);
  return frames === undefined ? images(options) : camera(frames, own?.labelled ?? false, options);
}

async function images({ data, images: limit }: SourceOptions): Promise<SampleSource> {
  const { loadDataset } = await import("../../data/dataset.ts");
  const { encodeSamples } = await import("../../data/sample-file.ts");
  const dataset = await loadDataset(data, { limit: { train: limit, test: HELD_OUT } });
  const counts = `${count(dataset.train.count)} images, ${count(dataset.test.count)} held out`;
  return {
    name: dataset.name,
    about: `${describe(dataset)} · ${counts}`,
    dataset,
    samples: (seed) => encodeSamples(dataset, { seed }),
  };
}

function describe(dataset: Dataset): string {
  if (dataset.name === "fashion-mnist") return "Fashion-MNIST";
  return `generated glyphs (${harmless(dataset.source)})`;
}

async function camera(
  frames: string,
  labelled: boolean,
  { frameSize: size, fps }: SourceOptions,
): Promise<SampleSource> {
  const { drawScene, SCENARIOS } = await import("../../data/scene.ts");
  const { encodeFrames } = await import("../../data/sample-file.ts");
  const pace = `${size.width}×${size.height}, ${fps} frames a second`;
  if (Object.hasOwn(SCENARIOS, frames)) {
    const scenario = frames as Scenario;
    const { frameLabels } = await import("../../data/frame-labels.ts");
    const { KINDS } = await import("../../data/scene/actors.ts");
    return {
      name: `scene: ${scenario}`,
      about: `drawn scenes: ${SCENARIOS[scenario]} · ${pace}`,
      ...(labelled && { classes: 2 ** KINDS.length }),
      samples: (seed) => {
        const clip = drawScene({ ...size, scenario, seed, frames: SCENE_FRAMES });
        return encodeFrames(clip, fps, labelled ? frameLabels(clip, KINDS) : null);
      },
    };
  }
  const clip = await readFrames(frames, size, Object.keys(SCENARIOS));
  const samples = encodeFrames(clip, fps);
  return {
    name: clip.name,
    about: `${harmless(frames)} · ${count(clip.count)} frames of ${pace}`,
    samples: () => samples,
  };
}

async function readFrames(path: string, size: FrameSize, scenarios: readonly string[]): Promise<Clip> {
  const { readClipOrVideo } = await import("../../data/video.ts");
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (!there) {
    throw new UsageError(
      `There is no file and no scene ${path}`,
      `scenes are ${scenarios.join(", ")}; a file is of raw frames or a video`,
    );
  }
  return readClipOrVideo(path, size);
}
