// The kernels of the cloud half, compiled to cloud.wasm with imported memory: no data, no heap, no imports but memory.
export { adam } from "./adam";
export { addBias, maxPool, maxPoolGrad, rectifyGrad, sumRows } from "./element-wise";
export { gemm, transpose } from "./gemm";
export { gather, scatter } from "./patches";
