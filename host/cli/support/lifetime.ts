// The life of a verb that runs until it is told to end: signals, a parent that died, and the order of leaving.

/** How often the parent is looked at: nothing else tells of a parent that was killed. */
const PARENT_INTERVAL_MS = 500;
/** A signal within this time of the first is the same one, sent by the terminal and passed on by npm as well. */
const SAME_SIGNAL_MS = 1000;

export interface LifetimeOptions {
  /** End when the process that started this one is gone. */
  withParent?: boolean;
}

/** Things are ended in the reverse order of their start; whatever fails there does not hold up the rest. */
export class Lifetime {
  readonly #cleanups: (() => unknown)[] = [];
  readonly #controller = new AbortController();
  readonly #options: LifetimeOptions;
  #timer: NodeJS.Timeout | undefined;
  #reason = "";

  /** Does nothing. */
  constructor(options: LifetimeOptions = {}) {
    this.#options = options;
  }

  /** Aborted when it is time to leave. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it is time to leave; empty before. */
  get reason(): string {
    return this.#reason;
  }

  /** Starts to listen to signals. A second Ctrl-C ends the process at once. */
  start(): void {
    let first = 0;
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.on(name, () => {
        first ||= Date.now();
        if (this.signal.aborted && name !== "SIGHUP" && Date.now() - first > SAME_SIGNAL_MS) process.exit(1);
        this.leave(name);
      });
    }
    // Whoever read our output is gone (`octomote start | head`).
    process.stdout.on("error", () => this.leave("output closed"));
    if (this.#options.withParent) {
      const parent = process.ppid;
      this.#timer = setInterval(() => {
        if (process.ppid !== parent) this.leave("parent ended");
      }, PARENT_INTERVAL_MS);
      this.#timer.unref();
    }
  }

  /** It is time to leave. */
  leave(reason: string): void {
    if (this.signal.aborted) return;
    this.#reason = reason;
    this.#controller.abort();
  }

  /** Resolves when it is time to leave. */
  left(): Promise<void> {
    if (this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => this.signal.addEventListener("abort", () => resolve(), { once: true }));
  }

  /** Calls `cleanup` at the end. */
  atEnd(cleanup: () => unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** Undoes everything, last things first; `failed` hears of what did not end well. */
  async end(failed: (error: unknown) => void): Promise<void> {
    clearInterval(this.#timer);
    for (let cleanup = this.#cleanups.pop(); cleanup; cleanup = this.#cleanups.pop()) {
      try {
        await cleanup();
      } catch (error) {
        failed(error);
      }
    }
  }
}
