// What the specs of the model share: an arena to build in, and frames.
import { SPEC_BYTES, used } from "../../device/arena";
import { CONFIG } from "../../device/config";
import { setLimit } from "../../device/limit";
import { Frame, sensor } from "../../device/sensor";
import { tensorOf } from "../../int8/structs";
import { create, Layer } from "../layer";

/** Opens the arena: memory up to its end may be used. */
export function open(seed: u32 = 0): void {
  store<u32>(CONFIG, used() + SPEC_BYTES, 4);
  // static data may lie behind the arena
  setLimit(memory.size() << 16);
  store<u32>(CONFIG, seed, 8);
}

/** A layer that is nothing but its output. */
export function output(h: i32, w: i32, c: i32): Layer {
  const layer = create<Layer>();
  tensorOf(changetype<usize>(layer), h, w, c);
  return layer;
}

/** The frame as the sensor would leave it: the i-th of an endless order of labelled images, `classes` of them. */
export function show(i: i32, classes: i32): Frame {
  const frame = sensor.last();
  const label = (i * 7 + (i >> 3)) % classes;
  // one band of rows is bright; noise everywhere
  const rows = frame.h;
  for (let y = 0; y < rows; ++y) {
    const bright = (y * classes) / rows == label;
    for (let x = 0; x < frame.w; ++x) {
      const noise = (i * 31 + y * 17 + x * 13 + y * x * i) % 23;
      store<i8>(frame.data + y * frame.w + x, (bright ? 90 : 5) + noise);
    }
  }
  frame.label = label;
  frame.sequence = i;
  return frame;
}
