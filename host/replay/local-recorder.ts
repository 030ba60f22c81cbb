// Records what a module does in this process: `octomote sim --record`.

import { createHash } from "node:crypto";
import type { ModuleHost } from "../module/module-host.ts";
import { encodeParams } from "../protocol/params.ts";
import { encodeStateRecord, type StateRecord } from "../protocol/state-record.ts";
import { encodeEntry, type SessionInfo } from "./log.ts";
import { SampleWriter } from "./sample-writer.ts";

/** The log has a digest of each step; after so many also the state that was told, and a piece of what was learned. */
const STATE_STEPS = 50;
const PIECE = 512;

export class LocalRecorder {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #samples: SampleWriter;
  /** Of the learned state: the next piece. */
  #next = 0;

  /** Begins a log with one run. @param samples the sample file; @param write takes the log's bytes, in order */
  constructor(
    info: SessionInfo,
    samples: Uint8Array,
    run: { seed: number; params: Readonly<Record<string, number>> },
    write: (bytes: Uint8Array) => void,
  ) {
    this.#write = write;
    this.#samples = new SampleWriter(samples, write);
    write(encodeEntry({ kind: "session", ...info }));
    write(encodeEntry({ kind: "start", seed: run.seed, params: encodeParams(run.params) }));
  }

  /** After each step. */
  stepped(steps: number, host: ModuleHost, record: StateRecord, samples: number): void {
    this.#samples.shown(samples);
    const state = host.state();
    const sha256 = new Uint8Array(createHash("sha256").update(state).digest());
    this.#write(encodeEntry({ kind: "digest", steps, sha256 }));
    if (steps % STATE_STEPS === 0) this.#tell(steps, state, record, samples);
  }

  /** After the last step. */
  end(steps: number, host: ModuleHost, record: StateRecord, samples: number): void {
    if (steps % STATE_STEPS !== 0) this.#tell(steps, host.state(), record, samples);
    this.#write(encodeEntry({ kind: "end" }));
  }

  #tell(steps: number, state: Uint8Array, record: StateRecord, samples: number): void {
    this.#write(encodeEntry({ kind: "state", steps, record: encodeStateRecord(record), samples }));
    if (state.length === 0) return;
    const offset = this.#next < state.length ? this.#next : 0;
    const bytes = state.slice(offset, offset + PIECE);
    this.#next = offset + bytes.length;
    this.#write(encodeEntry({ kind: "block", steps, offset, bytes }));
  }
}
