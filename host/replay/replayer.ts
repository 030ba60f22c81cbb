// Repeats a run of a session step by step: the same module with the same seed, samples and messages gives the same bits, and what the device
// told says whether it did.

import { createHash } from "node:crypto";
import { moduleFault } from "../devices/module-fault.ts";
import { ModuleHost } from "../module/module-host.ts";
import { describeFault, type Fault } from "../protocol/errors.ts";
import { decodeStateRecord, encodeStateRecord, type StateRecord } from "../protocol/state-record.ts";
import { Inspector } from "./inspector.ts";
import { type Run, type RunEvent, type Session, SessionError } from "./session.ts";

/** Where a replay and its log part. */
export interface Difference {
  /** Steps after which they differ, and the last after which they were seen to agree. */
  steps: number;
  agreed: number;
  what: "digest" | "state" | "samples" | "fault" | "message";
  got: string;
  want: string;
}

export interface ReplayResult {
  /** Steps that were repeated. */
  steps: number;
  /** What was compared with what the device told, and was equal. */
  equal: { digests: number; states: number };
  difference?: Difference;
  /** Why the replay ended before the last step that the log tells of. */
  early?: string;
  /** SHA-256 of the learned state at the end. */
  digest: string;
  record?: StateRecord;
}

export interface ReplayOptions {
  session: Session;
  run: Run;
  /** `intrinsics.wasm`. */
  intrinsics: BufferSource;
  /** Ends after this step. */
  until?: number;
  /** Called after `init` (step 0), then after each step; may be slow. */
  stepped?(steps: number, replay: Replay): void | Promise<void>;
}

/** What can be looked at in the middle of a replay. */
export interface Replay {
  readonly inspector: Inspector;
  readonly record: StateRecord | undefined;
  digest(): string;
}

/** The sensor has nothing that the log holds. */
class NoSample extends Error {}

/** @throws SessionError when the run can't begin; AdmissionError when the log's module is none */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { session, run, until = Number.POSITIVE_INFINITY } = options;
  const { samples, count } = session;
  if (!samples) throw new SessionError("the log ends before the first sample: there is nothing to replay");
  const inspector = new Inspector();
  let seen = 0;
  let published: Uint8Array | undefined;
  const host = await ModuleHost.load(new Uint8Array(session.info.module), {
    seed: run.seed,
    params: run.params,
    intrinsics: options.intrinsics,
    observe: inspector.observe,
    sensor: () => {
      const i = seen % count;
      if (i >= samples.count) throw new NoSample();
      seen++;
      return samples.at(i);
    },
    publish: (channel, bytes) => {
      if (channel === 0) published = bytes;
    },
  });
  inspector.memory = host.exported.memory as WebAssembly.Memory;
  host.start();

  const view: Replay = {
    inspector,
    get record() {
      return published && (decodeStateRecord(published) ?? undefined);
    },
    digest: () => createHash("sha256").update(host.state()).digest("hex"),
  };
  let steps = 0;
  let agreed = 0;
  const equal = { digests: 0, states: 0 };
  const result = (rest: Partial<ReplayResult> = {}): ReplayResult => ({
    steps,
    equal,
    digest: view.digest(),
    ...(view.record && { record: view.record }),
    ...rest,
  });
  const differs = (what: Difference["what"], got: string, want: string): ReplayResult =>
    result({ difference: { steps, agreed, what, got, want } });
  /** Makes steps; the result when the replay ends among them. */
  const advance = async (to: number): Promise<ReplayResult | undefined> => {
    while (steps < to) {
      if (steps >= until) return result();
      try {
        host.step();
      } catch (error) {
        if (error instanceof NoSample) return result({ early: "the log holds no more samples" });
        return differs("fault", describeFault(moduleFault(error, "step")), "a step");
      }
      steps++;
      inspector.stepped();
      await options.stepped?.(steps, view);
    }
    return undefined;
  };
  /** Compares with what the device told; the result when they differ. */
  const compare = (event: RunEvent): ReplayResult | undefined => {
    if (event.kind === "digest") {
      const want = Buffer.from(event.sha256).toString("hex");
      if (view.digest() !== want) return differs("digest", view.digest(), want);
      equal.digests++;
    } else if (event.kind === "state") {
      const got = encodeStateRecord(view.record ?? {});
      if (Buffer.compare(got, event.record) !== 0) {
        return differs("state", text(view.record), text(decodeStateRecord(event.record) ?? undefined));
      }
      if (seen !== event.samples) return differs("samples", String(seen), String(event.samples));
      equal.states++;
    }
    agreed = steps;
    return undefined;
  };
  /** What the module was given. */
  const give = (event: RunEvent): ReplayResult | undefined => {
    try {
      if (event.kind === "message") host.message(event.bytes);
      if (event.kind === "restore") host.restore(event.state);
    } catch (error) {
      return differs("message", (error as Error).message, "a message or state that the device took");
    }
    return undefined;
  };

  await options.stepped?.(0, view);
  for (const event of run.events) {
    const ended = await advance(event.steps);
    if (ended) return ended;
    if (event.kind === "fault") return steps >= until ? result() : faultOf(event, host, differs, result);
    const parted = event.kind === "message" || event.kind === "restore" ? give(event) : compare(event);
    if (parted) return parted;
  }
  return result();
}

/** The device's module stopped in its next step: it must stop here too, and say the same. */
function faultOf(
  event: Extract<RunEvent, { kind: "fault" }>,
  host: ModuleHost,
  differs: (what: "fault", got: string, want: string) => ReplayResult,
  result: () => ReplayResult,
): ReplayResult {
  const want: Fault = { code: event.code, where: event.where, got: event.got, want: event.want };
  try {
    host.step();
  } catch (error) {
    const got = moduleFault(error, "step");
    if (got.code === want.code) return result();
    return differs("fault", describeFault(got), describeFault(want));
  }
  return differs("fault", "a step", describeFault(want));
}

function text(record: StateRecord | undefined): string {
  return record ? JSON.stringify(record) : "no state record";
}
