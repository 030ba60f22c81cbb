// codec.ts: SGQ on a device as its tests drive it: what an app would have from the network lies in the state, messages say what
// to do, and the frame comes back in the state.
import { Sgq } from "octomote/assembly";
import { allocate } from "octomote/assembly/device/arena";
import { setInbox, setState } from "octomote/assembly/device/config";

/** Layout of the state (support/device.ts). */
const RESULT: usize = 0;
const FRAME: usize = 16;
const MOST: i32 = 1024;
const FEATURES: usize = FRAME + <usize>MOST;
const CHANGED: usize = FEATURES + 512;
const BOOK: usize = CHANGED + 64;
const BOOK_BYTES: i32 = 12288;

const sgq = new Sgq(5, 6, 10, 8, BOOK_BYTES, 120, MOST);
const inbox = allocate(16);
const state = allocate(BOOK + <usize>BOOK_BYTES);
setInbox(inbox, 16);
setState(state, <u32>BOOK + BOOK_BYTES);

export function message(_length: i32): void {
  const what = load<i32>(inbox);
  const a = load<i32>(inbox, 4);
  const b = load<i32>(inbox, 8);
  const c = load<i32>(inbox, 12);
  const x = state + FEATURES;
  let result = 0;
  if (what == 0) {
    memory.copy(sgq.book, state + BOOK, BOOK_BYTES);
    result = sgq.open(a);
  }
  if (what == 1) result = sgq.encode(x, a);
  if (what == 2) result = sgq.encodeSlice(x, a, b, c);
  if (what == 3) result = sgq.beginBatch(a) ? 1 : 0;
  if (what == 4) result = sgq.addToBatch(x) ? 1 : 0;
  if (what == 5) result = sgq.endBatch();
  if (what == 6) result = sgq.encodeChanged(x, state + CHANGED, a);
  if (what == 7) result = sgq.encodeAlone(x, a);
  if (what == 8) result = sgq.heard(x, a);
  if (what == 9) result = sgq.acknowledge(a, b);
  if (what == 10) result = sgq.refuse(a, b, 6, c);
  if (what == 11) result = sgq.version;
  store<i32>(state + RESULT, result);
  memory.copy(state + FRAME, sgq.frame, min(sgq.length, MOST));
}

export function step(): void {}
