// Parameters of an app on the command line.

import { InvalidArgumentError } from "commander";

/** Parses `name=value`, the value a decimal within ±2^31. */
export function param(text: string): [string, number] {
  const match = /^([A-Za-z_][\w.-]*)=(.+)$/.exec(text);
  const value = Number(match?.[2]);
  if (!match?.[1] || !Number.isFinite(value) || Math.abs(value) >= 2 ** 31) {
    throw new InvalidArgumentError("Write it as name=value, for example lr=0.01.");
  }
  return [match[1], value];
}
