// An ingest worker: decodes what devices publish and hands it to the trainer. It keeps nothing: as many as one likes share the work,
// and each message is acknowledged when the broker has what came of it. Nor does the broker keep anything for one that is gone: its share
// goes to the others, and what it was about the bridge sends again.

import { setTimeout as sleep } from "node:timers/promises";
import { OctomoteError } from "../../bridge/errors.ts";
import { MqttConnection, type MqttOptions } from "../../bridge/mqtt/connection.ts";
import { Topics } from "../../bridge/topics.ts";
import { decodePublication } from "../../cloud/ingest/decode.ts";
import { encodeDecoded } from "../../cloud/ingest/decoded-message.ts";
import { CodebookShelf } from "../../cloud/ingest/shelf.ts";
import { decodeNumbered } from "../../protocol/numbered.ts";
import { type Sgq, SgqError } from "../../sgq/types.ts";

export interface CloudWorkerOptions {
  readonly mqtt: Omit<MqttOptions, "will">;
  readonly base: string;
  readonly codec: Sgq;
  /** How the broker knows this worker: one with the same name takes its place. */
  readonly id: string;
}

export interface WorkerCounts {
  /** Publications, samples in them, and publications that the trainer has to decode itself. */
  publications: number;
  samples: number;
  passedOn: number;
  bytesIn: number;
}

/** Name of the group that shares the subscription. */
const GROUP = "octomote-workers";
/** What reaches no trainer is tried again after so long. */
const AGAIN_MS = 250;

export class CloudWorker {
  readonly counts: WorkerCounts = { publications: 0, samples: 0, passedOn: 0, bytesIn: 0 };
  readonly broker: string;
  readonly #options: CloudWorkerOptions;
  readonly #topics: Topics;
  readonly #shelf: CodebookShelf;
  /** Two connections: while a message waits for its result to arrive, nothing else is read on the one that it came by. */
  readonly #input: MqttConnection;
  readonly #output: MqttConnection;
  #stopped = false;

  /** Does nothing but check the options. */
  constructor(options: CloudWorkerOptions) {
    this.#options = options;
    this.#topics = new Topics(options.base);
    this.#shelf = new CodebookShelf(options.codec);
    const clientId = `octomote-worker-${options.id}`;
    this.#input = new MqttConnection({ ...options.mqtt, clientId });
    this.#output = new MqttConnection({ ...options.mqtt, clientId: `${clientId}-out` });
    this.broker = this.#input.broker;
  }

  /** @throws OctomoteError when the broker speaks no MQTT 5: it could not share a subscription */
  async start(): Promise<void> {
    await this.#output.subscribe(this.#topics.cloud("codebook"), ({ payload }) => {
      this.#learn(payload);
    });
    await this.#output.connect();
    if (this.#output.version !== 5) {
      await this.#output.close();
      throw new OctomoteError(
        `${this.broker} speaks MQTT 3.1.1, which has no shared subscriptions`,
        "use a broker with MQTT 5, such as Mosquitto 2, or let octomote cloud train decode by itself",
      );
    }
    await this.#input.subscribe(`$share/${GROUP}/${this.#topics.anyFeatures}`, ({ topic, payload }) =>
      this.#pass(this.#topics.deviceOfFeatures(topic), payload),
    );
    await this.#input.connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#input.close();
    await this.#output.close();
  }

  /** A codebook that is none is the trainer's business: it says so. */
  #learn(codebook: Uint8Array): void {
    try {
      if (codebook.length > 0) this.#shelf.add(codebook);
    } catch (error) {
      if (!(error instanceof SgqError)) throw error;
    }
  }

  async #pass(device: string, payload: Uint8Array): Promise<void> {
    const decoded = decodePublication(this.#options.codec, this.#shelf, decodeNumbered(payload).payload);
    this.counts.publications++;
    this.counts.bytesIn += payload.length;
    // acknowledgements, nacks and what needs a reference are for the trainer, who knows the device
    const message =
      decoded.kind === "samples"
        ? encodeDecoded({ device, payload, decoded })
        : encodeDecoded({ device, payload });
    if (decoded.kind === "samples") this.counts.samples += decoded.samples.length;
    else this.counts.passedOn++;
    // a broker that has lost the trainer's session has nobody to keep it for
    while (!(await this.#output.deliver(this.#topics.cloud("decoded"), message)).heard) {
      if (this.#stopped) throw new Error("ended before the trainer had it");
      await sleep(AGAIN_MS);
    }
  }
}
