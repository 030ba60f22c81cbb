// accuracy.ts: the nets of `npm run bench:octo -- --rows`, with what training can be told, all chosen by parameters.
// bench/octo/nets.ts names the nets in the same order.
import {
  Conv2d, conv2d, cosine, dense, maxPool, Model, param, paramInt, relu, residual, sensor, Trainer,
} from "octomote/assembly";
import { ShiftOnly } from "./shift-only";

// A build for the table of costs has these as constants, as an app would (--use NET=…).
const net = isDefined(NET) ? NET : paramInt("net", 0);
const bits = isDefined(BITS) ? BITS : paramInt("bits", 0);
/** 1 LAC, 2 PRC. */
const layers = isDefined(LAYERS) ? LAYERS : paramInt("layers", 0);
/** 0 SGD, 1 shifts only. */
const update = paramInt("update", 0);
const steps = paramInt("steps", 0);
const anneal = isDefined(NET) ? 0 : paramInt("cosine", 0);

function tuned(layer: Conv2d): Conv2d {
  if (bits) layer.quantise(bits);
  if (layers & 1) layer.compensate();
  if (layers & 2) layer.clip();
  return layer;
}

const model = new Model(net == 4 ? [32, 32, 3] : [28, 28, 1]);

function conv(filters: i32): void {
  model.add(tuned(conv2d(filters, 5))).add(relu()).add(maxPool(2));
}

function hidden(units: i32): void {
  model.add(tuned(dense(units))).add(relu());
}

/** Two convolutions and the way around them. */
function block(filters: i32): void {
  const from = relu();
  model.add(from);
  model.add(tuned(conv2d(filters, 3, 1, 1))).add(relu()).add(tuned(conv2d(filters, 3, 1, 1)));
  model.add(residual(from)).add(relu()).add(maxPool(2));
}

if (net == 0) {
  conv(8);
  conv(16);
} else if (net == 1) {
  conv(8);
  conv(24);
  hidden(64);
} else if (net == 2) {
  hidden(200);
  hidden(100);
  hidden(50);
} else if (net == 3) {
  conv(30);
  hidden(100);
} else {
  model.add(tuned(conv2d(8, 3, 2, 1)));
  block(8);
  model.add(tuned(conv2d(16, 3, 1, 1)));
  block(16);
}
model.add(tuned(dense(10)));

const trainer = new Trainer(model, { learningRate: param("lr", 0.005), totalSteps: steps });
if (anneal) trainer.schedule(cosine(steps));
if (!isDefined(NET)) if (update) trainer.optimizer(new ShiftOnly());

export function step(): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  if (frame.hasLabel) trainer.step(frame, frame.label);
  trainer.report(seen.argmax());
}
