// Entry of `dist/sgq.wasm`: the codec as Node and browsers call it (host/sgq/codec.ts). Its memory is its host's to lay out: the
// functions take addresses and keep nothing but the limit that the intrinsics check against.
export { limit } from "../device/limit";
export { open as openBook } from "./book";
export { countSample } from "./count";
export { crc32c } from "../device/crc32c";
export {
  begin as beginDecode,
  ended,
  fits,
  next as decodeNext,
  reconstruct,
  rowsOf,
  skip as decodeSkip,
} from "./decoder";
export { add, begin, beginSkip, codeCount, end, frameAt, jobBytes, quantize, rawBytes } from "./encoder";
export { parse, verify, writeFull, writeVarint } from "./frame";
export { crc16 } from "./crc";
export { packNibbles, quantizeGradient, unpackNibbles } from "./gradient";
export { decodeSelf, encodeSelf, selfBytes } from "./self-contained";
export { lay, levelsOf, planesOf } from "./work";
export { tensorOf } from "../int8/structs";
