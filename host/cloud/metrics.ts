// What a trainer tells of itself: counts that outlive it, means of the last while, and what devices lost on the way.

import type { DeviceStream, Sample } from "./ingest/device-stream.ts";

/** `octomote/cloud/state` (docs/mqtt.md); what is not known is absent. */
export interface CloudMetrics {
  mode: "frozen" | "joint";
  /** Samples taken in, of those with a label to learn from, and held-out ones at hand. */
  samples: number;
  training: number;
  heldOut: number;
  samplesPerSecond: number;
  /** Learning steps (batches). */
  steps: number;
  /** Cross-entropy in nats, running mean over the last batches. */
  loss?: number;
  /** 0 … 1: held-out samples that the cloud half tells right. */
  accuracy?: number;
  /** Bytes of the features as int8, and of the SGQ frames that they came in. */
  bytesRaw: number;
  bytesSent: number;
  /** Of samples that were sent with a codebook, the last 256: int8 bytes by frame bytes, and bytes of a frame. */
  ratio?: number;
  bytesPerSample?: { mean: number; p95: number };
  /** Gradients and other frames to devices. */
  bytesDown: number;
  lost: number;
  late: number;
  duplicates: number;
  /** Samples of which only changed patches were sent. */
  partial: number;
  /** Frames that could not be decoded. */
  refused: number;
  nacks: number;
  /** Publications that came decoded. */
  decodedByWorkers: number;
  codebook?: { version: number; bytes: number };
  devices: Record<string, DeviceMetrics>;
  /** Milliseconds since 1970. */
  time: number;
}

export interface DeviceMetrics {
  samples: number;
  lost: number;
  late: number;
  duplicates: number;
  /** Version that it has acknowledged, or that its last frame was coded with; 0: none. */
  codebook: number;
}

interface Counts {
  samples: number;
  training: number;
  bytesRaw: number;
  bytesSent: number;
  bytesDown: number;
  partial: number;
  refused: number;
  nacks: number;
  decodedByWorkers: number;
}

const LAST = 256;
/** Weight of a batch in the running loss. */
const WEIGHT = 1 / 64;
const RATE_MS = 5000;

export class Meter {
  #counts: Counts = {
    samples: 0,
    training: 0,
    bytesRaw: 0,
    bytesSent: 0,
    bytesDown: 0,
    partial: 0,
    refused: 0,
    nacks: 0,
    decodedByWorkers: 0,
  };
  readonly #perDevice = new Map<string, number>();
  #loss: number | undefined;
  /** Frame bytes of the last samples with a codebook. */
  #sizes: number[] = [];
  #elements = 0;
  /** Times of arrival, the last few seconds. */
  #arrivals: { time: number; samples: number }[] = [];

  get training(): number {
    return this.#counts.training;
  }

  add(name: "bytesDown" | "refused" | "nacks" | "decodedByWorkers", n = 1): void {
    this.#counts[name] += n;
  }

  sample({ device, features, bytes, codebook, label, heldOut, partial }: Sample): void {
    const counts = this.#counts;
    counts.samples++;
    if (partial) counts.partial++;
    if (label >= 0 && !heldOut) counts.training++;
    counts.bytesRaw += features.length;
    counts.bytesSent += bytes;
    this.#elements = features.length;
    this.#perDevice.set(device, (this.#perDevice.get(device) ?? 0) + 1);
    if (codebook !== 0) {
      this.#sizes.push(bytes);
      if (this.#sizes.length > LAST) this.#sizes.shift();
    }
    const now = Date.now();
    const last = this.#arrivals.at(-1);
    if (last && now - last.time < 100) last.samples++;
    else this.#arrivals.push({ time: now, samples: 1 });
  }

  /** Mean loss of a batch. */
  learned(loss: number): void {
    this.#loss = this.#loss === undefined ? loss : this.#loss + (loss - this.#loss) * WEIGHT;
  }

  /** For `restore`. */
  state(): string {
    return JSON.stringify({ counts: this.#counts, loss: this.#loss, devices: [...this.#perDevice] });
  }

  restore(text: string): void {
    const { counts, loss, devices } = JSON.parse(text);
    this.#counts = { ...this.#counts, ...counts };
    this.#loss = loss;
    for (const [device, samples] of devices) this.#perDevice.set(device, samples);
  }

  metrics(
    now: Pick<CloudMetrics, "mode" | "steps" | "accuracy" | "heldOut" | "codebook"> & {
      streams: readonly DeviceStream[];
    },
  ): CloudMetrics {
    const { streams, ...rest } = now;
    const devices = Object.fromEntries(
      streams.map((stream) => {
        const { lost, late, duplicates } = stream.counts;
        const samples = this.#perDevice.get(stream.device) ?? 0;
        return [stream.device, { samples, lost, late, duplicates, codebook: stream.codebook }];
      }),
    );
    const sum = (name: "lost" | "late" | "duplicates"): number =>
      Object.values(devices).reduce((total, device) => total + device[name], 0);
    return {
      ...this.#counts,
      ...rest,
      bytesSent: Math.round(this.#counts.bytesSent),
      samplesPerSecond: this.#samplesPerSecond(),
      loss: this.#loss,
      ...this.#size(),
      lost: sum("lost"),
      late: sum("late"),
      duplicates: sum("duplicates"),
      devices,
      time: Date.now(),
    };
  }

  #samplesPerSecond(): number {
    const since = Date.now() - RATE_MS;
    this.#arrivals = this.#arrivals.filter(({ time }) => time >= since);
    const samples = this.#arrivals.reduce((sum, one) => sum + one.samples, 0);
    return Math.round((samples / RATE_MS) * 10_000) / 10;
  }

  #size(): Pick<CloudMetrics, "ratio" | "bytesPerSample"> {
    if (this.#sizes.length === 0) return {};
    const sorted = [...this.#sizes].sort((a, b) => a - b);
    const mean = sorted.reduce((sum, bytes) => sum + bytes, 0) / sorted.length;
    const p95 = sorted[Math.min(sorted.length - 1, Math.floor(0.95 * sorted.length))] as number;
    const round = (value: number): number => Math.round(value * 10) / 10;
    return { ratio: round(this.#elements / mean), bytesPerSample: { mean: round(mean), p95: round(p95) } };
  }
}
