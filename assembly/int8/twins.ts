// The AssemblyScript twins of `octo_int8_1`, for `intrinsics.wasm` (assembly/twins.ts).
export { limit } from "../device/limit";
export { absMaxS8, absMaxS32 } from "./abs-max";
export { add, addGrad } from "./add";
export { averagePool2d, averagePool2dGrad } from "./average-pool2d";
export { conv2d, conv2dGradInput, conv2dGradWeight } from "./conv2d-dispatch";
export { conv2dLearn } from "./conv2d-learn";
export { drawMasters, weightsOf } from "./masters";
export { maxPool2d, maxPool2dGrad } from "./max-pool2d";
export { relu, reluGrad } from "./relu";
export { requantize } from "./requantize";
export { rescale } from "./rescale";
export { requantize32, sgdUpdate32 } from "./requantize32";
export { sgdUpdate } from "./sgd-update";
export { softmaxCrossEntropy } from "./softmax-cross-entropy";
