// The in-flight window of QoS 1: how many messages may wait for the broker's acknowledgement, and what waits its turn.
// The MQTT client does not respect the broker's Receive Maximum by itself, so this does.

/** One message that waits to be sent. */
export interface Job {
  /** Jobs with the same key replace each other while they wait (a newer retained state makes the older useless). */
  key?: string;
  /** Sends; calls `done` once, when the broker has acknowledged or the message is lost. */
  send(done: () => void): void;
  /** Told when the job is given up or replaced before it was sent. */
  drop?(): void;
}

/** A queue with at most `limit` jobs under way and at most `capacity` waiting; the oldest gives way. */
export class InFlightWindow {
  readonly #capacity: number;
  #limit: number;
  #open = false;
  #pumping = false;
  #inFlight = 0;
  #waiting: Job[] = [];
  #idle: (() => void)[] = [];
  /** Jobs given up because the queue was full. */
  dropped = 0;

  /** `limit` ≥ 1 jobs in flight, `capacity` ≥ 1 jobs waiting. */
  constructor(limit: number, capacity: number) {
    this.#limit = limit;
    this.#capacity = capacity;
  }

  get inFlight(): number {
    return this.#inFlight;
  }
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Lets jobs go out, at most `limit` at a time. */
  open(limit: number): void {
    this.#limit = Math.max(1, limit);
    this.#open = true;
    this.#pump();
  }

  /** Holds everything that was not sent yet. */
  close(): void {
    this.#open = false;
  }

  push(job: Job): void {
    const replaced = job.key === undefined ? -1 : this.#waiting.findIndex((other) => other.key === job.key);
    if (replaced >= 0) {
      this.#waiting[replaced]?.drop?.();
      this.#waiting[replaced] = job;
    } else {
      if (this.#waiting.length >= this.#capacity) {
        this.#waiting.shift()?.drop?.();
        this.dropped++;
      }
      this.#waiting.push(job);
    }
    this.#pump();
  }

  /** Resolves when nothing waits and nothing is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    // A job may finish within send(): the loop that is already running goes on, instead of one more on the stack.
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#open && this.#inFlight < this.#limit) {
      const job = this.#waiting.shift();
      if (!job) break;
      this.#inFlight++;
      let settled = false;
      job.send(() => {
        if (settled) return;
        settled = true;
        this.#inFlight--;
        this.#pump();
      });
    }
    this.#pumping = false;
    if (this.#inFlight === 0 && this.#waiting.length === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }
}
