// What of a stage's output has changed since somebody last took it: for a codec that leaves out the rest.
import { allocate } from "../device/arena";
import { Stage } from "./stage";

@unmanaged
export class Changes {
  private stage: Stage;
  /** Bitmap of the positions, as the stage's own. */
  private map: usize;
  /** u8 of each patch; patches of one position are most. */
  private marks: usize;

  /** @param stage of Network.keep(). After `new Pass`, at an app's top level */
  constructor(stage: Stage) {
    this.stage = stage;
    this.map = allocate(stage.mapBytes);
    this.marks = allocate(stage.h * stage.w);
  }

  /** Adds what the frame that was just seen has changed; once for each frame. */
  see(): void {
    const from = this.stage.changed;
    for (let at: usize = 0, end = <usize>this.stage.mapBytes; at < end; at += 4)
      store<u32>(this.map + at, load<u32>(this.map + at) | load<u32>(from + at));
  }

  /** One byte for each patch of h × w positions, row by row: 1 where something has changed. 0 × 0: nobody asks, and nothing is there. */
  patches(h: i32, w: i32): usize {
    const stage = this.stage;
    if (!h || !w) return this.marks;
    const across = (stage.w + w - 1) / w;
    memory.fill(this.marks, 0, ((stage.h + h - 1) / h) * across);
    let row = this.map;
    for (let y = 0; y < stage.h; ++y, row += (<usize>stage.words) << 2) {
      const marks = this.marks + <usize>((y / h) * across);
      for (let x = 0; x < stage.w; ++x) {
        const word = load<u32>(row + ((<usize>x >> 5) << 2));
        if ((word >> (x & 31)) & 1) store<u8>(marks + <usize>(x / w), 1);
      }
    }
    return this.marks;
  }

  /** They were taken. */
  clear(): void {
    memory.fill(this.map, 0, this.stage.mapBytes);
  }
}
