// Check value of frames: CRC-16 of each (intrinsic 67, no table). That of codebooks is device/crc32c.ts.
import * as check from "../int8/check";

/** CRC-16 (polynomial 0x1021, not reflected) of n bytes behind `crc`; 0xFFFF starts. */
export function sgqCrc16(at: usize, n: i32, crc: i32): i32 {
  check.start(67);
  check.count(n);
  check.pointer(at, <u64>n, 1);
  return crc16(at, n, crc);
}

/** The same, unchecked. */
export function crc16(at: usize, n: i32, crc: i32): i32 {
  let value = <u32>crc & 0xffff;
  for (const end = at + <usize>n; at < end; ++at) {
    let top = (value >> 8) ^ <u32>load<u8>(at);
    top ^= top >> 4;
    value = ((value << 8) ^ (top << 12) ^ (top << 5) ^ top) & 0xffff;
  }
  return <i32>value;
}
