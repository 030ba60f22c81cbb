// The message with which somebody says what a device is looking at (docs/abi.md, "Messages"); assembly/device/labels.ts reads it.

/** Highest class, and most frames that a label holds for. */
export const MAX_LABEL = 254;
export const MAX_LABELLED = 0xffff;

const KIND_LABEL = 1;

/** The next `frames` frames are of class `label`; 0 frames: nothing is said any more. */
export function encodeLabel(label: number, frames: number): Uint8Array {
  return Uint8Array.of(KIND_LABEL, label, frames & 0xff, frames >> 8);
}
