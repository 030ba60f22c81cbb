// Parameters of a module: names and decimals on the host, hashes and fixed point on the wire (docs/abi.md).

import { MessageError } from "./message-error.ts";

/** A parameter as the device takes it: FNV-1a of its name, and its value in Q32.32. */
export type Param = readonly [hash: number, value: bigint];

/** By name, or as they are carried. */
export type Params = Readonly<Record<string, number>> | readonly Param[];

/** FNV-1a, 32 bits, of an ASCII name. */
export function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    const unit = name.charCodeAt(i);
    if (unit > 0x7f) throw new MessageError(`parameter name "${name}": only ASCII letters are possible`);
    hash = Math.imul(hash ^ unit, 0x01000193);
  }
  return hash >>> 0;
}

/** The nearest Q32.32 of a decimal with |value| < 2^31. */
export function toQ32(value: number): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 31) {
    throw new MessageError(`parameter value ${value}: must be a number between −2^31 and 2^31`);
  }
  // Scaling by a power of two is exact, and what is 2^53 or more is whole already.
  return BigInt(Math.round(value * 2 ** 32));
}

/** Parameters by name, ready for the wire. */
export function encodeParams(params: Readonly<Record<string, number>>): Param[] {
  return Object.entries(params).map(([name, value]) => [fnv1a(name), toQ32(value)] as const);
}

/** Parameters however they are given, as they are carried. */
export function wireParams(params: Params): readonly Param[] {
  const isWire = (it: Params): it is readonly Param[] => Array.isArray(it);
  return isWire(params) ? params : encodeParams(params);
}
