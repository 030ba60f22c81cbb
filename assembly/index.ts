// What an app imports: `import { Model, conv2d, … } from "octomote/assembly"`.
export { fixed, Fixed, param, paramInt } from "./device/param";
export { hostClock as clock } from "./device/host";
export { log } from "./device/log";
export { publish } from "./device/publish";
export { Frame, sensor } from "./device/sensor";
export { conv2d, dense } from "./octo/conv2d";
export { maxPool } from "./octo/max-pool";
export { Output } from "./octo/layer";
export { Model } from "./octo/model";
export { relu } from "./octo/relu";
export { Trainer, TrainerOptions } from "./octo/trainer";
export { Counters } from "./pass/counters";
export { Network } from "./pass/network";
export { PassOptions, policy } from "./pass/options";
export { Pass } from "./pass/pass";
export { openPreview, publishPreview } from "./pass/preview";
