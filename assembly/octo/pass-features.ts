// What a network that PASS runs has found in a frame, as the layer below those that learn: where nothing changed, nothing is computed for
// them either.
import { crc32c } from "../device/crc32c";
import { LAYER_SHAPE } from "../device/errors";
import { sensor } from "../device/sensor";
import { infer } from "../pass/pass";
import { CONV2D, NONE as BEFORE_INPUT, Stage } from "../pass/stage";
import * as checkpoint from "./checkpoint";
import { BACKBONE, create, Layer } from "./layer";
import { scaleOf } from "./scale";

/** Its output: a stage's int8 with zero point 0; one unit counts as 1/128, whatever it was in the network. */
export class PassFeatures extends Layer {
  stage: Stage;

  /** Errors: LAYER_SHAPE */
  place(input: Layer): void {
    const stage = this.stage;
    // what is learned above it means nothing above another network
    let digest: u32 = 0;
    let it = stage;
    for (; it.previous != BEFORE_INPUT; it = it.previous) {
      if (it.kind != CONV2D) continue;
      digest ^= crc32c(it.weights, it.kernelH * it.kernelW * (it.previous.c / it.groups) * it.c);
    }
    if (it.h != input.h || it.w != input.w || it.c != input.c) this.refuse(LAYER_SHAPE, it.size, input.size);
    this.bytes = stage.bytes;
    this.h = stage.h;
    this.w = stage.w;
    this.c = stage.c;
    this.pitch = stage.pitch;
    this.data = stage.data;
    this.scale = scaleOf(1, -7);
    checkpoint.describe(<i32>digest, BACKBONE, 1, 0);
  }

  forward(input: Layer): void {
    infer(sensor.last());
  }
}

/** The output of a layer that was asked for with Network.keep(), of the network that a Pass runs. First in a model. */
export function passFeatures(stage: Stage): Layer {
  const layer = create<PassFeatures>();
  layer.kind = BACKBONE;
  layer.stage = stage;
  return layer;
}
