// Entry of `intrinsics.wasm`: the AssemblyScript twins of every family for a device module in Node and the browser. Its
// memory is imported; it has no data segments and no heap (DESIGN §2).
export * from "./int8/twins";
export { merge } from "./pass/merge";
export { patchStats } from "./pass/patch-stats";
export * from "./sgq/twins";
