// Labels that come over the link: somebody says what the device is looking at (docs/mqtt.md, `/set`).
import { allocate } from "./arena";
import { setInbox } from "./config";
import { Frame } from "./sensor";

/** A message of labels: u8 1, u8 class, u16 little-endian frames that it holds for, 0: none any more. */
const BYTES: i32 = 4;
const KIND: u8 = 1;

let inbox: usize = 0;
let label: i32 = 0;
/** Frames that the label still holds for. */
let left: i32 = 0;

export namespace labels {
  /** Opens the inbox; an app that calls it exports `message` and hands over what comes. */
  export function open(): void {
    inbox = allocate(BYTES);
    setInbox(inbox, BYTES);
  }

  /**
   * Takes a message of `length` bytes: its label holds for the frames to come. False when it is none, or its class is not below
   * `classes`; the label that held before then goes on.
   */
  export function receive(length: i32, classes: i32): bool {
    const said = <i32>load<u8>(inbox, 1);
    if (length != BYTES || load<u8>(inbox) != KIND || said >= classes) return false;
    label = said;
    left = <i32>load<u16>(inbox, 2);
    return true;
  }

  /** Class of a frame: what was said over the link, else the sensor's own label; −1: nobody knows. Held-out frames keep their own. */
  export function take(frame: Frame): i32 {
    if (!left || frame.heldOut) return frame.label;
    --left;
    return label;
  }

  /** Frames that the label said over the link still holds for. */
  export function remaining(): i32 {
    return left;
  }
}
