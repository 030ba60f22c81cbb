// What a module may import (docs/abi.md): the allow-list of ABI version 1, name by name.

import { INTRINSICS } from "../protocol/errors.ts";

/** Import modules that every device has. */
export const HOST_MODULE = "octomote_1";

/** Allowed names per import module; anything else is refused at admission. */
export const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  [HOST_MODULE]: ["fail", "sensorRead", "publish", "log", "clock"],
  octo_int8_1: INTRINSICS.slice(1),
};

/** Exports that a module must have. */
export const REQUIRED_EXPORTS = [
  "memory",
  "abi",
  "config",
  "initialize",
  "init",
  "step",
  "selfTest",
  "restore",
] as const;

/** ABI version that this host speaks. */
export const ABI_VERSION = 1;
