// The intrinsics of PASS as everything above sees them: imported by a `device` module, carried by a `portable` one. Numbers,
// arguments and errors: docs/abi.md.
import * as merging from "./merge";
import * as stats from "./patch-stats";

@external("octo_pass_1", "patchStats")
declare function nativePatchStats(
  xT: usize,
  x: usize,
  reference: usize,
  patch: i32,
  row: i32,
  stats: usize,
): void;

@external("octo_pass_1", "merge")
declare function nativeMerge(
  window: usize,
  tau: i32,
  yT: usize,
  fresh: usize,
  cache: usize,
  changed: usize,
  spread: usize,
): i32;

@inline
export function patchStats(xT: usize, x: usize, reference: usize, patch: i32, row: i32, to: usize): void {
  if (isDefined(OCTOMOTE_DEVICE)) nativePatchStats(xT, x, reference, patch, row, to);
  else stats.patchStats(xT, x, reference, patch, row, to);
}

@inline
export function merge(
  window: usize,
  tau: i32,
  yT: usize,
  fresh: usize,
  cache: usize,
  changed: usize,
  spread: usize,
): i32 {
  return isDefined(OCTOMOTE_DEVICE)
    ? nativeMerge(window, tau, yT, fresh, cache, changed, spread)
    : merging.merge(window, tau, yT, fresh, cache, changed, spread);
}
