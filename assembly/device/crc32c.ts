// CRC-32C (Castagnoli), reflected, init and xorout 0xFFFFFFFF: check value of files that a module reads.

// @ts-ignore: decorator
@inline
function next(crc: u32): u32 {
  return (crc >> 1) ^ (0x82f63b78 & -(crc & 1));
}

/** CRC-32C of n bytes behind those that gave `previous`; start with 0. No table. */
export function crc32c(at: usize, n: i32, previous: u32 = 0): u32 {
  let crc = ~previous;
  for (const end = at + <usize>n; at < end; ++at) {
    crc ^= <u32>load<u8>(at);
    for (let bit = 0; bit < 8; ++bit) crc = next(crc);
  }
  return ~crc;
}

/**
 * The same of long files, four bits at a time: `table` (4-aligned) is room for 64 bytes, which are made first. Not part of a module's
 * data, which all modules would carry.
 */
export function crc32cOfLong(at: usize, n: i32, table: usize): u32 {
  for (let i: u32 = 0; i < 16; ++i) store<u32>(table + (i << 2), next(next(next(next(i)))));
  let crc: u32 = 0xffffffff;
  for (const end = at + <usize>n; at < end; ++at) {
    crc ^= <u32>load<u8>(at);
    crc = load<u32>(table + ((crc & 15) << 2)) ^ (crc >> 4);
    crc = load<u32>(table + ((crc & 15) << 2)) ^ (crc >> 4);
  }
  return ~crc;
}
