// A device that learns what its user shows it: one frame of its life.
import { labels } from "../device/labels";
import { log } from "../device/log";
import { publish } from "../device/publish";
import { sensor } from "../device/sensor";
import { Drift } from "./drift";
import { Model } from "./model";
import { Trainer } from "./trainer";

/**
 * Looks at a frame, learns it if somebody said what it is (over the link, else the sensor itself), takes its doubt for drift if not, and
 * publishes what there is to know of a trainer and of personalisation. Errors: those of Trainer.step()
 */
export function live(model: Model, trainer: Trainer, drift: Drift): void {
  const frame = sensor.frame();
  const seen = model.infer(frame);
  const best = seen.argmax();
  const doubt = trainer.doubt(seen);
  const label = labels.take(frame);
  if (label >= 0) {
    trainer.step(frame, label);
    if (!frame.heldOut) drift.reset(); // the model has changed: its doubts start over
  } else {
    drift.see(doubt);
  }
  trainer.begin(best);
  publish.put(publish.DUE, drift.due ? 1 : 0);
  publish.put(publish.DOUBT, <i32>drift.mean);
  publish.put(publish.KEPT, trainer.kept);
  publish.put(publish.LABELS_LEFT, labels.remaining());
  publish.end();
}

/** Takes a message that says what the next frames are; one that is none is told in the log, and changes nothing. */
export function told(model: Model, length: i32): void {
  if (!labels.receive(length, model.classes))
    log.warning("a label is 4 bytes and names a class of the model");
}
