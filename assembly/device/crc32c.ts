// CRC-32C (Castagnoli), reflected, init and xorout 0xFFFFFFFF: check value of files that a module reads. No table.

/** CRC-32C of n bytes behind those that gave `previous`; start with 0. */
export function crc32c(at: usize, n: i32, previous: u32 = 0): u32 {
  let crc = ~previous;
  for (const end = at + <usize>n; at < end; ++at) {
    crc ^= <u32>load<u8>(at);
    for (let bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  return ~crc;
}
