// A hand on the wire between a link and its device: changes one frame that passes.

import type { DeviceLink } from "../../../host/link/device-link.ts";
import { decodeFrame, FrameType } from "../../../host/protocol/frame.ts";

/**
 * What becomes of a frame, delimiters included. It is asked with the frame alone first; without an answer it is asked
 * again with the frame of the same type that follows, and answers for both.
 */
export type Change = (wire: Uint8Array, next?: Uint8Array) => Uint8Array[] | undefined;

/** Changes the next frame of `type` (request: to the device, response: from it); undone by the result, which counts. */
export function tamper({ transport }: DeviceLink, type: number, change: Change): () => number {
  let changed = 0;
  let held: Uint8Array | undefined;
  const pass = (wire: Uint8Array): Uint8Array[] => {
    const frame = decodeFrame(wire.subarray(1, -1));
    if (changed > 0 || typeof frame === "string" || frame.type !== type) return [wire];
    const result = held === undefined ? change(wire) : change(held, wire);
    held = result === undefined ? wire : undefined;
    if (result !== undefined) changed++;
    return result ?? [];
  };
  if (type === FrameType.request) {
    const send = transport.send.bind(transport);
    transport.send = (bytes) => pass(bytes).every(send);
    return () => {
      transport.send = send;
      return changed;
    };
  }
  const listeners = transport.listeners("data") as ((bytes: Uint8Array) => void)[];
  let rest = Buffer.alloc(0);
  const split = (bytes: Uint8Array) => {
    rest = Buffer.concat([rest, bytes]);
    for (let start = rest.indexOf(0); start >= 0; start = rest.indexOf(0)) {
      const end = rest.indexOf(0, start + 1);
      if (end < 0) break;
      const wire = Uint8Array.from(rest.subarray(start, end + 1));
      rest = rest.subarray(end + 1);
      for (const piece of pass(wire)) for (const listener of listeners) listener(piece);
    }
  };
  transport.removeAllListeners("data");
  transport.on("data", split);
  return () => {
    transport.removeAllListeners("data");
    for (const listener of listeners) transport.on("data", listener);
    for (const listener of listeners) if (rest.length > 0) listener(rest);
    return changed;
  };
}
