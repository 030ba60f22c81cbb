// The intrinsics of `octo_sgq_1` as the codec sees them: a `device` module imports them from the firmware, everything else
// carries the AssemblyScript twins. Numbers, arguments and errors: docs/abi.md.
import * as crc from "./crc";
import * as encoder from "./encode";
import * as mixer from "./mix";
import * as quantizer from "./quantize";

@external("octo_sgq_1", "sgqQuantize")
declare function nativeQuantize(job: usize, xT: usize, x: usize): void;

@external("octo_sgq_1", "sgqEncode")
declare function nativeEncode(job: usize): i32;

@external("octo_sgq_1", "sgqMix")
declare function nativeMix(xT: usize, x: usize, weights: usize, group: i32, s: usize): void;

@external("octo_sgq_1", "sgqCrc16")
declare function nativeCrc16(at: usize, n: i32, crc: i32): i32;

@inline
export function sgqQuantize(job: usize, xT: usize, x: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeQuantize(job, xT, x);
  else quantizer.sgqQuantize(job, xT, x);
}

@inline
export function sgqEncode(job: usize): i32 {
  return isDefined(OCTOMOTE_DEVICE) ? nativeEncode(job) : encoder.sgqEncode(job);
}

@inline
export function sgqMix(xT: usize, x: usize, weights: usize, group: i32, s: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativeMix(xT, x, weights, group, s);
  else mixer.sgqMix(xT, x, weights, group, s);
}

@inline
export function sgqCrc16(at: usize, n: i32, value: i32): i32 {
  return isDefined(OCTOMOTE_DEVICE) ? nativeCrc16(at, n, value) : crc.sgqCrc16(at, n, value);
}
