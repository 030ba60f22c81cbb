// The sensor as an app sees it: one frame at a time, in place.
import { allocate } from "./arena";
import { SENSOR_SHAPE } from "./errors";
import { fail, hostSensorRead } from "./host";

/** Layout of docs/abi.md, "Frame": the firmware fills it. */
@unmanaged
export class Frame {
  private bytes: i32;
  /** int8 [h, w, c], NHWC. */
  data: usize;
  capacity: i32;
  h: i32;
  w: i32;
  c: i32;
  /** Class, or −1 when nobody said. */
  label: i32;
  private flags: i32;
  /** Counts frames from 0; never repeats. */
  sequence: i32;

  get hasLabel(): bool {
    return this.label >= 0;
  }

  /** For evaluation only: never learn from it. */
  get heldOut(): bool {
    return (this.flags & 1) != 0;
  }
}

const FRAME: usize = memory.data(36, 4);

export namespace sensor {
  /** Says which shape the app expects, and reserves its place. A Model does this by itself. */
  export function open(h: i32, w: i32, c: i32): void {
    const frame = changetype<Frame>(FRAME);
    frame.h = h;
    frame.w = w;
    frame.c = c;
    frame.capacity = h * w * c;
    frame.data = allocate(frame.capacity);
    frame.label = -1;
    frame.sequence = -1;
    store<i32>(FRAME, 36);
  }

  /**
   * The newest frame. The firmware calls `step` when there is one. Errors: SENSOR_SHAPE when the sensor gives another shape
   * (got: its size, want: the app's).
   */
  export function frame(): Frame {
    const frame = changetype<Frame>(FRAME);
    const want = frame.capacity;
    if (hostSensorRead(FRAME) < 0) fail(SENSOR_SHAPE, 0, frame.h * frame.w * frame.c, want);
    return frame;
  }

  // @ts-ignore: decorator
  @inline
  /** The frame as it is, without asking the sensor. */
  export function last(): Frame {
    return changetype<Frame>(FRAME);
  }
}
