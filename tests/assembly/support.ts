// Builds of modules for the tests of this folder, and a look inside them.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import binaryen from "binaryen";
import { loadDataset } from "../../host/data/dataset.ts";
import { encodeSamples, parseSamples, type Samples } from "../../host/data/sample-file.ts";
import { ModuleHost, type ModuleHostOptions } from "../../host/module/module-host.ts";

/** A module as text. */
export function disassemble(wasm: Uint8Array): string {
  const module = binaryen.readBinary(wasm);
  try {
    return module.emitText();
  } finally {
    module.dispose();
  }
}

/** Text to a module. */
export function assemble(text: string): Uint8Array<ArrayBuffer> {
  const module = binaryen.parseText(text);
  try {
    return new Uint8Array(module.emitBinary());
  } finally {
    module.dispose();
  }
}

/** Float types and float instructions that a module's text holds, each once. */
export function floatsIn(text: string): string[] {
  // bytes of data are escaped: \f3 and a 2 behind it are no type
  const code = text.replace(/\(data [^\n]*/g, "");
  return [
    ...new Set(code.match(/\b(?:f32|f64)(?:\.[a-z0-9_]+)?|\b[a-z0-9]+\.[a-z_]*f(?:32|64)[a-z_]*/g) ?? []),
  ];
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Generated glyphs in a fixed order, every tenth held out. */
export async function glyphs(train: number): Promise<Samples> {
  const dataset = await loadDataset("generated", { limit: { train }, seed: 7 });
  return parseSamples(encodeSamples(dataset, { seed: 3, heldOutEvery: 10 }), "glyphs");
}

/** A host whose sensor shows `samples` one after the other, from `first` on. */
export async function hostOf(
  path: string,
  samples: Samples,
  options: ModuleHostOptions & { first?: number } = {},
): Promise<ModuleHost> {
  let next = options.first ?? 0;
  const host = await ModuleHost.load(await readFile(path), {
    ...options,
    sensor: () => samples.at(next++ % samples.count),
  });
  host.start();
  return host;
}
