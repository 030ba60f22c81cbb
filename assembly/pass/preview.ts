// A small picture for people, through the features channel (docs/mqtt.md, "Preview"): what the camera sees, which patches
// were computed again, which cells are occupied.
import { allocate } from "../device/arena";
import { hostClock } from "../device/host";
import { publish } from "../device/publish";
import { Frame } from "../device/sensor";
import * as gate from "./gate";
import { Stage } from "./stage";

/** "OMPV". */
const MAGIC: u32 = 0x56504d4f;
const VERSION: u8 = 1;
const HEADER: i32 = 24;
/** Most bytes of one publication (host/protocol/messages.ts). */
const MOST: i32 = 1016;

let buffer: usize = 0;
let next: i64 = 0;

/**
 * Publishes a preview, at most one in `everyMs`; 0: none. A module has one preview.
 *
 * @param frame int8 [h, w, 1], a pixel p as p − 128; shrunk by the least whole factor that fits a message
 * @param cells int8 [rows, columns, 1] of which those above `threshold` are occupied
 * @param patch side of a patch in pixels
 */
export function publishPreview(frame: Frame, cells: Stage, threshold: i32, patch: i32, everyMs: i32): void {
  const now = hostClock();
  if (!everyMs || now < next) return;
  next = now + everyMs;
  const patches = (gate.patches() + 7) >> 3;
  const count = cells.h * cells.w;
  const marks = patches + ((count + 7) >> 3);
  let shrink = 0;
  let columns = 0;
  let rows = 0;
  let grey = 0;
  do {
    ++shrink;
    columns = frame.w / shrink;
    rows = frame.h / shrink;
    grey = (columns * rows + 1) >> 1;
  } while (HEADER + grey + marks > MOST);
  memory.fill(buffer, 0, MOST);
  store<u32>(buffer, MAGIC);
  store<u8>(buffer, VERSION, 4);
  store<u8>(buffer, <u8>patch, 5);
  store<u16>(buffer, <u16>frame.w, 6);
  store<u16>(buffer, <u16>frame.h, 8);
  store<u16>(buffer, <u16>columns, 10);
  store<u16>(buffer, <u16>rows, 12);
  store<u16>(buffer, <u16>cells.w, 14);
  store<u16>(buffer, <u16>cells.h, 16);
  store<u32>(buffer, frame.sequence, 20);
  draw(frame, shrink, columns, rows, buffer + HEADER);
  let to = buffer + HEADER + <usize>grey;
  for (let i = 0; i < gate.patches(); ++i) {
    if (load<u8>(gate.marks + <usize>i) & gate.WHAT) mark(to, i);
  }
  to += <usize>patches;
  for (let i = 0; i < count; ++i) if (<i32>load<i8>(cells.data + <usize>i) > threshold) mark(to, i);
  publish.features(buffer, HEADER + grey + marks);
}

/** Reserves what a preview needs; before `init` ends. */
export function openPreview(): void {
  buffer = allocate(MOST);
}

/** Means of shrink × shrink pixels, in 16 steps, two to a byte. The sum of a mean is below 2^15 · 2^8. */
function draw(frame: Frame, shrink: i32, columns: i32, rows: i32, to: usize): void {
  const area = shrink * shrink;
  for (let row = 0, i = 0; row < rows; ++row) {
    for (let column = 0; column < columns; ++column, ++i) {
      let sum = 128 * area;
      for (let y = 0; y < shrink; ++y) {
        const from = frame.data + <usize>((row * shrink + y) * frame.w + column * shrink);
        for (let x = 0; x < shrink; ++x) sum += <i32>load<i8>(from + <usize>x);
      }
      const at = to + <usize>(i >> 1);
      store<u8>(at, <i32>load<u8>(at) | (((sum / area) >> 4) << ((i & 1) << 2)));
    }
  }
}

/** Sets bit i. */
function mark(bits: usize, i: i32): void {
  const at = bits + <usize>(i >> 3);
  store<u8>(at, <i32>load<u8>(at) | (1 << (i & 7)));
}
