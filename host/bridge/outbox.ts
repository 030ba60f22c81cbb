// Publications that must not be lost on the way to a trainer, whatever becomes of broker, workers and trainer: each is held here until the
// trainer says that it is in its journal, and sent again where that takes too long. Copies are no harm: a trainer drops them.
//
// A broker's acknowledgement is not enough: a broker that is killed has lost what it had not written, and Mosquitto 2.0 forgets shared
// subscriptions when it restarts, so that it takes what devices publish until workers are back, for nobody.

import { encodeNumbered, FrameNumbers } from "../protocol/numbered.ts";
import { receiptOf } from "../protocol/receipts.ts";
import type { Delivery } from "./mqtt/types.ts";

export interface OutboxOptions {
  /** Resolves when the broker has it, rejects when that will not be. */
  send(topic: string, payload: Uint8Array): Promise<Delivery>;
  /** Told of a publication that was given up and that nobody is known to have. */
  lost(device: string): void;
  /** Milliseconds. */
  now?(): number;
}

/** So many publications of a device are held; the oldest gives way. */
const HELD = 2000;
/** With more of a device than that without a receipt, how a number ends does not tell a reader which one it is. */
const NEAR = 64;
/** So many are on their way to the broker at once. */
const FLYING = 32;
/** A receipt is waited for so long, and twice as long after each time that it was sent again, up to the longest. */
const PATIENCE_MS = 5000;
const LONGEST_MS = 60_000;
/** What reached no subscriber is tried again after so long. */
const UNHEARD_MS = 500;

interface Held {
  readonly key: string;
  readonly device: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Of its first sample, if that is known. */
  readonly number: number | undefined;
  /** Its frame says only how the number ends. */
  readonly short: boolean;
  /** It was on its way before. */
  again: boolean;
  /** Stranded: the connection gave it up. */
  state: "waiting" | "flying" | "sent" | "stranded";
  /** The broker had a subscriber for it. */
  heard: boolean;
  /** When it is sent again unless there is a receipt, and how long that waits the time after. */
  due: number;
  patience: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  readonly #now: () => number;
  /** By device, then by receipt, oldest first. */
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #numbers = new Map<string, FrameNumbers>();
  #waiting: Held[] = [];
  #flying = 0;
  /** Whether there is, or was, somebody who gives receipts; and whether it is there now. */
  #trainer: "none" | "away" | "here" = "none";

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** Publications without a receipt. */
  get held(): number {
    return [...this.#held.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Takes a publication. One that is held already goes out again, but is not held twice: for a trainer they are the same. */
  put(device: string, topic: string, payload: Uint8Array): void {
    const key = receiptOf(device, payload);
    const held = this.#held.get(device) ?? new Map<string, Held>();
    const numbers = this.#numbers.get(device) ?? new FrameNumbers();
    this.#held.set(device, held);
    this.#numbers.set(device, numbers);
    const { number, short } = numbers.see(payload);
    if (held.has(key)) {
      this.#options.send(topic, payload).catch(() => this.#options.lost(device));
      return;
    }
    const news = { state: "waiting", again: false, heard: false, due: 0, patience: PATIENCE_MS } as const;
    const one: Held = { key, device, topic, payload, number, short, ...news };
    held.set(key, one);
    if (held.size > HELD) this.#giveUp(held.values().next().value as Held);
    this.#queue(one);
    this.#pump();
  }

  /** The device is no longer known. */
  forget(device: string): void {
    this.#held.delete(device);
    this.#numbers.delete(device);
  }

  /** These are in a journal. */
  kept(receipts: readonly string[]): void {
    for (const held of this.#held.values()) for (const receipt of receipts) held.delete(receipt);
  }

  /** Whoever gives receipts is there, or has gone. */
  trainer(here: boolean): void {
    this.#trainer = here ? "here" : "away";
    if (here) this.hurry();
  }

  /** The broker or the trainer is back: what it does not have after all is sent soon. */
  hurry(): void {
    const now = this.#now();
    for (const one of this.#all()) {
      one.patience = PATIENCE_MS;
      one.due = one.heard ? now + PATIENCE_MS : now;
      if (one.state === "stranded") this.#queue(one);
    }
    this.#pump();
  }

  /** Sends again what has waited too long for a receipt; to be called now and then. */
  tick(): void {
    if (this.#trainer !== "here") return;
    const now = this.#now();
    for (const one of this.#all()) {
      if (one.state === "sent" && one.due <= now) this.#queue(one);
    }
    this.#pump();
  }

  /** Hands everything that waits to the broker's connection, however much that is: this is the end. */
  release(): void {
    this.#pump(Number.POSITIVE_INFINITY);
  }

  #all(): Held[] {
    return [...this.#held.values()].flatMap((held) => [...held.values()]);
  }

  #queue(one: Held): void {
    one.state = "waiting";
    this.#waiting.push(one);
  }

  #pump(most = FLYING): void {
    while (this.#flying < most) {
      const one = this.#waiting.shift();
      if (one === undefined) return;
      if (!this.#holds(one)) continue;
      this.#flying++;
      one.state = "flying";
      void this.#options
        .send(one.topic, this.#payload(one))
        .then(
          ({ heard }) => this.#delivered(one, heard),
          () => {
            one.state = "stranded";
          },
        )
        .finally(() => {
          this.#flying--;
          this.#pump();
        });
    }
  }

  /** What is sent again says which one it is, and so does what is far ahead of what the trainer is known to have. */
  #payload(one: Held): Uint8Array {
    const far = one.short && (this.#held.get(one.device)?.size ?? 0) > NEAR;
    const told = one.number !== undefined && (one.again || far);
    one.again = true;
    return told ? encodeNumbered(one.number, one.payload) : one.payload;
  }

  #delivered(one: Held, heard: boolean): void {
    // nobody says what became of it: the broker's word has to do
    if (heard && this.#trainer === "none") this.#drop(one);
    one.state = "sent";
    one.heard ||= heard;
    one.due = this.#now() + (heard ? one.patience : UNHEARD_MS);
    if (heard) one.patience = Math.min(2 * one.patience, LONGEST_MS);
  }

  #holds({ device, key }: Held): boolean {
    return this.#held.get(device)?.has(key) ?? false;
  }

  #drop({ device, key }: Held): void {
    this.#held.get(device)?.delete(key);
  }

  #giveUp(one: Held): void {
    this.#drop(one);
    if (!one.heard) this.#options.lost(one.device);
  }
}
