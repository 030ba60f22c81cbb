export const CLASSES: i32 = 4;
export const CLASS_NEW: i32 = 2;
export function factorOf(k: i32): i32 {
  return 256;
}
