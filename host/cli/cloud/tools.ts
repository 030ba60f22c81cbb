// What cloud verbs need built: the codec, and the kernels of the cloud half.

import { readFile } from "node:fs/promises";
import type { CodebookTools } from "../../cloud/codebook/train.ts";
import type { LayerSpec } from "../../cloud/layers.ts";

export interface CloudTools {
  tools: CodebookTools;
  /** cloud.wasm. */
  kernels: Uint8Array<ArrayBuffer>;
}

/** Builds what is not built yet. */
export async function cloudTools(): Promise<CloudTools> {
  const { buildCloudKernels, buildSgq } = await import("../../build/modules.ts");
  const { SgqCodec } = await import("../../sgq/codec.ts");
  const { fitContexts } = await import("../../sgq/fit.ts");
  const bytes = async (path: string): Promise<Uint8Array<ArrayBuffer>> =>
    new Uint8Array(await readFile(path));
  const codec = await SgqCodec.load(await bytes(await buildSgq()));
  return { tools: { codec, fitContexts }, kernels: await bytes(await buildCloudKernels()) };
}

/** The cloud half of the app `split`. */
export const cloudHalf = (classes: number): LayerSpec[] => [
  { kind: "conv2d", filters: 32, kernel: 3, stride: 2, padding: 1 },
  { kind: "dense", units: 64 },
  { kind: "dense", units: classes },
];
