// What training can be told, by parameters, RMSprop aside (rms-prop.ts): tests/assembly/training.test.ts and tests/bitexact run each for a few steps.
import {
  Conv2d,
  conv2d,
  cosine,
  dense,
  fixed,
  maxPool,
  Model,
  momentum,
  param,
  paramInt,
  relu,
  sensor,
  stepDecay,
  Trainer,
} from "octomote/assembly";

const bits = paramInt("bits", 0);
/** 1 LAC, 2 PRC, 4 biases only. */
const layers = paramInt("layers", 0);
/** 1 momentum. */
const optimizer = paramInt("opt", 0);
const batch = paramInt("batch", 1);
/** 1 weight decay, 2 cosine, 4 step decay, 8 early stop, 16 last layer only. */
const options = paramInt("options", 0);

function tuned(layer: Conv2d): Conv2d {
  if (bits) layer.quantise(bits);
  if (layers & 1) layer.compensate();
  if (layers & 2) layer.clip();
  if (layers & 4) layer.keepWeights();
  return layer;
}

const model = new Model([28, 28, 1])
  .add(tuned(conv2d(4, 5, 3)))
  .add(relu())
  .add(maxPool(2))
  .add(tuned(conv2d(3, 3, 1, 1)))
  .add(relu())
  .add(dense(10));
const trainer = new Trainer(model, { learningRate: param("lr", 0.01) });
if (optimizer == 1) trainer.optimizer(momentum(fixed(0.9)));
if (batch > 1) trainer.accumulate(batch);
if (options & 1) trainer.weightDecay(fixed(0.02));
if (options & 2) trainer.schedule(cosine(1000));
if (options & 4) trainer.schedule(stepDecay(40, fixed(0.8)));
if (options & 8) trainer.earlyStop(2, 10, fixed(10));
if (options & 16) trainer.trainLast(1);

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (frame.hasLabel) trainer.step(frame, frame.label);
  trainer.report(seen.argmax());
}
