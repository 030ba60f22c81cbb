// sgq.ts: a module that does nothing but send features with SGQ: what that takes of a module.
import { publish, Sgq } from "octomote/assembly";
import { allocate } from "octomote/assembly/device/arena";

const sgq = new Sgq(1, 14, 14, 16, 8192, 48, 1000);
const x = allocate(14 * 14 * 16);
let sequence: i32 = 0;

export function step(): void {
  if (sgq.encode(x, sequence++)) publish.features(sgq.frame, sgq.length);
}

export function message(length: i32): void {
  sgq.open(length);
}
