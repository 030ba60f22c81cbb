// Labels of whole frames of a clip with boxes, for whoever learns from frames: what kinds of things are to be seen.

import type { Clip } from "./clip.ts";
import type { FrameLabels } from "./sample-file.ts";

/** Neighbouring frames are nearly alike, so whole stretches are held out: the last of so many, each of so many frames. */
const STRETCHES = 5;
const STRETCH = 20;

/** Of the kinds given, 0 none, 1 the first alone, 2 the second alone, 3 both, and so on; null of a clip without boxes. */
export function frameLabels(clip: Clip, kinds: readonly string[]): FrameLabels | null {
  const { boxes } = clip;
  if (boxes === undefined) return null;
  return {
    classes: 2 ** kinds.length,
    of: (i) => ({
      label: kinds.reduce(
        (label, kind, bit) => label + (boxes[i]?.some((box) => box.kind === kind) ? 2 ** bit : 0),
        0,
      ),
      heldOut: Math.floor(i / STRETCH) % STRETCHES === STRETCHES - 1,
    }),
  };
}
