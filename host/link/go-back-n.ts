// Reliable delivery over an unreliable byte stream (docs/protocol.md): numbered frames, cumulative acknowledgements,
// go back N. One object serves both directions of one side; the device's and the host's are the same. How long to wait for an
// acknowledgement is estimated as TCP does it (RFC 6298, with Karn's rule): on a slow link a fixed time would send everything again and
// again while the first copy is on its way.

/** Unacknowledged frames at a time. */
export const WINDOW = 4;
/** The shortest wait, and the first. */
export const RESEND_FIRST_MS = 250;
export const RESEND_MAX_MS = 2000;
/** Sends of the same window before the link counts as down. */
export const MAX_TRIES = 10;
const MODULUS = 0x10000;
/** Acknowledges that nothing has come yet. */
const NOTHING = MODULUS - 1;

export interface GoBackNWire {
  /** Puts a reliable frame on the wire. */
  send(type: number, sequence: number, payload: Uint8Array): void;
  ack(sequence: number): void;
  /** MAX_TRIES sends went unanswered. */
  dead(): void;
}

export interface Outgoing {
  type: number;
  payload: Uint8Array;
  /** On the wire at least once. */
  sent: boolean;
  /** When it was sent, if only once: what is acknowledged after a resend does not say which copy arrived. */
  sentAt?: number;
}

export class GoBackN {
  readonly #wire: GoBackNWire;
  /** The first WINDOW of them are or may be on the wire; [0] has the sequence number #base. */
  #queue: Outgoing[] = [];
  #base = 0;
  #expected = 0;
  #progress = false;
  #tries = 0;
  /** Smoothed time to an acknowledgement and its mean deviation, ms; and the wait that they give, longer after a resend. */
  #smoothed: number | undefined;
  #deviation = 0;
  #wait = RESEND_FIRST_MS;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #running = false;
  /** Frames that were sent again. */
  resent = 0;

  constructor(wire: GoBackNWire) {
    this.#wire = wire;
  }

  /** Frames that are not acknowledged yet, those that wait included. */
  get pending(): number {
    return this.#queue.length;
  }

  /** Anything reliable was received or acknowledged since `start`. */
  get progress(): boolean {
    return this.#progress;
  }

  /** Nothing is on the wire that is not acknowledged. */
  get clean(): boolean {
    return !this.#queue.some((frame) => frame.sent);
  }

  /** Begins an epoch: both directions count from 0. What waits unsent is sent now. */
  start(): void {
    this.stop();
    this.#base = 0;
    this.#expected = 0;
    this.#progress = false;
    this.#smoothed = undefined;
    this.#wait = RESEND_FIRST_MS;
    this.#running = true;
    this.#fill();
  }

  /** Ends the epoch. Frames that were on the wire are forgotten; those that wait stay for the next `start`. */
  stop(): void {
    this.#running = false;
    this.#disarm();
    this.#queue = this.#queue.filter((frame) => !frame.sent);
  }

  /** Ends the epoch and forgets everything. */
  clear(): void {
    this.stop();
    this.#queue = [];
  }

  push(type: number, payload: Uint8Array): Outgoing {
    const frame = { type, payload, sent: false };
    this.#queue.push(frame);
    if (this.#running) this.#fill();
    return frame;
  }

  /** Takes back a frame that was never on the wire; false if it was. */
  cancel(frame: Outgoing): boolean {
    if (frame.sent) return false;
    this.#queue = this.#queue.filter((other) => other !== frame);
    return true;
  }

  /** A reliable frame came: true if it is the next one and must be delivered. Every one is acknowledged. */
  receive(sequence: number): boolean {
    if (!this.#running) return false;
    const next = sequence === this.#expected;
    if (next) {
      this.#expected = (this.#expected + 1) % MODULUS;
      this.#progress = true;
    }
    this.#wire.ack((this.#expected + NOTHING) % MODULUS);
    return next;
  }

  /** An acknowledgement came. One that acknowledges nothing new changes nothing. */
  acknowledge(sequence: number): void {
    if (!this.#running) return;
    const count = (sequence - this.#base + 1 + MODULUS) % MODULUS;
    const onWire = this.#queue.slice(0, WINDOW).filter((frame) => frame.sent).length;
    if (count === 0 || count > onWire) return;
    this.#measure(this.#queue.splice(0, count));
    this.#base = (this.#base + count) % MODULUS;
    this.#progress = true;
    this.#disarm();
    this.#fill();
  }

  /** Learns from the oldest of what was acknowledged how long that takes. */
  #measure([oldest]: Outgoing[]): void {
    if (oldest?.sentAt === undefined) return;
    const took = performance.now() - oldest.sentAt;
    if (this.#smoothed === undefined) {
      this.#smoothed = took;
      this.#deviation = took / 2;
    } else {
      this.#deviation += (Math.abs(took - this.#smoothed) - this.#deviation) / 4;
      this.#smoothed += (took - this.#smoothed) / 8;
    }
    const wait = this.#smoothed + 4 * this.#deviation;
    this.#wait = Math.min(Math.max(wait, RESEND_FIRST_MS), RESEND_MAX_MS);
  }

  #fill(): void {
    const end = Math.min(WINDOW, this.#queue.length);
    for (let i = 0; i < end; i++) {
      const frame = this.#queue[i] as Outgoing;
      if (frame.sent) continue;
      frame.sent = true;
      frame.sentAt = performance.now();
      this.#wire.send(frame.type, (this.#base + i) % MODULUS, frame.payload);
    }
    if (end > 0 && this.#timer === null) this.#arm();
  }

  #arm(): void {
    this.#timer = setTimeout(() => this.#resend(), this.#wait);
  }

  #disarm(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#tries = 0;
  }

  #resend(): void {
    this.#timer = null;
    if (++this.#tries >= MAX_TRIES) {
      this.#wire.dead();
      return;
    }
    this.#wait = Math.min(this.#wait * 2, RESEND_MAX_MS);
    const window = this.#queue.slice(0, WINDOW);
    window.forEach((frame, i) => {
      delete frame.sentAt;
      this.#wire.send(frame.type, (this.#base + i) % MODULUS, frame.payload);
    });
    this.resent += window.length;
    this.#arm();
  }
}
