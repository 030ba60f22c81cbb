// The codec, built once for each spec.
import { readFile } from "node:fs/promises";
import { buildSgq } from "../../../host/build/modules.ts";
import { SgqCodec } from "../../../host/sgq/codec.ts";

export async function loadCodec(): Promise<SgqCodec> {
  return SgqCodec.load(await readFile(await buildSgq()));
}
