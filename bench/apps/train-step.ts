// train-step.ts: one training step of the reference net, whole and in its parts, for the counting plugin. The net is that
// of assembly/apps/trainer.ts, less what tells the host; bench/kernels/parts.ts names the regions in the same order.
import { conv2d, dense, fixed, maxPool, Model, relu, sensor, Trainer } from "octomote/assembly";
import * as back from "octomote/assembly/octo/backward";
import { Layer } from "octomote/assembly/octo/layer";
import * as network from "octomote/assembly/octo/model";
import { errorOf } from "octomote/assembly/octo/trainer";

/** Steps before the first region: ranges have settled a little, weights have left their first values. */
const WARM_UP: i32 = 3;
const LAYERS: i32 = 7;

const model = new Model([28, 28, 1])
  .add(conv2d(8, 5)).add(relu()).add(maxPool(2))
  .add(conv2d(16, 5)).add(relu()).add(maxPool(2))
  .add(dense(10));
const trainer = new Trainer(model, { learningRate: fixed(0.005), totalSteps: 0 });

/** Layer whose turn it is: regions walk the net forwards, then backwards. */
let layer: Layer = network.last;

export function step(): void {
  const frame = sensor.frame();
  trainer.step(frame, frame.label);
}

/** Warms up; returns how many regions there are. */
export function benchCount(): i32 {
  for (let i = 0; i < WARM_UP; ++i) step();
  // the first layer learns here
  layer = changetype<Layer>(back.first);
  return 3 + LAYERS + 1 + LAYERS + 1;
}

/** 0 nothing, 1 a whole step with its frame, 2 inference, then its parts: forward, loss, backward, ranges. */
export function bench(region: i32): void {
  if (!region) return;
  if (region == 1) return step();
  if (region == 2) {
    // a sequence number that the model has not seen
    sensor.last().sequence += 1;
    model.infer(sensor.last());
    return;
  }
  region -= 3;
  if (region < LAYERS) {
    layer.forward(layer.previous);
    if (region < LAYERS - 1) layer = layer.next;
    return;
  }
  if (region == LAYERS) {
    errorOf(network.last, sensor.last().label);
    return;
  }
  if (region <= LAYERS + LAYERS) {
    layer.backward(layer.previous);
    if (changetype<usize>(layer) != back.first) layer = layer.previous;
    return;
  }
  network.adapt(false);
}
