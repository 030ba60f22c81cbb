// Repeats a run of a session step by step: the same module with the same seed, samples and messages gives the same bits, and what the device
// told says whether it did.

import { createHash } from "node:crypto";
import { moduleFault } from "../devices/module-fault.ts";
import { ModuleHost, ModuleTrap } from "../module/module-host.ts";
import { describeFault, type Fault } from "../protocol/errors.ts";
import { decodeStateRecord, encodeStateRecord, type StateRecord } from "../protocol/state-record.ts";
import { Inspector } from "./inspector.ts";
import { differences, layoutOf, type Tensor, type TensorDifference } from "./layout.ts";
import { type Run, type RunEvent, type Session, SessionError } from "./session.ts";

/** Where a replay and its log part. */
export interface Difference {
  /** Steps after which they differ, and the last after which they were seen to agree. */
  steps: number;
  agreed: number;
  what: "digest" | "state" | "samples" | "fault" | "message" | "block";
  got: string;
  want: string;
  /** What was seen first to differ in the learned state, of the pieces of it that the log holds from then on. */
  place?: TensorDifference & { steps: number };
}

export interface ReplayResult {
  /** Steps that were repeated. */
  steps: number;
  /** What was compared with what the device told, and was equal. */
  equal: { digests: number; states: number; blocks: number };
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
  /** Called after `init` (step 0), then after each step up to the first difference; may be slow. */
  stepped?(steps: number, replay: Replay): void | Promise<void>;
}

/** What can be looked at in the middle of a replay. */
export interface Replay {
  readonly inspector: Inspector;
  readonly record: StateRecord | undefined;
  digest(): string;
  /** A copy of the learned state; empty if the module has none. */
  state(): Uint8Array;
  /** What lies where in it: layers that have run. */
  layout(): Tensor[];
}

/** The sensor has nothing that the log holds. */
class NoSample extends Error {}

/** The module of a session, as its device had it, at the start of a run. @throws SessionError */
async function load({ session, run, intrinsics }: ReplayOptions) {
  const { samples, count } = session;
  if (!samples)
    throw new SessionError(
      "the log ends before the first sample: there is nothing to replay",
      "let the device make a step before the recording ends",
    );
  const inspector = new Inspector();
  const told = { seen: 0, published: undefined as Uint8Array | undefined };
  try {
    const host = await ModuleHost.load(new Uint8Array(session.info.module), {
      seed: run.seed,
      params: run.params,
      intrinsics,
      observe: inspector.observe,
      sensor: () => {
        const i = told.seen % count;
        if (i >= samples.count) throw new NoSample();
        told.seen++;
        return samples.at(i);
      },
      publish: (channel, bytes) => {
        if (channel === 0) told.published = bytes;
      },
    });
    inspector.memory = host.exported.memory as WebAssembly.Memory;
    host.start();
    return { host, inspector, told };
  } catch (error) {
    const why = error instanceof ModuleTrap ? `it stops at its start: ${error.message}` : messageOf(error);
    const { firmware } = session.info;
    throw new SessionError(
      `the module of the log does not run here: ${why}`,
      `replay it with the release that recorded it (firmware ${firmware})`,
    );
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @throws SessionError when the run can't begin */
export async function replay(options: ReplayOptions): Promise<ReplayResult> {
  const { run, until = Number.POSITIVE_INFINITY } = options;
  const { host, inspector, told } = await load(options);
  const view: Replay = {
    inspector,
    get record() {
      return told.published && (decodeStateRecord(told.published) ?? undefined);
    },
    digest: () => createHash("sha256").update(host.state()).digest("hex"),
    state: () => host.state(),
    layout: () => layoutOf(inspector.places(host.stateAddress), host.state().length),
  };
  /** States say little of weights: where there are weights, their digests alone show that all is equal. */
  const learns = host.state().length > 0;
  let steps = 0;
  let agreed = 0;
  let difference: Difference | undefined;
  const equal = { digests: 0, states: 0, blocks: 0 };
  const result = (rest: Partial<ReplayResult> = {}): ReplayResult => ({
    steps,
    equal,
    digest: view.digest(),
    ...(view.record && { record: view.record }),
    ...(difference && { difference }),
    ...rest,
  });
  const differs = (what: Difference["what"], got: string, want: string): Difference => ({
    steps,
    agreed,
    what,
    got,
    want,
  });
  /** Makes steps; the result when the replay ends among them. */
  const advance = async (to: number): Promise<ReplayResult | undefined> => {
    while (steps < to) {
      if (steps >= until) return result();
      try {
        host.step();
      } catch (error) {
        if (error instanceof NoSample) return result({ early: "the log holds no more samples" });
        difference ??= differs("fault", describeFault(moduleFault(error, "step")), "a step");
        return result();
      }
      steps++;
      inspector.stepped();
      if (!difference) await options.stepped?.(steps, view);
    }
    return undefined;
  };
  /** Compares with what the device told. */
  const compare = (event: RunEvent): Difference | undefined => {
    if (event.kind === "digest") {
      const want = Buffer.from(event.sha256).toString("hex");
      if (view.digest() !== want) return differs("digest", view.digest(), want);
      equal.digests++;
      agreed = steps;
    } else if (event.kind === "state") {
      const got = encodeStateRecord(view.record ?? {});
      if (Buffer.compare(got, event.record) !== 0) {
        return differs("state", text(view.record), text(decodeStateRecord(event.record) ?? undefined));
      }
      if (told.seen !== event.samples) return differs("samples", String(told.seen), String(event.samples));
      equal.states++;
      if (!learns) agreed = steps;
    } else if (event.kind === "block") {
      const place = placeOf(event);
      if (place) return { ...differs("block", place.got, place.want), place: { ...place, steps } };
      equal.blocks++;
    }
    return undefined;
  };
  /** The first of what differs in a piece of the learned state. */
  const placeOf = ({ offset, bytes }: Extract<RunEvent, { kind: "block" }>): TensorDifference | undefined => {
    const own = host.state().subarray(offset, offset + bytes.length);
    const [first] = differences(view.layout(), offset, own, bytes);
    if (first || own.length === bytes.length) return first;
    return {
      tensor: "learned state, length",
      differ: 1,
      of: 1,
      first: [],
      got: String(host.state().length),
      want: `${offset + bytes.length} or more`,
    };
  };
  /** What the module was given. */
  const give = (event: RunEvent): Difference | undefined => {
    try {
      if (event.kind === "message") host.message(event.bytes);
      if (event.kind === "restore") host.restore(event.state);
    } catch (error) {
      return differs("message", messageOf(error), "a message or state that the device took");
    }
    return undefined;
  };

  await options.stepped?.(0, view);
  for (const event of run.events) {
    // behind a difference only pieces of the learned state are of use: they may name what differs
    const ended = await advance(event.steps);
    if (ended) return ended;
    if (event.kind === "fault") {
      if (!difference && steps < until) difference = faultOf(event, host, differs);
      return result();
    }
    if (event.kind === "message" || event.kind === "restore") {
      const refused = give(event);
      difference ??= refused;
      if (refused) return result();
    } else if (!difference) {
      difference = compare(event);
    } else if (event.kind === "block") {
      const place = placeOf(event);
      if (place) difference.place = { ...place, steps };
    }
    if (difference && (difference.place || difference.what === "fault")) return result();
  }
  return result();
}

/** The device's module stopped in its next step: it must stop here too, and say the same. */
function faultOf(
  event: Extract<RunEvent, { kind: "fault" }>,
  host: ModuleHost,
  differs: (what: "fault", got: string, want: string) => Difference,
): Difference | undefined {
  const want: Fault = { code: event.code, where: event.where, got: event.got, want: event.want };
  try {
    host.step();
  } catch (error) {
    const got = moduleFault(error, "step");
    if (got.code === want.code) return undefined;
    return differs("fault", describeFault(got), describeFault(want));
  }
  return differs("fault", "a step", describeFault(want));
}

function text(record: StateRecord | undefined): string {
  return record ? JSON.stringify(record) : "no state record";
}
