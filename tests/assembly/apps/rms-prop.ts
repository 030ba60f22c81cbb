// RMSprop on the net of training.ts, in a module of its own: portable, all options together fill the RAM of mps2-an386.
import { conv2d, dense, maxPool, Model, param, relu, rmsProp, sensor, Trainer } from "octomote/assembly";

const model = new Model([28, 28, 1])
  .add(conv2d(4, 5, 3))
  .add(relu())
  .add(maxPool(2))
  .add(conv2d(3, 3, 1, 1))
  .add(relu())
  .add(dense(10));
const trainer = new Trainer(model, { learningRate: param("lr", 0.01) });
trainer.optimizer(rmsProp());

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (frame.hasLabel) trainer.step(frame, frame.label);
  trainer.report(seen.argmax());
}
