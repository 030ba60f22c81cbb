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
    value = (value >> 8) | ((value << 8) & 0xff00);
    value ^= <u32>load<u8>(at);
    value ^= (value & 0xff) >> 4;
    value ^= (value << 12) & 0xffff;
    value ^= (value & 0xff) << 5;
  }
  return <i32>value;
}
