// Form 2: one code for a stripe of channels, at one pixel or at 2 × 2 of them.
import { Plan } from "./book";
import { put, take } from "./coder";

/**
 * Code of the stripe whose first element is `x`: the entry with the smallest Σ (x − value)², the first one on a tie. At most
 * 256 · 4 differences of at most 255: the sum stays below 2^26.
 *
 * @param rowPitch elements from row to row, @param pixelPitch from pixel to pixel
 */
function nearest(plan: Plan, k: i32, x: usize, rowPitch: i32, pixelPitch: i32): i32 {
  const group = plan.group;
  const side = plan.stripe;
  let entry = plan.values + <usize>((k * side * side * group) << plan.bits);
  let best = i32.MAX_VALUE;
  let code = 0;
  for (let j = 0, n = 1 << plan.bits; j < n; ++j) {
    let sum = 0;
    for (let dy = 0; dy < side; ++dy) {
      for (let dx = 0; dx < side; ++dx) {
        const at = x + <usize>(dy * rowPitch + dx * pixelPitch);
        for (let i: usize = 0; i < <usize>group; ++i) {
          const difference = <i32>load<i8>(at + i) - <i32>load<i8>(entry++);
          sum += difference * difference;
        }
      }
    }
    if (sum < best) {
      best = sum;
      code = j;
    }
  }
  return code;
}

/** Codes [rows / stripe, w / stripe, channels] of features [rows, w, c] (int8 NHWC, rows `rowPitch` elements apart). */
export function codesOf(plan: Plan, x: usize, rowPitch: i32, rows: i32, codes: usize): void {
  const side = plan.stripe;
  for (let y = 0; y < rows; y += side) {
    for (let px = 0; px < plan.w; px += side) {
      const at = x + <usize>(y * rowPitch + px * plan.c);
      for (let k = 0; k < plan.channels; ++k)
        store<u8>(codes++, nearest(plan, k, at + <usize>(k * plan.group), rowPitch, plan.c));
    }
  }
}

/** Features [rows, w, c] of codes. */
export function featuresOf(plan: Plan, codes: usize, rows: i32, features: usize): void {
  const side = plan.stripe;
  const group = <usize>plan.group;
  const entryBytes = plan.stripe * plan.stripe * plan.group;
  for (let y = 0; y < rows; y += side) {
    for (let px = 0; px < plan.w; px += side) {
      for (let k = 0; k < plan.channels; ++k) {
        const code = <i32>load<u8>(codes++);
        let entry = plan.values + <usize>(((k << plan.bits) + code) * entryBytes);
        for (let dy = 0; dy < side; ++dy) {
          for (let dx = 0; dx < side; ++dx, entry += group)
            memory.copy(
              features + <usize>(((y + dy) * plan.w + px + dx) * plan.c + k * plan.group),
              entry,
              group,
            );
        }
      }
    }
  }
}

/** Tree of probabilities for the code at (y, x) of code channel k, from its left and upper neighbours. */
function treeOf(plan: Plan, codes: usize, k: i32, y: i32, x: i32, columns: i32): usize {
  const t = plan.neighbourBits;
  const drop = plan.bits - t;
  const cell = codes + <usize>((y * columns + x) * plan.channels + k);
  const left = x ? <i32>load<u8>(cell - <usize>plan.channels) >> drop : 0;
  const upper = y ? <i32>load<u8>(cell - <usize>(columns * plan.channels)) >> drop : 0;
  return plan.tables + <usize>(((k << (2 * t)) + (left << t) + upper) << plan.bits);
}

/** Codes a map of codes [rows, columns, channels]. Returns false if the payload is full. */
export function encodeCodes(plan: Plan, coder: usize, codes: usize, rows: i32, columns: i32): bool {
  for (let k = 0; k < plan.channels; ++k) {
    for (let y = 0; y < rows; ++y) {
      for (let x = 0; x < columns; ++x) {
        const tree = treeOf(plan, codes, k, y, x, columns);
        const code = <u32>load<u8>(codes + <usize>((y * columns + x) * plan.channels + k));
        let node: u32 = 1;
        for (let left = plan.bits; left; --left) {
          const bit = (code >> (left - 1)) & 1;
          if (!put(coder, load<u8>(tree + <usize>node), bit)) return false;
          node = (node << 1) | bit;
        }
      }
    }
  }
  return true;
}

/** What encodeCodes wrote. */
export function decodeCodes(plan: Plan, coder: usize, codes: usize, rows: i32, columns: i32): void {
  const top = 1 << plan.bits;
  for (let k = 0; k < plan.channels; ++k) {
    for (let y = 0; y < rows; ++y) {
      for (let x = 0; x < columns; ++x) {
        const tree = treeOf(plan, codes, k, y, x, columns);
        let node: u32 = 1;
        while (node < <u32>top) node = (node << 1) | take(coder, load<u8>(tree + <usize>node));
        store<u8>(codes + <usize>((y * columns + x) * plan.channels + k), node - top);
      }
    }
  }
}

/** Adds one to the counts [zeros, ones] (u32 each, two per table byte) of every probability that coding would look up. */
export function countCodes(plan: Plan, codes: usize, rows: i32, columns: i32, counts: usize): void {
  for (let k = 0; k < plan.channels; ++k) {
    for (let y = 0; y < rows; ++y) {
      for (let x = 0; x < columns; ++x) {
        const tree = treeOf(plan, codes, k, y, x, columns);
        const code = <u32>load<u8>(codes + <usize>((y * columns + x) * plan.channels + k));
        let node: u32 = 1;
        for (let left = plan.bits; left; --left) {
          const bit = (code >> (left - 1)) & 1;
          const count = counts + ((((tree + <usize>node - plan.tables) << 1) + <usize>bit) << 2);
          store<u32>(count, load<u32>(count) + 1);
          node = (node << 1) | bit;
        }
      }
    }
  }
}
