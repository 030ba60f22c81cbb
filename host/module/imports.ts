// What a module may import (docs/abi.md): the allow-list of ABI version 1, name by name.

/** Import modules that every device has. */
export const HOST_MODULE = "octomote_1";

/** Allowed names per import module; anything else is refused at admission. */
export const ALLOWED_IMPORTS: Readonly<Record<string, readonly string[]>> = {
  [HOST_MODULE]: ["fail", "sensorRead", "publish", "log", "clock"],
  octo_int8_1: [
    "conv2d",
    "conv2dGradInput",
    "conv2dGradWeight",
    "absMaxS8",
    "absMaxS32",
    "requantize",
    "sgdUpdate",
    "maxPool2d",
    "maxPool2dGrad",
    "relu",
    "reluGrad",
    "requantize32",
    "sgdUpdate32",
    "conv2dLearn",
    "drawMasters",
    "weightsOf",
    "softmaxCrossEntropy",
  ],
};

/** Exports that a module must have. */
export const REQUIRED_EXPORTS = [
  "memory",
  "abi",
  "config",
  "initialize",
  "init",
  "step",
  "selfTest",
  "restore",
] as const;

/** ABI version that this host speaks. */
export const ABI_VERSION = 1;
