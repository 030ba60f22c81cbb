// Repeats a run on a device as well, beside the replay in V8: where one of the two computes other bits, it finds the very step and the tensors.
// The same bits come from every engine, so whoever differs is at fault: engine, compiler, kernel or memory.

import type { DeviceLink } from "../link/device-link.ts";
import { readRegion, writeRegion } from "../link/regions.ts";
import { describeFault, type Fault } from "../protocol/errors.ts";
import { Region } from "../protocol/requests.ts";
import { differences, type Tensor, type TensorDifference } from "./layout.ts";
import { type Run, type RunEvent, SessionError } from "./session.ts";

export interface Elsewhere {
  board: string;
  engine: string;
  /** Steps that were compared. */
  steps: number;
  difference?: {
    /** The step after which they differ; after the one before it they were equal. */
    step: number;
    /** What differs in the learned state then, in its order; none if the device stopped instead. */
    tensors: TensorDifference[];
    fault?: string;
  };
}

export interface ElsewhereOptions {
  run: Run;
  /** Steps to compare: as far as V8 got. */
  steps: number;
  /** SHA-256 of the learned state in V8 after a step. */
  digestOf(step: number): string;
  /** The learned state in V8 after a step, and what lies where in it. */
  stateOf(step: number): Promise<{ state: Uint8Array; layout: Tensor[] }>;
  /** A device with the log's module and samples, up; it waits for `start`. */
  link: DeviceLink;
  /** Called while it goes on. */
  tell?(step: number): void;
  /** Steps between two comparisons before a difference is known: 500. */
  stride?: number;
}

const PATIENCE = { timeoutMs: 60_000 };
const STRIDE = 500;
const POLL_MS = 5;
/** A device that has made no step for so long is given up. */
const STUCK_MS = 60_000;

type Given = Extract<RunEvent, { kind: "message" | "restore" }>;

/** @throws SessionError when the device cannot repeat this run, RequestError when it can't be talked to */
export async function repeatElsewhere(options: ElsewhereOptions): Promise<Elsewhere> {
  const { run, steps, link, digestOf, stride = STRIDE } = options;
  const { board = "", engine = "" } = link.hello ?? {};
  const told = { board, engine };
  if (steps === 0) return { ...told, steps: 0 };
  const given = run.events.filter(
    (event): event is Given => event.kind === "message" || event.kind === "restore",
  );
  if (given.some((event) => event.steps === 0)) {
    throw new SessionError(
      "something was given to the device before its first step, which no device can be made to repeat",
    );
  }
  const device = new Device(link, run, given);
  let agreed = 0;
  while (agreed < steps) {
    const to = Math.min(steps, agreed + stride);
    const fault = await device.advance(to);
    if (fault || (await device.digest()) !== digestOf(to)) break;
    agreed = to;
    options.tell?.(agreed);
  }
  if (agreed >= steps) return { ...told, steps };
  // once more up to where all was equal, then one by one
  if (agreed > 0) await device.advance(agreed, true);
  else device.rewind();
  for (let step = agreed + 1; step <= steps; step++) {
    options.tell?.(step);
    const fault = await device.advance(step);
    if (fault)
      return { ...told, steps: step - 1, difference: { step, tensors: [], fault: describeFault(fault) } };
    if ((await device.digest()) === digestOf(step)) continue;
    const [{ state, layout }, theirs] = [await options.stateOf(step), await device.state()];
    return { ...told, steps: step, difference: { step, tensors: differences(layout, 0, theirs, state) } };
  }
  throw new SessionError(
    `${board} differed within steps ${agreed} … ${steps}, and did not when it was repeated: it is not deterministic`,
  );
}

/** A device that is led through a run. */
class Device {
  readonly #link: DeviceLink;
  readonly #run: Run;
  readonly #given: readonly Given[];
  #steps = 0;
  #next = 0;

  constructor(link: DeviceLink, run: Run, given: readonly Given[]) {
    this.#link = link;
    this.#run = run;
    this.#given = given;
  }

  rewind(): void {
    this.#steps = 0;
    this.#next = 0;
  }

  /** Runs up to a step, and gives it on the way what it was given. What came after that very step is given with the next. @param anew from the start; @returns why it stopped before */
  async advance(to: number, anew = false): Promise<Fault | undefined> {
    if (anew) this.rewind();
    while (this.#steps < to) {
      for (; this.#given[this.#next]?.steps === this.#steps; this.#next++) {
        await this.#give(this.#given[this.#next] as Given);
      }
      const fault = await this.#runTo(Math.min(to, this.#given[this.#next]?.steps ?? to));
      if (fault) return fault;
    }
    return undefined;
  }

  async digest(): Promise<string> {
    const { sha256 } = await this.#link.request("digest", {}, PATIENCE);
    return Buffer.from(sha256).toString("hex");
  }

  state(): Promise<Uint8Array> {
    return readRegion(this.#link, Region.learnedState, PATIENCE);
  }

  async #give(event: Given): Promise<void> {
    if (event.kind === "message") await this.#link.request("message", { bytes: event.bytes }, PATIENCE);
    else await writeRegion(this.#link, Region.learnedState, event.state, PATIENCE);
  }

  async #runTo(to: number): Promise<Fault | undefined> {
    const { seed, params } = this.#run;
    const steps = to - this.#steps;
    if (this.#steps === 0) await this.#link.request("start", { seed, params, steps }, PATIENCE);
    else await this.#link.request("resume", { steps }, PATIENCE);
    let progress = { steps: this.#steps, at: Date.now() };
    for (;;) {
      const state = await this.#link.request("status", {}, PATIENCE);
      if (state.error) return state.error;
      if (state.steps === to && !state.running) break;
      if (state.steps !== progress.steps) progress = { steps: state.steps, at: Date.now() };
      else if (Date.now() - progress.at > STUCK_MS)
        throw new SessionError(`${this.#link.name} has made no step since ${state.steps}`);
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
    this.#steps = to;
    return undefined;
  }
}
