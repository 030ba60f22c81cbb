// Keeps what waits for an answer: each order has a matcher and a time limit, and its error
// carries the stack of whoever placed it.

export interface Order<T> {
  answer: Promise<T>;
  /** Ends the waiting with an error. */
  fail(error: Error): void;
}

interface Waiting<T> {
  matches(answer: T): boolean;
  resolve(answer: T): void;
  reject(error: Error): void;
}

export class Waitress<T> {
  readonly #waiting = new Set<Waiting<T>>();

  /** Orders that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * @param timeoutMs how long to wait; then `late()` makes the error.
   */
  order(matches: (answer: T) => boolean, timeoutMs: number, late: () => Error): Order<T> {
    let fail: (error: Error) => void = () => {};
    const answer = new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => fail(late()), timeoutMs);
      const end = () => {
        clearTimeout(timer);
        return this.#waiting.delete(entry);
      };
      const entry: Waiting<T> = {
        matches,
        resolve: (value) => end() && resolve(value),
        reject: (error) => end() && reject(error),
      };
      fail = entry.reject;
      this.#waiting.add(entry);
    });
    return { answer, fail };
  }

  /** Serves an answer; false if nobody waits for it. */
  serve(answer: T): boolean {
    for (const entry of this.#waiting) {
      if (!entry.matches(answer)) continue;
      entry.resolve(answer);
      return true;
    }
    return false;
  }
}

/** Gives `error` the stack of `caller`, an error that was made where the request was: a timer's stack helps nobody. */
export function withStack<E extends Error>(error: E, caller: Error): E {
  const frames = caller.stack?.slice(caller.stack.indexOf("\n") + 1);
  if (frames) error.stack = `${error.name}: ${error.message}\n${frames}`;
  return error;
}
