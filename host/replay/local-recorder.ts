// Records what a module does in this process: `octomote sim --record`.

import { createHash } from "node:crypto";
import type { ModuleHost } from "../module/module-host.ts";
import { encodeParams } from "../protocol/params.ts";
import { encodeStateRecord, type StateRecord } from "../protocol/state-record.ts";
import { encodeEntry, type SessionInfo } from "./log.ts";
import { SampleWriter } from "./sample-writer.ts";

/** A digest stands in the log after so many steps. */
const DIGEST_STEPS = 50;

export class LocalRecorder {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #samples: SampleWriter;

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
    if (steps % DIGEST_STEPS === 0) this.#check(steps, host, record, samples);
  }

  /** After the last step. */
  end(steps: number, host: ModuleHost, record: StateRecord, samples: number): void {
    if (steps % DIGEST_STEPS !== 0) this.#check(steps, host, record, samples);
    this.#write(encodeEntry({ kind: "end" }));
  }

  #check(steps: number, host: ModuleHost, record: StateRecord, samples: number): void {
    this.#write(encodeEntry({ kind: "state", steps, record: encodeStateRecord(record), samples }));
    const sha256 = new Uint8Array(createHash("sha256").update(host.state()).digest());
    this.#write(encodeEntry({ kind: "digest", steps, sha256 }));
  }
}
