// A typed event bus: the extensions of the bridge know it and not each other.

/** Calls everybody who asked for an event, in order; a listener that fails harms no other. */
export class EventBus<Events extends { [name in keyof Events]: unknown }> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => unknown>>();
  readonly #onFailure: (error: unknown, event: string) => void;

  /** `onFailure` hears of every listener that throws or rejects. */
  constructor(onFailure: (error: unknown, event: string) => void) {
    this.#onFailure = onFailure;
  }

  /** Adds a listener; the returned function takes it away again. */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => unknown): () => void {
    let set = this.#listeners.get(name);
    if (!set) {
      set = new Set();
      this.#listeners.set(name, set);
    }
    const wrapped = (event: Events[K]) => listener(event);
    set.add(wrapped);
    return () => {
      set.delete(wrapped);
    };
  }

  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])] as ((event: Events[K]) => unknown)[]) {
      try {
        const result = listener(event);
        if (result instanceof Promise) result.catch((error) => this.#onFailure(error, String(name)));
      } catch (error) {
        this.#onFailure(error, String(name));
      }
    }
  }
}
