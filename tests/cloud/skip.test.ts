// Frames that leave out what did not change: the trainer has the whole sample, whoever decoded what they refer to, in whatever order they come.
import { beforeEach, expect, it } from "vitest";
import { decodePublication } from "../../host/cloud/ingest/decode.ts";
import { encodeDecoded } from "../../host/cloud/ingest/decoded-message.ts";
import { CodebookShelf } from "../../host/cloud/ingest/shelf.ts";
import { NackReason } from "../../host/sgq/types.ts";
import { temporaryTree } from "../support/tree.ts";
import type { FakeDevice } from "./support/device.ts";
import { codec, coded, learn, type Stage, send, stage } from "./support/stage.ts";

const PATCH = [2, 2] as const;
let whole: Stage & { device: FakeDevice };

beforeEach(async () => {
  whole = await coded({ patch: PATCH });
});

const publications = (device: FakeDevice, count: number): Uint8Array[] =>
  Array.from({ length: count }, () => device.publishChanged());

/** What a trainer has learned from, as its network tells. */
function learned({ trainer }: Stage): Uint8Array {
  trainer.flush();
  learn(trainer);
  return trainer.network.state();
}

it("says which patch may be left out in the codebook, and counts what came of changes only", () => {
  const { trainer, device } = whole;
  expect(trainer.codebook?.book.patch).toEqual([...PATCH]);
  const sent = publications(device, 20);
  send(whole, "a", sent);
  expect(trainer.metrics()).toMatchObject({ samples: 68, partial: 19, refused: 0, lost: 0 });
});

it("is the same to a trainer whether workers decode what can be decoded alone, or nobody does", async () => {
  const sent = publications(whole.device, 40);
  const other = await coded({ patch: PATCH });
  send(whole, "a", sent);
  const shelf = new CodebookShelf(codec);
  shelf.add(other.codebooks[0] as Uint8Array);
  for (const payload of sent) {
    const decoded = decodePublication(codec, shelf, payload);
    other.trainer.takeDecoded(
      encodeDecoded({ device: "a", payload, ...(decoded.kind === "samples" && { decoded }) }),
    );
  }
  expect(other.trainer.metrics()).toMatchObject({
    samples: 88,
    partial: 39,
    decodedByWorkers: 1,
    refused: 0,
  });
  expect(learned(other)).toEqual(learned(whole));
});

it("waits for a sample that is late: nothing is lost, and nobody is asked again", async () => {
  const other = await coded({ patch: PATCH });
  const sent = publications(whole.device, 40);
  send(whole, "a", sent);
  // as two workers would hand them on
  const swapped = sent.map((_, i) => sent[i ^ 1] as Uint8Array);
  send(other, "a", swapped);
  expect(other.trainer.metrics()).toMatchObject({ samples: 88, partial: 39, refused: 0, lost: 0 });
  expect(other.device.nacks).toEqual([]);
  expect(learned(other)).toEqual(learned(whole));
});

it("asks for a whole sample when what is referred to does not come, and takes the others when it does", () => {
  const { trainer, device } = whole;
  const sent = publications(device, 12);
  send(whole, "a", sent.slice(0, 3));
  send(whole, "a", sent.slice(4));
  expect(device.nacks).toEqual([NackReason.reference]);
  expect(trainer.metrics()).toMatchObject({ samples: 51, refused: 0 });
  // the device begins anew with a whole sample
  send(whole, "a", publications(device, 4));
  trainer.flush();
  expect(trainer.metrics()).toMatchObject({ samples: 55, lost: 9 });
  send(whole, "a", [sent[3] as Uint8Array]);
  expect(trainer.metrics()).toMatchObject({ samples: 64, refused: 0, lost: 0, late: 9 });
});

it("gives up what waits in vain when there is too much of it, and counts it", () => {
  const { trainer, device } = whole;
  const sent = publications(device, 300);
  send(whole, "a", sent.slice(1));
  expect(trainer.metrics()).toMatchObject({ samples: 48, refused: 299 - 256 });
  send(whole, "a", [sent[0] as Uint8Array]);
  expect(trainer.metrics()).toMatchObject({ samples: 49, refused: 299 - 256 });
});

it("of another device's sample, or after a restart of the device, nothing is mixed up", () => {
  const { trainer, device, add } = whole;
  const other = add("b");
  other.load(whole.codebooks[0] as Uint8Array);
  const [first, ...rest] = publications(device, 10) as [Uint8Array, ...Uint8Array[]];
  const theirs = publications(other, 10);
  send(whole, "a", [first]);
  send(whole, "b", theirs);
  send(whole, "a", rest);
  device.restart();
  send(
    whole,
    "a",
    [5000, 5001, 5002].map((seed) => device.publish(seed)),
  );
  device.load(whole.codebooks[0] as Uint8Array);
  send(whole, "a", publications(device, 10));
  trainer.flush();
  expect(trainer.metrics()).toMatchObject({
    refused: 0,
    devices: { a: { samples: 48 + 10 + 3 + 10 }, b: { samples: 10 } },
  });
});

it("a trainer that was killed understands what refers to samples from before", async () => {
  const folder = temporaryTree();
  const before = await coded({ patch: PATCH, folder });
  const sent = publications(before.device, 30);
  // one waits when it is killed
  send(before, "a", [...sent.slice(0, 15), sent[16] as Uint8Array]);
  const after = await stage({ patch: PATCH, folder });
  expect(after.trainer.metrics()).toMatchObject({ samples: 48 + 15, partial: 14 });
  send(after, "a", [sent[15] as Uint8Array, ...sent.slice(17)]);
  expect(after.trainer.metrics()).toMatchObject({ samples: 48 + 30, partial: 29, refused: 0, lost: 0 });
  send(whole, "a", sent);
  expect(learned(after)).toEqual(learned(whole));
});
