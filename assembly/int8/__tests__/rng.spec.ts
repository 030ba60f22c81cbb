// Counter-based draws (docs/abi.md, "Draws"): the vectors of tests/vectors/draws.json, and what the scheme promises.
import { draw, drawKey, fin } from "../rng";

/** x, fin(x). */
const FIN: StaticArray<u32> = [
  0x00000000, 0x00000000, 0x00000001, 0x688990c0, 0x00000002, 0xd1132181, 0x00000003, 0x53f1e9dd, 0x7fffffff,
  0x8d29ffb8, 0x80000000, 0xcc4b4124, 0xdeadbeef, 0xe628c683, 0xfffffffe, 0x97a1065a, 0xffffffff, 0x6768824a,
];
/** Seed, step, tensor, key. */
const KEY: StaticArray<u32> = [
  0x00000000, 0x00000000, 0x00000000, 0x944fb554, 0x00000001, 0x00000000, 0x00000000, 0xb2fcf063, 0x00000000,
  0x00000001, 0x00000000, 0xc67c684d, 0x00000000, 0x00000000, 0x00000001, 0xd661ff16, 0x00000000, 0x00000000,
  0xffffffff, 0xb98a617e, 0x0000002a, 0x000000c7, 0x00000007, 0xdc700025, 0xffffffff, 0xffffffff, 0xffffffff,
  0x3bda013c, 0x075bcd15, 0x000f4240, 0x0000001b, 0x235bbaa3,
];
/** Key, index, draw. */
const DRAW: StaticArray<u32> = [
  0x944fb554, 0x00000000, 16883, 0x944fb554, 0x00000001, 35391, 0x944fb554, 0x00000002, 58862, 0x944fb554,
  0x00000003, 686, 0x944fb554, 0x000003e8, 44747, 0x944fb554, 0x0000ffff, 23793, 0x944fb554, 0x7fffffff, 9844,
  0x944fb554, 0xffffffff, 34278, 0xdc700025, 0x00000000, 3431, 0xdc700025, 0x00000001, 10692, 0xdc700025,
  0x00000002, 44358, 0xdc700025, 0x00000003, 55693, 0xdc700025, 0x000003e8, 31826, 0xdc700025, 0x0000ffff,
  65447, 0xdc700025, 0x7fffffff, 25615, 0xdc700025, 0xffffffff, 32380, 0xb4d63255, 0x00000000, 31921,
  0xb4d63255, 0x00000001, 3983, 0xb4d63255, 0x00000002, 13866, 0xb4d63255, 0x00000003, 39624, 0xb4d63255,
  0x000003e8, 53011, 0xb4d63255, 0x0000ffff, 23566, 0xb4d63255, 0x7fffffff, 64415, 0xb4d63255, 0xffffffff,
  41701,
];

describe("vectors", () => {
  test("fin", () => {
    for (let i = 0; i < FIN.length; i += 2) expect(fin(FIN[i])).toBe(FIN[i + 1]);
  });

  test("key", () => {
    for (let i = 0; i < KEY.length; i += 4) expect(drawKey(KEY[i], KEY[i + 1], KEY[i + 2])).toBe(KEY[i + 3]);
  });

  test("draw", () => {
    for (let i = 0; i < DRAW.length; i += 3) expect(draw(DRAW[i], DRAW[i + 1])).toBe(DRAW[i + 2]);
  });
});

describe("what the scheme promises", () => {
  test("fin is a bijection on its low 16 bits' images: no two of 65,536 neighbours meet", () => {
    const seen = new Set<u32>();
    for (let x: u32 = 0; x < 65536; ++x) seen.add(fin(x));
    expect(seen.size).toBe(65536);
  });

  test("seed, step, tensor and index each change the draws", () => {
    const base = drawKey(5, 6, 7);
    expect(drawKey(4, 6, 7)).not.toBe(base);
    expect(drawKey(5, 5, 7)).not.toBe(base);
    expect(drawKey(5, 6, 6)).not.toBe(base);
    let same = 0;
    for (let i = 0; i < 1000; ++i) if (draw(base, i) == draw(base, i + 1)) ++same;
    expect(same).toBeLessThan(5);
  });

  test("draws are even: mean and every sixteenth of the range", () => {
    const bins = new StaticArray<i32>(16);
    let sum: u64 = 0;
    const key = drawKey(1, 1, 1);
    for (let i = 0; i < 65536; ++i) {
      const d = draw(key, i);
      sum += d;
      ++bins[d >> 12];
    }
    // one standard deviation of the mean is 74, of a bin 62
    expect(Math.abs(<f64>sum / 65536 - 32767.5)).toBeLessThan(300);
    for (let b = 0; b < 16; ++b) expect(Math.abs(<f64>bins[b] - 4096)).toBeLessThan(310);
  });
});
