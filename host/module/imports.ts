// What a module may import (docs/abi.md): the allow-list of ABI version 1, name by name.

import { INTRINSIC_FAMILIES } from "../protocol/intrinsics.ts";

/** Import modules that every device has. */
export const HOST_MODULE = "octomote_1";

/** Allowed names per import module; anything else is refused at admission. */
export const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  [HOST_MODULE]: ["fail", "sensorRead", "publish", "log", "clock"],
  ...Object.fromEntries(INTRINSIC_FAMILIES.map(({ module, names }) => [module, names])),
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
