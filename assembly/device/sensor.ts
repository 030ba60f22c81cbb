// The sensor as an app sees it: one frame at a time, in place.
import { allocate } from "./arena";
import { LAYER_SHAPE, SENSOR_SHAPE } from "./errors";
import { fail, hostSensorRead } from "./host";
import { elements, TENSOR_H } from "../int8/structs";

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

  /** Number of elements. */
  get size(): i32 {
    // h, w and c follow each other here as in a tensor struct
    return elements(changetype<usize>(this) + (offsetof<Frame>("h") - TENSOR_H));
  }

  get hasLabel(): bool {
    return this.label >= 0;
  }

  /** For evaluation only: never learn from it. */
  get heldOut(): bool {
    return (this.flags & 1) != 0;
  }

  /** Ends with SENSOR_SHAPE (got: elements of this frame, want: those expected). */
  refuse(want: i32): void {
    fail(SENSOR_SHAPE, 0, this.size, want);
  }
}

const FRAME: usize = memory.data(36, 4);

export namespace sensor {
  /**
   * Says which shape [h, w, c] the app expects, and reserves its place. A Model does this by itself. Errors: LAYER_SHAPE when
   * there are not three dimensions.
   */
  export function open(shape: StaticArray<i32>): void {
    const frame = changetype<Frame>(FRAME);
    if (shape.length != 3) fail(LAYER_SHAPE, -1 << 8, shape.length, 3);
    memory.copy(FRAME + offsetof<Frame>("h"), changetype<usize>(shape), 12);
    const size = frame.size;
    frame.capacity = size;
    frame.data = allocate(size);
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
    if (hostSensorRead(FRAME) < 0) frame.refuse(want);
    return frame;
  }

  // @ts-ignore: decorator
  @inline
  /** The frame as it is, without asking the sensor. */
  export function last(): Frame {
    return changetype<Frame>(FRAME);
  }
}
