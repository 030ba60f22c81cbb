// Everything that devices publish, on its way to samples: known again when it comes twice, written to the journal, decoded, put in order, and
// acknowledged when it is on the disk. A frame whose reference is not there yet waits for it.

import { decodeNumbered } from "../../protocol/numbered.ts";
import { receiptOf } from "../../protocol/receipts.ts";
import { type FrameHeader, NackReason, type Sgq } from "../../sgq/types.ts";
import type { Shape } from "../codebook/train.ts";
import { GroupCommit } from "./commit.ts";
import { type Decoded, decodePublication } from "./decode.ts";
import { decodeDecoded } from "./decoded-message.ts";
import { DeviceStream, type Sample } from "./device-stream.ts";
import { Journal } from "./journal.ts";
import { decodeRecord, encodeRecord, type JournalRecord } from "./record.ts";
import type { CodebookShelf } from "./shelf.ts";

export interface IntakeOptions {
  readonly codec: Sgq;
  readonly shelf: CodebookShelf;
  readonly shape: Shape;
  /** Path of the journal; without it nothing outlives this process. */
  readonly journal: string | undefined;
  /** Whether the journal is forced to the disk before anything is acknowledged. */
  readonly fsync: boolean;
  /** A sample has come, in whatever order. @param counted the counts of the checkpoint have it already */
  arrived(sample: Sample, counted: boolean): void;
  /** A sample whose turn it is. @param replayed it was in the journal */
  sample(sample: Sample, replayed: boolean): void;
  codebook(bytes: Uint8Array): void;
  nack(device: string, reason: NackReason, detail: number, header?: FrameHeader): void;
  count(name: "refused" | "nacks" | "decodedByWorkers"): void;
  warn(message: string): void;
  kept(receipts: string[]): void;
  failed(error: Error): void;
}

type Samples = Extract<Decoded, { kind: "samples" }>;
type Refused = Extract<Decoded, { kind: "refused" }>;

/** A publication that waits for the sample it refers to. */
interface Parked {
  readonly published: Uint8Array;
  readonly header: FrameHeader | undefined;
}

/** So many wait; then the oldest is given up. More than two chains of frames that refer to each other. */
const PARKED = 256;
/** A device is asked for a whole sample when so many wait: what is merely out of order is there before. */
const ASK = 8;

export class Intake {
  readonly #options: IntakeOptions;
  readonly #streams = new Map<string, DeviceStream>();
  readonly #parked = new Map<DeviceStream, Parked[]>();
  readonly #commit: GroupCommit;
  #journal: Journal | undefined;
  #replaying = false;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#commit = new GroupCommit({
      sync: async () => {
        if (options.fsync) await this.#journal?.sync();
      },
      kept: (receipts) => options.kept(receipts),
      failed: (error) => options.failed(error),
    });
  }

  /** Opens the journal, and takes in what it holds. @param counted so many of its records are in the counts of the checkpoint */
  open(counted: number): void {
    const { journal } = this.#options;
    if (journal === undefined) return;
    let left = counted;
    this.#replaying = true;
    this.#journal = new Journal(journal, (record) => this.#replay(record, left-- > 0));
    this.#replaying = false;
  }

  get streams(): DeviceStream[] {
    return [...this.#streams.values()];
  }

  /** Records in the journal. */
  get records(): number {
    return this.#journal?.records ?? 0;
  }

  /**
   * Takes a publication of a device. When this returns it is written: it outlives this process; `kept` says when it outlives the machine.
   * What is wrong with it is answered and counted, and no error. @throws Error of the file system
   */
  take(device: string, published: Uint8Array, byWorker?: Samples): void {
    const stream = this.#streamOf(device);
    const { payload } = decodeNumbered(published);
    const receipt = receiptOf(device, payload);
    if (stream.knows(receipt)) stream.counts.duplicates++;
    else
      this.#handle(
        stream,
        published,
        receipt,
        byWorker ?? this.#decode(stream, payload),
        byWorker !== undefined,
      );
    this.#commit.add(receipt);
  }

  /** Takes what a worker has decoded (decoded-message.ts). @throws MessageError, SgqError when it is none */
  takeDecoded(message: Uint8Array): void {
    const { device, payload, decoded } = decodeDecoded(this.#options.codec, message);
    this.take(device, payload, decoded);
  }

  /** Keeps a codebook: on the disk when this returns. */
  keepCodebook(bytes: Uint8Array): void {
    this.#write({ device: "", payload: bytes });
    this.syncNow();
  }

  /** Everything that was taken is on the disk when this returns. */
  syncNow(): void {
    if (this.#options.fsync) this.#journal?.syncNow();
  }

  /** Nothing more is waited for: late samples are given up, and devices asked for whole ones. */
  flush(): void {
    for (const stream of this.#streams.values()) {
      for (const sample of stream.flush()) this.#options.sample(sample, false);
      const [first] = this.#parked.get(stream) ?? [];
      if (first) this.#options.nack(stream.device, NackReason.reference, 0, first.header);
    }
  }

  /** Leaves the newest records and all codebooks in the journal. */
  compact(most: number): void {
    const journal = this.#journal as Journal;
    const records = journal.read();
    const old = records.length - most;
    journal.rewrite(records.filter((record, i) => i >= old || decodeRecord(record).device === ""));
  }

  /** Resolves when everything that was taken is acknowledged. */
  async settled(): Promise<void> {
    await this.#commit.settled();
  }

  close(): void {
    this.#journal?.close();
  }

  #write(record: JournalRecord): void {
    try {
      this.#journal?.append(encodeRecord(record));
    } catch (error) {
      this.#options.failed(error as Error);
      throw error;
    }
  }

  #streamOf(device: string): DeviceStream {
    const known = this.#streams.get(device);
    if (known) return known;
    const stream = new DeviceStream(device, this.#options.shape);
    this.#streams.set(device, stream);
    return stream;
  }

  #decode(stream: DeviceStream, payload: Uint8Array): Decoded {
    const { codec, shelf } = this.#options;
    const found = decodePublication(codec, shelf, payload, (sequence) => stream.reference(sequence));
    const { reference } = (found.kind === "refused" && found.header) || {};
    const to = reference === undefined ? undefined : stream.reference(reference);
    if (to === undefined || to.levels.length > 0) return found;
    // a worker has decoded what this refers to, and handed on no codes
    const again = decodePublication(codec, shelf, to.payload);
    const levels = again.kind === "samples" ? again.samples.at(-1)?.levels : undefined;
    if (levels === undefined || levels.length === 0) return found;
    stream.refer({ ...to, levels });
    return decodePublication(codec, shelf, payload, (sequence) => stream.reference(sequence));
  }

  #handle(
    stream: DeviceStream,
    published: Uint8Array,
    receipt: string,
    decoded: Decoded,
    byWorker: boolean,
  ): void {
    const { device } = stream;
    const { count, nack, warn } = this.#options;
    if (decoded.kind === "nack") {
      count("nacks");
      const { reason, codebook, detail } = decoded.nack;
      if (reason === NackReason.refused) warn(`${device} cannot use codebook ${codebook} (error ${detail})`);
      return;
    }
    if (decoded.kind === "ack") {
      stream.codebook = decoded.header.codebook;
      return;
    }
    const waits = decoded.kind === "refused" && decoded.reason === NackReason.reference;
    if (decoded.kind === "refused" && !waits) {
      count("refused");
      const { reason, detail, header } = decoded;
      if (reason !== NackReason.crc && reason !== NackReason.malformed) nack(device, reason, detail, header);
      return;
    }
    this.#write({ device, payload: published, byWorker });
    stream.know(receipt);
    if (byWorker) count("decodedByWorkers");
    if (waits) this.#park(stream, published, decoded as Refused);
    else this.#use(stream, published, decoded as Samples, false);
  }

  #use(stream: DeviceStream, published: Uint8Array, decoded: Samples, counted: boolean): void {
    const { number, payload } = decodeNumbered(published);
    const taken = stream.take(decoded, payload, number);
    if (typeof taken === "number") {
      this.#refuse(stream, taken, decoded.header);
      return;
    }
    for (const sample of taken.arrived) this.#options.arrived(sample, counted);
    for (const sample of taken.ready) this.#options.sample(sample, this.#replaying);
    this.#retry(stream, counted);
  }

  #park(stream: DeviceStream, published: Uint8Array, { header }: Refused): void {
    const parked = this.#parked.get(stream) ?? [];
    this.#parked.set(stream, parked);
    parked.push({ published, header });
    if (parked.length === ASK && !this.#replaying)
      this.#options.nack(stream.device, NackReason.reference, 0, header);
    if (parked.length > PARKED) this.#refuse(stream, NackReason.reference, parked.shift()?.header);
  }

  /** A sample is there that was not: what waits may have waited for it. */
  #retry(stream: DeviceStream, counted: boolean): void {
    const parked = this.#parked.get(stream) ?? [];
    for (let i = 0; i < parked.length; i++) {
      const { published, header } = parked[i] as Parked;
      if (header?.reference === undefined || !stream.reference(header.reference)) continue;
      const decoded = this.#decode(stream, decodeNumbered(published).payload);
      if (decoded.kind === "refused" && decoded.reason === NackReason.reference) continue;
      parked.splice(i, 1);
      // `#use` looks for the next one
      if (decoded.kind === "samples") {
        this.#use(stream, published, decoded, counted);
        return;
      }
      this.#refuse(stream, NackReason.reference, header);
      i--;
    }
  }

  #refuse(stream: DeviceStream, reason: NackReason, header: FrameHeader | undefined): void {
    if (this.#replaying) return;
    this.#options.count("refused");
    this.#options.nack(stream.device, reason, 0, header);
  }

  #replay(record: Uint8Array, counted: boolean): void {
    const { device, payload: published, byWorker } = decodeRecord(record);
    if (device === "") {
      this.#options.codebook(published);
      return;
    }
    const stream = this.#streamOf(device);
    const { payload } = decodeNumbered(published);
    stream.know(receiptOf(device, payload));
    if (byWorker && !counted) this.#options.count("decodedByWorkers");
    const decoded = this.#decode(stream, payload);
    if (decoded.kind === "samples") this.#use(stream, published, decoded, counted);
    else if (decoded.kind === "refused" && decoded.reason === NackReason.reference)
      this.#park(stream, published, decoded);
  }
}
