// A session as a log tells it: the device, what its sensor showed, and its runs, each from a start on.

import { parseSamples, type Samples } from "../data/sample-file.ts";
import type { Param } from "../protocol/params.ts";
import { decodeLog, type Entry, type LogContent, type SessionInfo } from "./log.ts";

/** A log that nothing can be replayed of; `fix` says what to do. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  readonly fix: string;

  constructor(message: string, fix = "") {
    super(message);
    this.fix = fix;
  }
}

const NO_LOG = "give a log that octomote sim, start or bridge wrote with --record";

/** What happened at a step of a run: what the module is to be given, and what it must agree with. */
export type RunEvent = Extract<
  Entry,
  { kind: "message" | "restore" | "digest" | "state" | "block" | "fault" }
>;

export interface Run {
  seed: number;
  params: readonly Param[];
  /** By ascending step; those of one step in the order in which they were told. */
  events: RunEvent[];
  /** The last step that the log tells of. */
  steps: number;
}

export interface Session {
  info: SessionInfo;
  /** Samples that the log holds; undefined if it ends before the first. */
  samples?: Samples;
  /** They as a sample file. */
  file?: Uint8Array;
  /** Samples of the whole file: after the last it starts over. */
  count: number;
  runs: Run[];
  damage?: LogContent["damage"];
  /** Ended by whoever recorded it, not cut off. */
  ended: boolean;
}

const HEADER_BYTES = 32;
/** Largest sample file that is put together. */
const MAX_SAMPLES = 1 << 30;

/** @throws SessionError when the log does not begin as one; whatever else is wrong is in `damage`, and what stands before is good */
export function readSession(bytes: Uint8Array): Session {
  const { entries, damage } = decodeLog(bytes);
  const [first, ...rest] = entries;
  if (first?.kind !== "session") {
    const why = damage ? `: ${damage.reason} (byte ${damage.offset})` : "";
    throw new SessionError(`this is no session log${why}`, NO_LOG);
  }
  const { kind: _, ...info } = first;
  const pieces: Uint8Array[] = [];
  let end = 0;
  const runs: Run[] = [];
  let ended = false;
  for (const entry of rest) {
    if (entry.kind === "samples") {
      // pieces follow each other; one that does not is of another file, and no use
      if (entry.offset !== end || end + entry.bytes.length > MAX_SAMPLES) continue;
      pieces.push(entry.bytes);
      end += entry.bytes.length;
    } else if (entry.kind === "start") {
      runs.push({ seed: entry.seed, params: entry.params, events: [], steps: 0 });
    } else if (entry.kind === "end") {
      ended = true;
    } else if (entry.kind !== "session") {
      runs.at(-1)?.events.push(entry);
    }
  }
  for (const run of runs) {
    // an answer that was sent twice arrives behind what came later
    run.events.sort((a, b) => a.steps - b.steps);
    run.steps = run.events.at(-1)?.steps ?? 0;
  }
  return { info, ...samplesOf(pieces, end), runs, ended, ...(damage && { damage }) };
}

function samplesOf(
  pieces: readonly Uint8Array[],
  length: number,
): Pick<Session, "samples" | "file" | "count"> {
  const file = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    file.set(piece, at);
    at += piece.length;
  }
  if (length < HEADER_BYTES) return { count: 0 };
  const view = new DataView(file.buffer);
  const count = view.getUint32(8, true);
  const stride = view.getUint32(20, true);
  const whole = stride === 0 ? 0 : Math.floor((length - HEADER_BYTES) / stride);
  if (whole === 0) return { count };
  // a file of the samples that are there
  view.setUint32(8, Math.min(count, whole), true);
  try {
    return { samples: parseSamples(file, "samples of the log"), file, count };
  } catch (error) {
    throw new SessionError((error as Error).message);
  }
}
