// inference.ts: a model without a trainer.
import { conv2d, dense, maxPool, Model, publish, relu, sensor } from "octomote/assembly";

const model = new Model([28, 28, 1]).add(conv2d(8, 5)).add(relu()).add(maxPool(2)).add(dense(10));

export function step(): void {
  publish.state(model.infer(sensor.frame()).argmax(), 0);
}
