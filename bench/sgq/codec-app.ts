/** The module whose regions are counted: a codebook and some samples in its data, one frame for each region. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuiltModule, buildModules, ROOT, type Target } from "../../host/build/modules.ts";
import type { OpenCodebook } from "../../host/sgq/types.ts";

/** Region 0 is empty, region 1 opens the codebook, the others make one frame each: the first of them lays its memory out. */
export const FIRST_FRAME = 2;

/** Compiles it for a target. */
export async function buildCodecApp(
  name: string,
  book: OpenCodebook,
  samples: readonly Int8Array[],
  target: Target,
): Promise<BuiltModule> {
  const [h, w, c] = book.book.shape;
  const planes = Math.max(1, book.book.planes.length);
  const source = `
import { Sgq } from "octomote/assembly";
const BOOK: usize = memory.data<u8>([${book.bytes.join(",")}], 4);
const SAMPLES: usize = memory.data<i8>([${samples.map((x) => x.join(",")).join(",")}]);
const sgq = new Sgq(${book.book.model}, ${h}, ${w}, ${c}, ${book.bytes.length}, ${planes}, 2000);
let sent: i32 = 0;
export function benchCount(): i32 { return ${FIRST_FRAME + samples.length}; }
export function bench(i: i32): void {
  if (i == 1) {
    memory.copy(sgq.book, BOOK, ${book.bytes.length});
    if (sgq.open(${book.bytes.length})) unreachable();
  }
  if (i >= ${FIRST_FRAME}) sent += sgq.encode(SAMPLES + <usize>((i - ${FIRST_FRAME}) * ${h * w * c}), i);
}
export function step(): void {}
`;
  const folder = join(ROOT, "dist/bench/sgq");
  await mkdir(join(folder, name), { recursive: true });
  const path = join(folder, name, `${name}.ts`);
  await writeFile(path, source);
  const [built] = await buildModules({ apps: [path], out: folder, targets: [target] });
  return built as BuiltModule;
}
