// The error codes of modules, intrinsics, engine, requests and link: one table for every part. The C side mirrors it in
// boards/runtime/errors.h, assembly in assembly/device/errors.ts; docs/errors.md is printed from it (errors.ts).

import { MODULE_ERRORS } from "./module-errors.ts";

/** What an error's `where` holds. */
export type Place =
  | "intrinsic"
  | "layer"
  | "export"
  | "byte offset"
  | "index of the import"
  | "header word"
  | "option";

export interface ErrorEntry {
  readonly code: number;
  readonly name: string;
  /** What failed, in words. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  readonly where?: Place;
  /** What `got` and `want` hold, if they say something. */
  readonly got?: string;
  readonly want?: string;
}

/** Every error, by ascending code. */
export const ERRORS: readonly ErrorEntry[] = [
  ...MODULE_ERRORS,
  {
    code: 40,
    name: "unknown-import",
    message: "the module imports a name that the ABI does not allow",
    advice: "Import only the names of docs/abi.md, or build for the target `portable`.",
    where: "index of the import",
  },
  {
    code: 41,
    name: "bad-module",
    message: "not a WebAssembly module that this engine reads",
    advice: "Give a .wasm file that `octomote build` wrote.",
    where: "byte offset",
  },
  {
    code: 42,
    name: "out-of-memory",
    message: "the board cannot give what the module needs",
    advice: "Use a smaller module or model, or a larger board.",
    got: "bytes",
    want: "bytes at hand",
  },
  {
    code: 43,
    name: "unreachable",
    message: "the module stopped itself: a failed assertion or an abort",
    advice: "Read the device's log: an abort tells file and line there.",
    where: "export",
  },
  {
    code: 44,
    name: "memory-access",
    message: "the module accessed memory out of bounds",
    advice: "Look for a pointer or an index that is too large; the same module in Node shows where.",
    where: "export",
  },
  {
    code: 45,
    name: "divide-by-zero",
    message: "the module divided an integer by zero",
    advice: "Guard the division.",
    where: "export",
  },
  {
    code: 46,
    name: "integer-overflow",
    message: "a quotient does not fit its type",
    advice: "Guard the division of the smallest integer by −1.",
    where: "export",
  },
  {
    code: 47,
    name: "stack-overflow",
    message: "the module's stack is exhausted",
    advice: "Use less recursion and fewer locals.",
    where: "export",
  },
  {
    code: 48,
    name: "bad-indirect-call",
    message: "an indirect call met an undefined or null element, or another type",
    advice: "Look for a function reference that was never set or was cast.",
    where: "export",
  },
  {
    code: 49,
    name: "trap",
    message: "the engine stopped the module",
    advice: "The text and the device's log have the engine's words.",
    where: "export",
  },
  {
    code: 50,
    name: "missing-export",
    message: "an entry point is absent or has another type",
    advice: "Build the app with `octomote build`, which adds the entry points.",
    where: "export",
  },
  {
    code: 51,
    name: "abi-version",
    message: "the module speaks another version of the ABI",
    advice: "Build the module with the release that the firmware comes from.",
    got: "its version",
    want: "ours",
  },
  {
    code: 52,
    name: "memory-not-fixed",
    message: "the module has no memory of its own, or one that may grow",
    advice: "Set minimum = maximum pages and do not use memory.grow.",
    got: "minimum pages",
    want: "maximum pages",
  },
  {
    code: 53,
    name: "bad-config",
    message: "the configuration block lies outside memory or cannot hold what is written",
    advice: "Rebuild the module; if it is up to date, pass fewer parameters.",
    got: "address or bytes",
    want: "least",
  },
  {
    code: 54,
    name: "compile",
    message: "the engine cannot compile a function: float instructions, or too many values on its stack",
    advice: "Use integers only, and split the function.",
  },
  {
    code: 55,
    name: "start-section",
    message: "the module would run code before it is configured",
    advice: "Build with `octomote build`, which exports the start function instead.",
  },
  {
    code: 56,
    name: "bad-import-type",
    message: "an allowed import has another type",
    advice: "Use the declarations of assembly/device.",
    where: "index of the import",
  },
  {
    code: 60,
    name: "unknown-verb",
    message: "the device does not know this request",
    advice: "Flash the firmware that belongs to this release.",
    got: "verb",
  },
  {
    code: 61,
    name: "bad-request",
    message: "the request is malformed or lacks an argument",
    advice: "Compare its arguments with docs/protocol.md.",
  },
  {
    code: 62,
    name: "not-loaded",
    message: "no module is loaded",
    advice: "Send `start` first.",
  },
  {
    code: 63,
    name: "no-region",
    message: "the module has no such region",
    advice: "Region 0 is the learned state; a module without a trainer has none.",
    got: "region",
  },
  {
    code: 64,
    name: "bad-range",
    message: "offset and length leave the region, or the length is too large",
    advice: "A read answers with the region's length; move at most 512 bytes at a time.",
    got: "end or length",
    want: "limit",
  },
  {
    code: 65,
    name: "no-inbox",
    message: "the module takes no messages",
    advice: "Export `message` and set an inbox in the app.",
  },
  {
    code: 66,
    name: "message-too-long",
    message: "the message is longer than the module's inbox",
    advice: "Send less at a time, or enlarge the inbox.",
    got: "bytes",
    want: "inbox",
  },
  {
    code: 67,
    name: "no-module",
    message: "the device has no module",
    advice: "Give it one.",
  },
  {
    code: 68,
    name: "too-many-params",
    message: "there are more parameters than the module's configuration block holds",
    advice: "Pass fewer.",
    got: "parameters",
    want: "room",
  },
  {
    code: 69,
    name: "no-sensor",
    message: "there are no samples, or the sample file is malformed",
    advice: "Give a sample file as in docs/protocol.md.",
  },
  {
    code: 70,
    name: "state-torn",
    message: "a learned state has come only in part, and there was no room to keep the old one meanwhile",
    advice: "Write it again, whole, or start the module anew.",
  },
  {
    code: 80,
    name: "busy",
    message: "too many requests wait for this device already",
    advice: "Wait for answers before sending more.",
    got: "waiting",
    want: "limit",
  },
  {
    code: 81,
    name: "timeout",
    message: "no answer came in time",
    advice:
      "The device may still carry the request out: ask for its status, and raise the timeout if it is only slow.",
  },
  {
    code: 82,
    name: "link-down",
    message: "the link to the device is down or was started anew",
    advice:
      "Check cable, power and address; the link comes back by itself. A request that was under way may have been carried out.",
  },
  {
    code: 83,
    name: "bad-message",
    message: "the device sent a message that does not follow the protocol",
    advice: "Flash the firmware that belongs to this release.",
  },
];
