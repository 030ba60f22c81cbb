// Adam (Kingma and Ba 2015, Algorithm 1) over one array of weights. f32, host only.

/**
 * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − rate·m / (√v + ε). The corrections of the first steps are in `rate` and
 * `epsilon`, where the caller puts them. n is a multiple of 4.
 */
export function adam(
  n: i32,
  w: usize,
  g: usize,
  m: usize,
  v: usize,
  rate: f32,
  beta1: f32,
  beta2: f32,
  epsilon: f32,
): void {
  const b1 = f32x4.splat(beta1);
  const b2 = f32x4.splat(beta2);
  const a1 = f32x4.splat(1 - beta1);
  const a2 = f32x4.splat(1 - beta2);
  const step = f32x4.splat(rate);
  const least = f32x4.splat(epsilon);
  for (let i: usize = 0, end = (<usize>n) << 2; i < end; i += 16) {
    const gradient = v128.load(g + i);
    const first = f32x4.add(f32x4.mul(b1, v128.load(m + i)), f32x4.mul(a1, gradient));
    const second = f32x4.add(f32x4.mul(b2, v128.load(v + i)), f32x4.mul(a2, f32x4.mul(gradient, gradient)));
    v128.store(m + i, first);
    v128.store(v + i, second);
    const move = f32x4.div(f32x4.mul(step, first), f32x4.add(f32x4.sqrt(second), least));
    v128.store(w + i, f32x4.sub(v128.load(w + i), move));
  }
}
