// acc[i] += e · v[i]: the inner loop of both gradients.

/** n int32 accumulators, n int8 values. */
export function accumulate(acc: usize, v: usize, e: i32, n: usize): void {
  const end = v + n;
  for (const fours = v + (n & ~3); v < fours; v += 4, acc += 16) {
    store<i32>(acc, load<i32>(acc) + e * load<i8>(v));
    store<i32>(acc, load<i32>(acc, 4) + e * load<i8>(v, 1), 4);
    store<i32>(acc, load<i32>(acc, 8) + e * load<i8>(v, 2), 8);
    store<i32>(acc, load<i32>(acc, 12) + e * load<i8>(v, 3), 12);
  }
  for (; v < end; ++v, acc += 4) store<i32>(acc, load<i32>(acc) + e * load<i8>(v));
}
