// Numbers that a user writes as decimals: they fold to fixed-point constants at compile time (no float reaches a
// module), and a parameter can be set by the host without building again.
import { paramCount, paramHash, paramValue } from "./config";

/** Q32.32. */
export type Fixed = i64;

// @ts-ignore: decorator
@inline
/** A decimal constant in Q32.32, rounded to nearest: |value| < 2^31. */
export function fixed(value: f64): Fixed {
  return <i64>(value * 4294967296.0 + (value < 0 ? -0.5 : 0.5));
}

// @ts-ignore: decorator
@inline
/**
 * A named number that the host may set (`octomote sim --param lr=0.01`), else `value`. Read at start-up only: names
 * are ASCII and at most eight parameters can be set.
 */
export function param(name: string, value: f64): Fixed {
  return lookUp(fixed(value), name);
}

/** A named whole number; see param(). */
export function paramInt(name: string, value: i32): i32 {
  return <i32>(lookUp((<i64>value) << 32, name) >> 32);
}

function lookUp(value: Fixed, name: string): Fixed {
  // FNV-1a over the name's characters, of which asc stores 16 bits each
  let hash: u32 = 0x811c9dc5;
  let at = changetype<usize>(name);
  for (const end = at + ((<usize>name.length) << 1); at < end; at += 2)
    hash = (hash ^ load<u8>(at)) * 0x01000193;
  for (let i = paramCount(); i--; ) if (paramHash(i) == hash) return paramValue(i);
  return value;
}
