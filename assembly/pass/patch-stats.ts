// Intrinsic 96: how far the patches of one row of patches have moved from the reference.
import * as check from "../int8/check";
import { BAD_SHAPE, BAD_WINDOW } from "../device/errors";
import { fail } from "../device/host";
import { TENSOR_BYTES, TENSOR_C, TENSOR_H, TENSOR_PITCH, TENSOR_W } from "../int8/structs";

const FN: i32 = 96;

/** Bytes that one patch has in the result: S, L, D. */
export const STATS_BYTES: usize = 12;
/** Side of the blocks whose sums L looks at. */
const BLOCK: i32 = 4;

/**
 * Per patch of row `row`, with d = x − reference: S = Σ|d|, L = the largest |Σd| of the patch's 4×4 blocks, D = Σd, each
 * over all channels. Patches and blocks at the right and the lower edge are as small as the image leaves them.
 *
 * @param xT shape of both images, int8 [h, w, c]
 * @param patch side of a patch: 4, 8 or 16 pixels
 * @param stats int32 [⌈w / patch⌉, 3]. S ≤ 16·16·255·c < 2^31 for every c ≤ 32,767
 */
export function patchStats(xT: usize, x: usize, reference: usize, patch: i32, row: i32, stats: usize): void {
  check.start(FN);
  check.tensorStruct(xT);
  check.tensorShape(xT);
  if (patch != 4 && patch != 8 && patch != 16) fail(BAD_SHAPE, FN, patch, 8);
  const h = load<i32>(xT, TENSOR_H);
  const w = load<i32>(xT, TENSOR_W);
  const c = load<i32>(xT, TENSOR_C);
  const pitch = <usize>load<i32>(xT, TENSOR_PITCH);
  const patches = (w + patch - 1) / patch;
  check.within(BAD_WINDOW, row, 0, (h + patch - 1) / patch - 1);
  const bytes = check.tensorBytes(xT, 1);
  const statsBytes = <u64>patches * STATS_BYTES;
  check.pointer(x, bytes, 1);
  check.pointer(reference, bytes, 1);
  check.pointer(stats, statsBytes, 4);
  check.output(stats, statsBytes);
  check.read(x, bytes);
  check.read(reference, bytes);
  check.read(xT, TENSOR_BYTES);

  const y0 = row * patch;
  const y1 = min(y0 + patch, h);
  for (let x0 = 0; x0 < w; x0 += patch) {
    const x1 = min(x0 + patch, w);
    let total = 0;
    let most = 0;
    let sum = 0;
    for (let by = y0; by < y1; by += BLOCK) {
      const rows = min(BLOCK, y1 - by);
      for (let bx = x0; bx < x1; bx += BLOCK) {
        let at = <usize>by * pitch + <usize>(bx * c);
        const run = <usize>(min(BLOCK, x1 - bx) * c);
        let block = 0;
        for (let i = 0; i < rows; ++i, at += pitch) {
          for (let k = at; k < at + run; ++k) {
            const d = <i32>load<i8>(x + k) - <i32>load<i8>(reference + k);
            block += d;
            total += abs(d);
          }
        }
        most = max(most, abs(block));
        sum += block;
      }
    }
    store<i32>(stats, total);
    store<i32>(stats, most, 4);
    store<i32>(stats, sum, 8);
    stats += STATS_BYTES;
  }
}
