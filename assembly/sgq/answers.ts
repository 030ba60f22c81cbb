// Frames that answer a codebook or a frame: acknowledgement and nack. Both return their length.
import { crc16 } from "./crc";
import { ACK, CRC_START, NACK, writeFull, writeVarint } from "./frame";

/** Codebook `version` is loaded. */
export function writeAck(out: usize, model: i32, version: i32, sequence: i32): i32 {
  return finish(out, writeFull(out, ACK, model, version, sequence));
}

/** Something is refused: reason and detail as docs/sgq.md lists them. */
export function writeNack(
  out: usize,
  model: i32,
  version: i32,
  sequence: i32,
  reason: i32,
  detail: i32,
): i32 {
  const length = writeFull(out, NACK, model, version, sequence);
  store<u8>(out + <usize>length, reason);
  return finish(out, writeVarint(out, length + 1, detail));
}

function finish(out: usize, length: i32): i32 {
  store<u16>(out + <usize>length, crc16(out, length, CRC_START));
  return length + 2;
}
