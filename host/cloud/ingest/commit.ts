// Group commit: what came in while the disk was busy is synced together, and then acknowledged together.

/** At most so many are acknowledged at once. */
const MOST = 4096;

export interface CommitOptions {
  /** Resolves when everything that was written before is kept. */
  sync(): Promise<void>;
  /** These are. */
  kept(receipts: string[]): void;
  /** They are not, and nothing more will be. */
  failed(error: Error): void;
}

export class GroupCommit {
  readonly #options: CommitOptions;
  #waiting: string[] = [];
  #running: Promise<void> | undefined;

  constructor(options: CommitOptions) {
    this.#options = options;
  }

  /** Acknowledges something that was written, once it is kept. */
  add(receipt: string): void {
    this.#waiting.push(receipt);
    this.#running ??= this.#run();
  }

  /** Resolves when everything so far is kept, or has failed. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      // what lies in the socket already belongs to the first group
      await new Promise((resolve) => setImmediate(resolve));
      while (this.#waiting.length > 0) {
        const group = this.#waiting.splice(0, MOST);
        await this.#options.sync();
        this.#options.kept(group);
      }
    } catch (error) {
      this.#options.failed(error as Error);
    } finally {
      this.#running = undefined;
    }
  }
}
