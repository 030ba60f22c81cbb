// CRC-32C (Castagnoli), reflected, init and xorout 0xFFFFFFFF: check value of files that a module reads. Four bits at a time: a table of
// 64 bytes, as in the firmware (boards/runtime/crc32c.c).

/** CRC-32C of n bytes behind those that gave `previous`; start with 0. */
export function crc32c(at: usize, n: i32, previous: u32 = 0): u32 {
  const table = memory.data<u32>([
    0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
    0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
  ]);
  let crc = ~previous;
  for (const end = at + <usize>n; at < end; ++at) {
    crc ^= <u32>load<u8>(at);
    crc = load<u32>(table + ((crc & 15) << 2)) ^ (crc >> 4);
    crc = load<u32>(table + ((crc & 15) << 2)) ^ (crc >> 4);
  }
  return ~crc;
}
