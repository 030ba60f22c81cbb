// Trains a model that ends in features, with an error that comes from outside: the device half of a split model, whose other half is
// elsewhere (SGQ as reconstructed, backward pass). The layers' own backward pass is Octo's (§3).
import { Fixed, fixed } from "../device/param";
import { Frame } from "../device/sensor";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import * as network from "./model";
import { Model } from "./model";
import { divide, Scale, scaleOf } from "./scale";

let learningRate: Scale = 0;

@unmanaged
export class HalfTrainerOptions {
  /** Step size of SGD at batch 1. */
  learningRate: Fixed = fixed(0.005);
}

@unmanaged
export class HalfTrainer {
  /** The model's last layer must give int8: a rectifier or a pool, not one with weights. Errors, at `init`: NEEDS_FEATURES. */
  constructor(model: Model, options: HalfTrainerOptions) {
    learningRate = scaleOf(options.learningRate, -32);
    network.trainFromOutside();
  }

  /**
   * Learns from the error of the features that `model.infer(frame)` has just given: ∂loss/∂x = errors[i]·2^exponent for a unit of
   * int8 feature i, NHWC, |errors[i]| ≤ 127. The features of the next frame may have another scale. An error that is 0 everywhere
   * moves nothing, and counts as a step.
   */
  learn(frame: Frame, errors: usize, exponent: i32): void {
    learn(frame, errors, exponent);
  }

  /** Memory that only `learn` uses, 16-aligned, after `init`: an app may keep something there from one call of `learn` to the next. */
  get idle(): usize {
    return min(back.error, back.spare);
  }

  get idleBytes(): i32 {
    return (<i32>(max(back.error, back.spare) - min(back.error, back.spare))) << 1;
  }
}

/** See HalfTrainer. */
export function learn(frame: Frame, errors: usize, exponent: i32): void {
  const features = network.infer(frame);
  const steps = checkpoint.steps();
  // of a unit of the activation, before ranges move
  const unit = divide(scaleOf(1, exponent), features.scale);
  network.adapt(!steps);
  memory.copy(back.error, errors, features.size);
  back.setScale(unit);
  back.setRate(learningRate);
  network.backward();
  checkpoint.setSteps(steps + 1);
}
