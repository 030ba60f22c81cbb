// `octomote bridge --record`: a session log of each device that a bridge has, from its start on.

import { createHash } from "node:crypto";
import { extname } from "node:path";
import type { BridgeDevice } from "../../bridge/device.ts";
import { messageOf, OctomoteError } from "../../bridge/errors.ts";
import type { BridgeBus, LogLevel } from "../../bridge/events.ts";
import { parseSamples } from "../../data/sample-file.ts";
import { LogFile } from "../../replay/log-file.ts";
import { SessionRecorder } from "../../replay/recorder.ts";
import { readInput } from "./files.ts";
import { bytes } from "./format.ts";

/** Files of one device, at most: then nothing more is recorded of it. */
const MAX_FILES = 10_000;

export interface RecordingsOptions {
  /** `session.cbor`: a device's logs are `session.kitchen.cbor`, `session.kitchen.2.cbor`, … */
  path: string;
  /** Most bytes of a file. */
  limit?: number;
  /** Files of modules; a device's is found by its digest. */
  modules: readonly string[];
  /** Sample files that devices play: of the device that is named, or of all others. */
  samples: readonly { device?: string; path: string }[];
  tell(level: LogLevel, message: string): void;
}

interface Samples {
  bytes: Uint8Array;
  source: string;
}

/** Where the logs of a device go: the number is left out of the first. */
export function logPath(path: string, id: string, number = 1): string {
  const ending = extname(path);
  return `${path.slice(0, path.length - ending.length)}.${id}${number > 1 ? `.${number}` : ""}${ending}`;
}

const hex = (digest: Uint8Array): string => Buffer.from(digest).toString("hex");

export class Recordings {
  readonly #options: RecordingsOptions;
  readonly #modules = new Map<string, Uint8Array>();
  readonly #samples = new Map<string | undefined, Samples>();
  readonly #recordings = new Map<string, Recording>();
  #undo: (() => void)[] = [];

  /** Does nothing. */
  constructor(options: RecordingsOptions) {
    this.#options = options;
  }

  /** Reads modules and samples, and listens. @throws OctomoteError for a file that is not what it should be */
  async start(bus: BridgeBus): Promise<void> {
    for (const path of this.#options.modules) {
      const module = await readInput(path);
      if (!WebAssembly.validate(new Uint8Array(module)))
        throw new OctomoteError(
          `${path} is no WebAssembly module`,
          "--module takes what the devices run, a .wasm file",
        );
      this.#modules.set(createHash("sha256").update(module).digest("hex"), module);
    }
    for (const { device, path } of this.#options.samples) {
      const file = await readInput(path);
      try {
        parseSamples(file, path);
      } catch (error) {
        throw new OctomoteError(messageOf(error), "--samples takes the sample file that the devices play");
      }
      this.#samples.set(device, { bytes: file, source: path });
    }
    this.#undo = [
      bus.on("deviceOnline", ({ device }) => this.#online(device)),
      bus.on("deviceRemoved", ({ id }) => void this.#recordings.get(id)?.end()),
    ];
  }

  /** Ends all logs, with a last digest of devices that answer. */
  async end(): Promise<void> {
    for (const undo of this.#undo.splice(0)) undo();
    await Promise.all([...this.#recordings.values()].map((recording) => recording.end()));
    this.#recordings.clear();
  }

  #online(device: BridgeDevice): void {
    const { id, hello } = device;
    const digest = hello.moduleSha256 ? hex(hello.moduleSha256) : "";
    const known = this.#recordings.get(id);
    if (known?.digest === digest) {
      known.attach(device);
      return;
    }
    void known?.end();
    this.#recordings.delete(id);
    const module = this.#moduleOf(digest);
    const samples = this.#samples.get(id) ?? this.#samples.get(undefined);
    const { tell } = this.#options;
    if (!module) {
      const which = digest ? `SHA-256 ${digest.slice(0, 16)}…` : "of which it tells no digest";
      tell(
        "warning",
        `${id} is not recorded: its module (${which}) is none of --module; add the file that it runs`,
      );
      return;
    }
    if (!samples) {
      tell("warning", `${id} is not recorded: --samples names no file of it; add --samples ${id}=FILE`);
      return;
    }
    const recording = new Recording(this.#options, id, digest, module, samples);
    this.#recordings.set(id, recording);
    recording.attach(device);
  }

  /** A device that tells no digest runs the only module that there is. */
  #moduleOf(digest: string): Uint8Array | undefined {
    if (digest === "" && this.#modules.size === 1) return [...this.#modules.values()][0];
    return this.#modules.get(digest);
  }
}

/** The logs of one device with one module. */
class Recording {
  readonly digest: string;
  readonly #options: RecordingsOptions;
  readonly #id: string;
  readonly #recorder: SessionRecorder;
  #link: BridgeDevice["link"] | undefined;
  #file: LogFile | undefined;
  #number = 0;

  constructor(options: RecordingsOptions, id: string, digest: string, module: Uint8Array, samples: Samples) {
    this.digest = digest;
    this.#options = options;
    this.#id = id;
    this.#recorder = new SessionRecorder({
      module,
      samples: samples.bytes,
      source: samples.source,
      write: (entry) => this.#file?.write(entry) ?? false,
      anew: () => this.#open(),
    });
  }

  attach({ link, hello }: BridgeDevice): void {
    if (this.#link !== link) this.#recorder.attach(link);
    this.#link = link;
    if (!hello.running) return;
    const how = "bridge/request/device/start starts it anew";
    this.#options.tell("info", `${this.#id} learns already: it is recorded from its next start on (${how})`);
  }

  async end(): Promise<void> {
    await this.#recorder.end();
    this.#file?.close();
  }

  /** A start goes on in the file that there is, or begins the next one; true for a new file. */
  #open(): boolean {
    if (this.#file?.isOpen) return false;
    const { path, limit, tell } = this.#options;
    this.#file = undefined;
    while (this.#number < MAX_FILES) {
      const name = logPath(path, this.#id, ++this.#number);
      try {
        const ended = (why: "limit" | Error) => this.#ended(name, why);
        this.#file = new LogFile(name, { fresh: true, ended, ...(limit !== undefined && { limit }) });
        tell("info", `${this.#id} is recorded to ${name}`);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
        this.#number--;
        tell(
          "error",
          `${this.#id} is not recorded: ${name} cannot be written: ${messageOf(error)}; its next start is tried again`,
        );
        return false;
      }
    }
    tell("error", `${this.#id} is not recorded: there are ${MAX_FILES} logs of it; move them away`);
    return false;
  }

  #ended(name: string, why: "limit" | Error): void {
    const { limit, tell } = this.#options;
    const rest = "what it holds can be replayed; the next start of the device goes to a file of its own";
    if (why === "limit") tell("warning", `${name} has reached ${bytes(limit)}: ${rest}`);
    else tell("error", `${name} ends here: ${messageOf(why)}: ${rest}, so make room`);
  }
}
