// Draws at the screen's pace, not at the messages': however many arrive, each view is drawn at most once a frame, and no
// more often than its own interval allows.

interface Task {
  readonly draw: () => void;
  readonly interval: () => number;
  wanted: boolean;
  last: number;
}

/** The browser's `requestAnimationFrame`, `setTimeout` and `performance.now`; a test brings its own. */
export interface SchedulerClock {
  frame(callback: () => void): void;
  timeout(callback: () => void, ms: number): void;
  now(): number;
}

const BROWSER: SchedulerClock = {
  frame: (callback) => requestAnimationFrame(callback),
  timeout: (callback, ms) => setTimeout(callback, ms),
  now: () => performance.now(),
};

/** A wait that would end within a frame is not worth a timer. */
const FRAME_MS = 16;

export class Scheduler {
  readonly #tasks: Task[] = [];
  readonly #clock: SchedulerClock;
  #asked = false;
  #wakeAt = Number.POSITIVE_INFINITY;

  constructor(clock: SchedulerClock = BROWSER) {
    this.#clock = clock;
  }

  /**
   * Registers a view.
   * @param interval ms between two draws at least
   * @returns asks for a draw: with `now` on the next frame, otherwise when its interval is over
   */
  add(draw: () => void, interval: () => number): (now?: boolean) => void {
    const task: Task = { draw, interval, wanted: false, last: Number.NEGATIVE_INFINITY };
    this.#tasks.push(task);
    return (now = false) => {
      if (task.wanted && !now) return;
      task.wanted = true;
      if (now) task.last = Number.NEGATIVE_INFINITY;
      this.#plan();
    };
  }

  /** Asks for a frame when a view is due, for a timer when all that are wanted have to wait. */
  #plan(): void {
    if (this.#asked) return;
    const now = this.#clock.now();
    const waits = this.#tasks.flatMap((task) => (task.wanted ? [task.last + task.interval() - now] : []));
    if (waits.length === 0) return;
    const wait = Math.min(...waits);
    if (wait <= FRAME_MS) {
      this.#asked = true;
      this.#clock.frame(() => this.#frame());
    } else if (now + wait < this.#wakeAt) {
      // A timer that was set for later still fires, finds nothing due, and plans again: no harm.
      this.#wakeAt = now + wait;
      this.#clock.timeout(() => {
        this.#wakeAt = Number.POSITIVE_INFINITY;
        this.#plan();
      }, wait - FRAME_MS);
    }
  }

  #frame(): void {
    this.#asked = false;
    for (const task of this.#tasks) {
      const now = this.#clock.now();
      if (!task.wanted || now - task.last < task.interval()) continue;
      task.wanted = false;
      task.last = now;
      task.draw();
    }
    this.#plan();
  }
}
