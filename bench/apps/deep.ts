// deep.ts: takes the C stack to its end. Its message recurses until it is stopped, and at every depth calls what its first
// byte names: 1 nothing, 2 the log, 3 the features stream, 4 the intrinsic that calls others.
import { CONFIG, setInbox } from "octomote/assembly/device/config";
import { hostLog, hostPublish } from "octomote/assembly/device/host";
import { dense, fixed, Model, sensor, Trainer } from "octomote/assembly";

const model = new Model([28, 28, 1]).add(dense(4));
const trainer = new Trainer(model, { learningRate: fixed(0.005), totalSteps: 0 });
const INBOX: usize = memory.data(16, 4);

setInbox(INBOX, 16);

export function step(): void {
  const frame = sensor.frame();
  if (frame.hasLabel) trainer.step(frame, 0);
}

export function message(length: i32): void {
  store<i32>(INBOX, descend(load<u8>(INBOX), length), 4);
}

function descend(what: i32, depth: i32): i32 {
  if (what == 2) hostLog(1, CONFIG, 80);
  if (what == 3) hostPublish(1, CONFIG, 160);
  if (what == 4) trainer.step(sensor.last(), 0);
  // no tail call, and no end
  return depth > 1 << 30 ? depth : descend(what, depth + 1) + descend(what, depth + 2);
}
