// Records a session: listens to a device's link, and asks for digests and pieces of the learned state. It changes nothing of what the device
// learns.

import type { Answered, DeviceLink } from "../link/device-link.ts";
import type { Hello, State } from "../protocol/messages.ts";
import { wireParams } from "../protocol/params.ts";
import { MAX_BLOCK, Region, type RequestArgs } from "../protocol/requests.ts";
import { encodeStateRecord } from "../protocol/state-record.ts";
import { type Entry, encodeEntry } from "./log.ts";
import { SampleWriter } from "./sample-writer.ts";

export interface RecorderOptions {
  module: Uint8Array;
  /** The sample file that the device's sensor plays. */
  samples: Uint8Array;
  /** For people: where the samples come from. */
  source: string;
  /** Digests are asked for so often: 1,000 ms; 0 never. */
  digestMs?: number;
  /** Takes an entry of the log; false: it is not in the log, and the rest of the run is not wanted. */
  write(entry: Uint8Array): unknown;
  /** Asked at each start: true if what is written from now on begins a log of its own. */
  anew?(): boolean;
}

const DIGEST_MS = 1000;
const DIGEST_TIMEOUT_MS = 20_000;
/** Whoever leaves does not wait long for a device that does not answer. */
const LAST_TIMEOUT_MS = 3000;

/** One session of one device. */
export class SessionRecorder {
  readonly #options: RecorderOptions;
  readonly #undo: (() => void)[] = [];
  #samples: SampleWriter;
  #link: DeviceLink | undefined;
  #began = false;
  #started = false;
  #faulted = false;
  /** A learned state that is being written, block by block. */
  #written: Uint8Array[] = [];
  #asking = false;
  /** The learned state is read piece by piece, one with each digest, over and over. */
  #stateBytes = 0;
  #nextOffset = 0;

  /** Does nothing. */
  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#samples = this.#writer();
  }

  /** Listens to the link from now on. What a device learned before the next `start` can't be repeated, and is left out. */
  attach(link: DeviceLink): void {
    this.#detach();
    this.#link = link;
    const hello = (told: Hello) => this.#hello(told);
    const answered = (it: Answered) => this.#answered(it);
    const state = (it: State) => this.#state(it);
    link.on("hello", hello);
    link.on("answered", answered);
    link.on("state", state);
    this.#undo.push(() => link.off("hello", hello).off("answered", answered).off("state", state));
    if (link.hello) this.#hello(link.hello);
    const { digestMs = DIGEST_MS } = this.#options;
    if (digestMs > 0) {
      const timer = setInterval(() => void this.#ask(), digestMs);
      this.#undo.push(() => clearInterval(timer));
    }
  }

  /** Asks for a last digest, and ends the log. The link stays. */
  async end(): Promise<void> {
    await this.#ask(LAST_TIMEOUT_MS);
    this.#detach();
    if (this.#began) this.#put({ kind: "end" });
  }

  #detach(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #writer(): SampleWriter {
    return new SampleWriter(this.#options.samples, (entry) => this.#write(entry));
  }

  #write(entry: Uint8Array): void {
    if (this.#options.write(entry) === false) this.#started = false;
  }

  #put(entry: Entry): void {
    this.#write(encodeEntry(entry));
  }

  #hello({ id, board, engine, firmware }: Hello): void {
    // a device that comes back after a reset has forgotten its run
    this.#started = false;
    if (this.#began) return;
    this.#began = true;
    this.#session({ id, board, engine, firmware });
  }

  #session({ id, board, engine, firmware }: Pick<Hello, "id" | "board" | "engine" | "firmware">): void {
    const { module, source } = this.#options;
    this.#put({ kind: "session", device: id, board, engine, firmware, module, source });
  }

  #answered(it: Answered): void {
    if (it.verb === "start") {
      const { seed, params = {} } = it.args;
      this.#started = this.#began;
      this.#faulted = false;
      if (this.#link?.hello && this.#options.anew?.()) {
        this.#samples = this.#writer();
        this.#session(this.#link.hello);
      }
      if (this.#started) this.#put({ kind: "start", seed, params: wireParams(params) });
      return;
    }
    if (it.verb === "selfTest") this.#started = false;
    if (!this.#started) return;
    if (it.verb === "message" && it.answer.steps !== undefined) {
      this.#put({ kind: "message", steps: it.answer.steps, bytes: it.args.bytes });
    } else if (it.verb === "status") {
      this.#state(it.answer);
    } else if (it.verb === "digest") {
      this.#put({ kind: "digest", ...it.answer });
    } else if (it.verb === "read" && it.args.region === Region.learnedState) {
      const { bytes, total, steps } = it.answer;
      this.#stateBytes = total;
      if (steps !== undefined && bytes.length > 0)
        this.#put({ kind: "block", steps, offset: it.args.offset, bytes });
    } else if (it.verb === "write" && it.args.region === Region.learnedState) {
      if (it.args.offset === 0) this.#written = [];
      this.#written.push(it.args.bytes);
      if (!it.args.last || it.answer.steps === undefined) return;
      const state = new Uint8Array(Buffer.concat(this.#written));
      this.#put({ kind: "restore", steps: it.answer.steps, state });
    }
  }

  #state({ steps, samples = 0, record, error }: State): void {
    if (!this.#started) return;
    this.#samples.shown(samples);
    if (record) this.#put({ kind: "state", steps, record: encodeStateRecord(record), samples });
    if (error && !this.#faulted) {
      this.#faulted = true;
      const { code, where = 0, got = 0, want = 0 } = error;
      this.#put({ kind: "fault", steps, code, where, got, want });
    }
  }

  #nextBlock(): RequestArgs["read"] {
    if (this.#nextOffset >= this.#stateBytes) this.#nextOffset = 0;
    const offset = this.#nextOffset;
    const length = Math.min(MAX_BLOCK, this.#stateBytes - offset);
    this.#nextOffset += length;
    return { region: Region.learnedState, offset, length };
  }

  async #ask(timeoutMs = DIGEST_TIMEOUT_MS): Promise<void> {
    if (!this.#started || this.#asking || !this.#link?.isUp) return;
    this.#asking = true;
    try {
      // the answer comes back through `answered`, in its place
      await this.#link.request("digest", {}, { timeoutMs });
      if (this.#link.isUp) await this.#link.request("read", this.#nextBlock(), { timeoutMs });
    } catch {
      // the device is away, or its module has no learned state: states alone are compared then
    } finally {
      this.#asking = false;
    }
  }
}
