// Residual blocks of depthwise and pointwise convolutions with both kinds of average pooling, and the other losses: tests/assembly/training.test.ts and
// tests/bitexact train them for a few steps.
import {
  averagePool,
  categoricalHinge,
  Conv2d,
  conv2d,
  dense,
  depthwiseConv2d,
  globalAveragePool,
  meanSquaredError,
  Model,
  param,
  paramInt,
  relu,
  residual,
  sensor,
  Trainer,
} from "octomote/assembly";

/** 1 LAC. */
const layers = paramInt("layers", 0);
/** 1 categorical hinge, 2 mean squared error of the frame's first values. */
const loss = paramInt("loss", 0);

function tuned(layer: Conv2d): Conv2d {
  return layers & 1 ? layer.compensate() : layer;
}

const model = new Model([28, 28, 1]);

/** Its output is its input and what depthwise and pointwise convolutions make of it. */
function block(channels: i32): void {
  const from = relu();
  model
    .add(from)
    .add(tuned(depthwiseConv2d(3, 1, 1)))
    .add(relu())
    .add(tuned(conv2d(channels, 1)))
    .add(residual(from))
    .add(relu());
}

if (loss == 1) {
  // a margin wants more than means
  model
    .add(conv2d(4, 5, 3))
    .add(relu())
    .add(averagePool(2));
} else {
  model.add(tuned(conv2d(4, 3, 2, 1)));
  block(4);
  model.add(averagePool(2)).add(tuned(conv2d(6, 1)));
  block(6);
  model.add(globalAveragePool());
}
model.add(dense(10));
const trainer = new Trainer(model, { learningRate: param("lr", 0.05) });
if (loss == 1) trainer.criterion(categoricalHinge());
if (loss == 2) trainer.criterion(meanSquaredError());

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (loss == 2) trainer.fit(frame);
  else if (frame.hasLabel) trainer.step(frame, frame.label);
  trainer.report(seen.argmax());
}
