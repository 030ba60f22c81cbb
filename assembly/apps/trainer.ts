// trainer.ts: learns to tell ten classes of 28×28 images on the device, and reports how well.
import { conv2d, dense, maxPool, Model, param, paramInt, relu, sensor, Trainer } from "octomote/assembly";

const model = new Model([28, 28, 1])
  .add(conv2d(8, 5))
  .add(relu())
  .add(maxPool(2))
  .add(conv2d(16, 5))
  .add(relu())
  .add(maxPool(2))
  .add(dense(10));
const trainer = new Trainer(model, { learningRate: param("lr", 0.005), totalSteps: paramInt("steps", 0) });

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (frame.hasLabel) trainer.step(frame, frame.label);
  trainer.report(seen.argmax());
}
