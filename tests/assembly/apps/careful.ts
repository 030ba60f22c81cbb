// The trainer as docs/training.md has it for labels that nobody has checked: it says which it did not learn, and goes on.
import { conv2d, dense, log, maxPool, Model, param, relu, sensor, Trainer } from "octomote/assembly";

const model = new Model([28, 28, 1]).add(conv2d(4, 5, 2)).add(relu()).add(maxPool(2)).add(dense(10));
const trainer = new Trainer(model, { learningRate: param("lr", 0.005) });

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (frame.label >= model.classes) log.warning("not learned: a label is outside the classes");
  else if (frame.hasLabel) trainer.step(frame, frame.label);
  trainer.report(seen.argmax());
}
