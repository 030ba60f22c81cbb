// A transport to a real device that spoils some of what it carries.

import { EventEmitter } from "node:events";
import { Random } from "../../host/data/random.ts";
import type { Transport, TransportEvents } from "../../host/link/transport.ts";

export class LossyTransport extends EventEmitter<TransportEvents> implements Transport {
  readonly name: string;
  readonly #inner: Transport;
  readonly #random: Random;
  /** Of 100 chunks, how many are lost and how many have a bit flipped, each way. */
  percent = 0;

  constructor(inner: Transport, seed: number) {
    super();
    this.name = `lossy ${inner.name}`;
    this.#inner = inner;
    this.#random = new Random(seed);
    inner.on("data", (bytes) => this.#spoil(bytes, (rest) => this.emit("data", rest)));
    inner.on("close", () => this.emit("close"));
  }

  send(bytes: Uint8Array): boolean {
    this.#spoil(bytes, (rest) => this.#inner.send(rest));
    return true;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #spoil(bytes: Uint8Array, pass: (bytes: Uint8Array) => void): void {
    const fate = this.#random.below(100);
    if (fate < this.percent) return;
    const copy = bytes.slice();
    if (fate < 2 * this.percent) {
      const at = this.#random.below(copy.length);
      copy[at] = (copy[at] as number) ^ (1 << this.#random.below(8));
    }
    pass(copy);
  }
}
