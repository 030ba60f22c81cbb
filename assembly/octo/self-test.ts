// Golden vectors: a frame of draws through the model, and a training step where there is a trainer. The digest is the same
// on every host or something is wrong with it.
import { sensor } from "../device/sensor";
import { draw } from "../int8/rng";
import { current } from "./model";

const STEPS: i32 = 2;

export function selfTest(): u32 {
  const model = current;
  if (!model) return 0;
  const frame = sensor.last();
  let digest: u32 = 0;
  for (let step = 0; step < STEPS; ++step) {
    for (let i = 0; i < frame.capacity; ++i) store<i8>(frame.data + <usize>i, draw(step, i) >> 9);
    frame.sequence = step;
    model.infer(frame);
    digest = model.digest(digest);
    const trainer = model.trainer;
    if (trainer) {
      trainer.step(frame, step % model.last.size);
      digest = model.stateDigest(digest);
    }
  }
  return digest;
}
