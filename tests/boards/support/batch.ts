// Many calls of intrinsics on an emulated Cortex-M4 at once (batch.c), which a link would carry one by one.
import type { Call } from "./calls.ts";
import { runGuest } from "./guest.ts";

/** What a call left: the numbers of its error, or its result (0 without one) and a hash of the memory. */
export type Left = { trap: number[] } | { result: number; hash: number };

/** As the boot firmware's main expects them in external RAM. */
function encode(calls: readonly Call[]): Uint8Array {
  const parts = calls.map(({ name, args, memory }) => {
    const part = new Uint8Array(40 + 4 * args.length + Math.ceil(memory.length / 4) * 4);
    part.set(new TextEncoder().encode(name));
    const view = new DataView(part.buffer);
    [args.length, memory.length, ...args].forEach((word, i) => {
      view.setInt32(32 + 4 * i, word, true);
    });
    part.set(memory, 40 + 4 * args.length);
    return part;
  });
  return Buffer.concat([new Uint8Array(Uint32Array.of(calls.length).buffer), ...parts]);
}

/** Makes the calls in their order. @throws Error with the firmware's words if it does not come to their end */
export async function runBatch(calls: readonly Call[]): Promise<Left[]> {
  const lines = await runGuest("batch.c", encode(calls), calls.length);
  return lines.map(({ what, numbers }) =>
    what === "trap" ? { trap: numbers } : { result: numbers[0] ?? 0, hash: numbers[1] ?? 0 },
  );
}
