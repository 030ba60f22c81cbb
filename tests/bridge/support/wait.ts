// Waiting for what must come, without a fixed time: the suite's own limit ends what never does.

import { setTimeout as sleep } from "node:timers/promises";

/** Resolves to the first truthy value of `look`, which is called again and again. */
export async function until<T>(
  look: () => T | Promise<T>,
): Promise<Exclude<T, false | null | undefined | 0 | "">> {
  for (;;) {
    const value = await look();
    if (value) return value as Exclude<T, false | null | undefined | 0 | "">;
    await sleep(10);
  }
}
