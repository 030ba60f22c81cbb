// The twins of `octo_sgq_1` in `intrinsics.wasm`, beside those of assembly/int8/twins.ts.
export { sgqCrc16 } from "./crc";
export { sgqEncode } from "./encode";
export { sgqMix } from "./mix";
export { sgqQuantize } from "./quantize";
