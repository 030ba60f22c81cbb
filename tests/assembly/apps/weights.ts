// An app that keeps a weights file, for tests/assembly/weights.test.ts: the host asks it to save, and gives it files to load.
import { conv2d, dense, maxPool, Model, param, paramInt, relu, sensor, Trainer } from "octomote/assembly";
import { allocate } from "octomote/assembly/device/arena";

const ROOM: i32 = 16384;
const room = allocate(ROOM);

const options = paramInt("options", 0);
const first = conv2d(4, 5, 2, 1);
const last = dense(10);
if (options & 1) first.quantise(3);
if (options & 2) last.compensate();
const model = new Model([28, 28, 1]).add(first).add(relu()).add(maxPool(2)).add(last);
if (paramInt("keep", 1)) model.keep();
const trainer = new Trainer(model, { learningRate: param("lr", 0.01) });
// 1: begins with the bytes that the room holds
if (paramInt("begin", 0)) model.load(room, load<i32>(room, 8));

export function step(): void {
  const frame = sensor.frame();
  model.infer(frame);
  if (frame.hasLabel) trainer.step(frame, frame.label);
}

export function roomAt(): usize {
  return room;
}

export function save(): usize {
  return model.save();
}

export function savedBytes(): i32 {
  return model.savedBytes;
}

export function loadFile(bytes: i32): bool {
  return model.load(room, bytes);
}
