// Collaborative learning, the host's part: takes what devices send, keeps it, learns the cloud half from it, and answers — with
// codebooks, nacks and, when devices learn too, gradients. It knows no broker: whoever wires it hands on what it says.

import { join } from "node:path";
import { SELF_CUTS } from "../protocol/labelled.ts";
import { type FrameHeader, NackReason, type OpenCodebook } from "../sgq/types.ts";
import { Calibration } from "./calibration.ts";
import { CHECKPOINT, readCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import { chooseCodebook, type Target } from "./codebook/choose.ts";
import type { CodebookTools, Shape } from "./codebook/train.ts";
import { encodeGradientOf } from "./gradient.ts";
import type { Sample } from "./ingest/device-stream.ts";
import { Intake } from "./ingest/intake.ts";
import { SampleStore } from "./ingest/sample-store.ts";
import { CodebookShelf } from "./ingest/shelf.ts";
import { asNumbers, asPlanes, type FeatureInput } from "./input.ts";
import type { LayerSpec } from "./layers.ts";
import { type CloudMetrics, Meter } from "./metrics.ts";
import { Network, NetworkStateError } from "./network.ts";

export interface TrainerOptions {
  readonly tools: CodebookTools;
  /** cloud.wasm. */
  readonly kernels: BufferSource;
  /** Shape of the features. */
  readonly shape: Shape;
  /** The cloud half. */
  readonly layers: readonly LayerSpec[];
  /** Frozen: devices only send. Joint: every training sample is answered with a gradient. */
  readonly mode: "frozen" | "joint";
  /** What a codebook is chosen for: 0.5 points. */
  readonly target?: Target;
  /** Folder of journal and checkpoint; without it nothing outlives this process. */
  readonly folder?: string;
  /** Forces the journal to the disk before a sample is acknowledged: true. Without, a power cut may take the last seconds. */
  readonly fsync?: boolean;
  /** Samples that are kept to learn from: 20,000. */
  readonly capacity?: number;
  /** Times that a sample is learned from, about: 20. */
  readonly passes?: number;
  /** Step size of Adam: 0.001. */
  readonly rate?: number;
  /** Self-contained samples to make a codebook of: 512. */
  readonly calibration?: number;
  /** Pixels of a patch that devices may leave out where it did not change; none: devices send whole samples. */
  readonly patch?: readonly [height: number, width: number];
  readonly seed?: number;
  /** Sends a frame to a device. */
  toDevice?(device: string, frame: Uint8Array): void;
  /** Publishes a codebook for all devices. */
  publishCodebook?(bytes: Uint8Array): void;
  /** Hears which publications are kept, by their receipts (host/protocol/receipts.ts): whoever holds them may forget them. */
  kept?(receipts: readonly string[]): void;
  /** Nothing can be kept any more, because of the disk. */
  failed?(error: Error): void;
  /** Hears what is worth a line of a log. */
  tell?(level: "info" | "warning", message: string): void;
}

/** A sample for people to look at. */
export interface CloudView {
  readonly device: string;
  /** −1: none. */
  readonly label: number;
  /** Class that the cloud half takes it for. */
  readonly seen: number;
  /** 0: it came self-contained. */
  readonly codebook: number;
  readonly shape: Shape;
  readonly features: Int8Array;
}

/** Model number in frames and codebooks: one trainer serves one model. */
export const MODEL = 1;
/** Nacks of one kind to one device: at most one in so many milliseconds. */
const NACK_EVERY_MS = 1000;
/** A device of assembly/sgq/split.ts takes no others. */
const GRADIENT_BITS = 4;
/** Bytes of probabilities that a device has room for; less where it learns too (assembly/apps/split.ts). */
const TABLE_BYTES = { frozen: 8192, joint: 4096 };
/** What is told of accuracy is at most so old, and of so many of the newest held-out samples. */
const ACCURACY_MS = 2000;
const EVALUATED = 512;
export class CloudTrainer {
  readonly #options: TrainerOptions;
  readonly #network: Network;
  readonly #input: FeatureInput;
  readonly #store: SampleStore;
  readonly #shelf: CodebookShelf;
  readonly #intake: Intake;
  readonly #meter = new Meter();
  readonly #nacked = new Map<string, number>();
  /** Of each device its newest sample, unless it was looked at; those that have waited longest first. */
  readonly #unseen = new Map<string, Sample>();
  readonly #calibration: Calibration;
  /** Samples that were learned from, counted each time. */
  #learned = 0;
  #accuracy: { time: number; of: number; value?: number | undefined } = { time: 0, of: -1 };

  private constructor(options: TrainerOptions, network: Network, input: FeatureInput) {
    this.#options = options;
    this.#network = network;
    this.#input = input;
    const { capacity = 20_000, seed = 1, folder } = options;
    this.#store = new SampleStore(capacity, seed);
    this.#shelf = new CodebookShelf(options.tools.codec);
    this.#calibration = new Calibration({
      samples: options.calibration ?? 512,
      make: (samples) => this.#makeCodebook(samples),
      drifted: (text) => {
        this.#tell("info", `${text}: asking for features to make a new codebook of`);
        for (const { device } of this.#intake.streams) this.#nack(device, NackReason.codebook, 0);
      },
      failed: (text) => this.#tell("warning", `no codebook: ${text}`),
    });
    this.#intake = new Intake({
      codec: options.tools.codec,
      shelf: this.#shelf,
      shape: options.shape,
      journal: folder && join(folder, "samples.journal"),
      fsync: options.fsync ?? true,
      arrived: (sample, counted) => {
        if (!counted) this.#meter.sample(sample);
      },
      sample: (sample, replayed) => this.#add(sample, replayed),
      codebook: (bytes) => this.takeCodebook(bytes),
      nack: (device, reason, detail, header) => this.#nack(device, reason, detail, header),
      count: (name) => this.#meter.add(name),
      warn: (message) => this.#tell("warning", message),
      kept: (receipts) => options.kept?.(receipts),
      failed: (error) => options.failed?.(error),
    });
    if (folder === undefined) return;
    const checkpoint = readCheckpoint(folder);
    if (checkpoint) {
      restore(network, checkpoint.network, join(folder, CHECKPOINT));
      this.#learned = checkpoint.learned;
      this.#meter.restore(checkpoint.meter);
    }
    this.#intake.open(checkpoint?.records ?? 0);
    // a power cut may have taken records that the old one counts
    this.checkpoint();
  }

  /** Goes on where an earlier one in the same folder stopped. @throws NetworkStateError when that had another cloud half */
  static async create(options: TrainerOptions): Promise<CloudTrainer> {
    const { kernels, shape, layers, mode, seed } = options;
    const wantInputGradient = mode === "joint";
    // whatever the codebook is, its thresholds are among those of self-contained frames
    const cuts = Array.from({ length: shape[2] }, () => SELF_CUTS);
    const input = wantInputGradient ? asNumbers(shape) : asPlanes(shape, cuts);
    const network = await Network.create(kernels, { input: input.shape, layers, seed, wantInputGradient });
    return new CloudTrainer(options, network, input);
  }

  /** The newest codebook. */
  get codebook(): OpenCodebook | undefined {
    return this.#shelf.latest;
  }

  get network(): Network {
    return this.#network;
  }

  /** Takes a publication of a device (Intake.take): written when this returns, kept when `kept` says so. */
  take(device: string, payload: Uint8Array): void {
    this.#intake.take(device, payload);
  }

  /** Takes what a worker has decoded (decoded-message.ts). */
  takeDecoded(message: Uint8Array): void {
    this.#intake.takeDecoded(message);
  }

  /** Takes a codebook that was published before, by this trainer or another. @throws SgqError when it is none */
  takeCodebook(bytes: Uint8Array): void {
    // the broker gives back what this trainer has published
    if (this.codebook && Buffer.compare(this.codebook.bytes, bytes) === 0) return;
    const open = this.#options.tools.codec.open(bytes);
    const { shape } = this.#options;
    if (open.book.shape.join() !== shape.join()) {
      const of = open.book.shape.join("×");
      this.#tell(
        "warning",
        `a codebook for features of ${of}, but this trainer's are ${shape.join("×")}: left alone`,
      );
      return;
    }
    this.#shelf.keep(open);
    this.#calibration.use(open.book.version);
  }

  /** One batch, if there is something to learn from; false when all has been learned often enough. */
  learn(): boolean {
    const { mode, passes = 20, rate = 0.001 } = this.#options;
    if (mode === "joint" || this.#store.training === 0) return false;
    // devices wait for a codebook, and send much until they have it
    if (this.#calibration.making) return false;
    if (this.#learned >= passes * this.#meter.training) return false;
    const batch = this.#store.batch(this.#network.steps, this.#network.batch);
    this.#fill(batch);
    const labels = batch.map((sample) => sample.label);
    this.#meter.learned(this.#network.learn(labels, rate).loss);
    this.#learned += batch.length;
    return true;
  }

  /** Nothing more is waited for: late samples are given up. */
  flush(): void {
    this.#intake.flush();
  }

  /** Resolves when a codebook that is being made is done, and everything that was taken is acknowledged. */
  async settled(): Promise<void> {
    await this.#calibration.settled();
    await this.#intake.settled();
  }

  /** Share of held-out samples (of the newest so many) that the cloud half tells right; undefined without any. */
  accuracy(): number | undefined {
    const heldOut = this.#store.heldOut(EVALUATED);
    if (heldOut.length === 0) return undefined;
    let right = 0;
    for (let from = 0; from < heldOut.length; from += this.#network.batch) {
      const batch = heldOut.slice(from, from + this.#network.batch);
      this.#fill(batch);
      this.#network.classify(batch.length).forEach((seen, i) => {
        if (seen === batch[i]?.label) right++;
      });
    }
    return right / heldOut.length;
  }

  #lately(): number | undefined {
    const now = Date.now();
    const { steps } = this.#network;
    const { time, of } = this.#accuracy;
    if (now - time >= ACCURACY_MS && (of !== steps || this.#accuracy.value === undefined))
      this.#accuracy = { time: now, of: steps, value: this.accuracy() };
    return this.#accuracy.value;
  }

  metrics(): CloudMetrics {
    const { mode } = this.#options;
    return this.#meter.metrics({
      mode,
      steps: this.#network.steps,
      accuracy: this.#lately(),
      heldOut: this.#store.evaluation,
      codebook: this.codebook && { version: this.codebook.book.version, bytes: this.codebook.bytes.length },
      streams: this.#intake.streams,
    });
  }

  /** The newest sample of a device that has not been looked at yet, and what the cloud half takes it for; of each device in turn. */
  view(): CloudView | undefined {
    const [sample] = this.#unseen.values();
    if (sample === undefined) return undefined;
    this.#unseen.delete(sample.device);
    this.#fill([sample]);
    const [seen = 0] = this.#network.classify(1);
    const { device, label, codebook, features } = sample;
    return { device, label, seen, codebook, shape: this.#options.shape, features };
  }

  /** Writes everything that was learned; and drops from the journal what is no longer learned from. */
  checkpoint(): void {
    const { folder, capacity = 20_000 } = this.#options;
    if (folder === undefined) return;
    // what the checkpoint counts is on the disk before it
    this.#intake.syncNow();
    this.#writeCheckpoint(folder);
    if (this.#intake.records <= 3 * capacity) return;
    this.#intake.compact(2 * capacity);
    this.#writeCheckpoint(folder);
  }

  #writeCheckpoint(folder: string): void {
    writeCheckpoint(folder, {
      network: this.#network.state(),
      learned: this.#learned,
      meter: this.#meter.state(),
      records: this.#intake.records,
    });
  }

  close(): void {
    this.#intake.close();
  }

  #add(sample: Sample, replayed: boolean): void {
    this.#store.add(sample);
    if (replayed) return;
    this.#unseen.set(sample.device, sample);
    this.#calibration.see(sample);
    if (this.#options.mode === "joint" && sample.label >= 0 && !sample.heldOut) this.#answer(sample);
  }

  /** Joint: learns from one sample at once, and sends back what the device half needs to. */
  #answer(sample: Sample): void {
    const { rate = 0.001, seed = 1, tools, shape } = this.#options;
    this.#fill([sample]);
    this.#meter.learned(this.#network.learn([sample.label], rate).loss);
    this.#learned++;
    // without a codebook a device waits for no answer
    if (sample.codebook === 0) return;
    const to = { model: MODEL, codebook: sample.codebook, sequence: sample.sequence };
    const gradient = this.#network.sampleGradient(0);
    const frame = encodeGradientOf(tools.codec, to, gradient, { shape, bits: GRADIENT_BITS, seed });
    this.#meter.add("bytesDown", frame.length);
    this.#options.toDevice?.(sample.device, frame);
  }

  #fill(batch: readonly Sample[]): void {
    batch.forEach(({ features }, i) => {
      this.#input.put(features, this.#network.sample(i));
    });
  }

  async #makeCodebook(samples: readonly Sample[]): Promise<number> {
    const { tools, kernels, layers, shape, mode, target = { loss: 0.5 }, patch } = this.#options;
    const version = ((this.codebook?.book.version ?? 0) % 65_535) + 1;
    const examples = {
      features: samples.map((sample) => sample.features),
      labels: samples.map((sample) => sample.label),
    };
    const tableBytes = TABLE_BYTES[mode];
    const options = {
      model: MODEL,
      version,
      shape,
      target,
      kernels,
      layers,
      tableBytes,
      cuts: SELF_CUTS,
      input: this.#input,
    };
    const { chosen } = await chooseCodebook(tools, examples, { ...options, ...(patch && { patch }) });
    const { bytes } = chosen.book;
    this.#intake.keepCodebook(bytes);
    this.takeCodebook(bytes);
    this.#tell(
      "info",
      `codebook ${version}: ${chosen.bits} bit, ${chosen.bytes.toFixed(1)} bytes a sample (of ${shape[0] * shape[1] * shape[2]})`,
    );
    this.#options.publishCodebook?.(bytes);
    return chosen.bytes;
  }

  #nack(device: string, reason: NackReason, detail: number, header?: FrameHeader): void {
    const key = `${device} ${reason}`;
    const now = Date.now();
    if (now - (this.#nacked.get(key) ?? 0) < NACK_EVERY_MS) return;
    this.#nacked.set(key, now);
    const nack = {
      model: MODEL,
      codebook: header?.codebook ?? 0,
      sequence: header?.sequence ?? 0,
      reason,
      detail,
    };
    this.#options.toDevice?.(device, this.#options.tools.codec.encodeNack(nack));
  }

  #tell(level: "info" | "warning", message: string): void {
    this.#options.tell?.(level, message);
  }
}

function restore(network: Network, state: Uint8Array, path: string): void {
  try {
    network.restore(state);
  } catch (error) {
    if (!(error instanceof NetworkStateError)) throw error;
    throw new NetworkStateError(
      `${path}: ${error.message}; use another folder, or remove this file: all that is in the journal is learned from anew`,
    );
  }
}
