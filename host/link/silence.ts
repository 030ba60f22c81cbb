// A device that runs tells its state every second, whatever it does: one from which nothing comes for much longer hangs in
// a call of its module that does not end. Who started it as a process ends it.

import type { DeviceLink } from "./device-link.ts";

/** Longer than any step takes, on an emulated board of a busy machine too. */
export const SILENT_MS = 60_000;

/** Calls `hangs` once, when nothing valid came from the device for `ms` since it was up; the result stops watching. */
export function watchSilence(link: DeviceLink, hangs: () => void, ms = SILENT_MS): () => void {
  let frames = -1;
  let since = performance.now();
  const timer = setInterval(() => {
    const { framesIn, epochs } = link.stats;
    const now = performance.now();
    if (framesIn !== frames || epochs === 0) {
      frames = framesIn;
      since = now;
    } else if (now - since >= ms) {
      stop();
      hangs();
    }
  }, ms / 8);
  const stop = () => clearInterval(timer);
  link.once("close", stop);
  return stop;
}

/** What is said of a device that was ended for it. */
export const silenceText = (ms = SILENT_MS): string =>
  `nothing came from it for ${ms / 1000} s: a step, a message or init of its module does not end`;
