// A trainer and what devices, workers and brokers do to it: it keeps everything that it took, learns, answers and goes on.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodePublication } from "../../host/cloud/ingest/decode.ts";
import { encodeDecoded } from "../../host/cloud/ingest/decoded-message.ts";
import { Journal } from "../../host/cloud/ingest/journal.ts";
import { decodeRecord } from "../../host/cloud/ingest/record.ts";
import { CodebookShelf } from "../../host/cloud/ingest/shelf.ts";
import { NetworkStateError } from "../../host/cloud/network.ts";
import { encodeNumbered } from "../../host/protocol/numbered.ts";
import { receiptOf } from "../../host/protocol/receipts.ts";
import { NackReason } from "../../host/sgq/types.ts";
import { temporaryTree } from "../support/tree.ts";
import { frameOf } from "./support/device.ts";
import { CLASSES, SHAPE } from "./support/features.ts";
import { codec, coded, learn, type Stage, send, stage } from "./support/stage.ts";

describe("learning", () => {
  it("from what several devices send, at once and with codebooks of their own: held-out samples are told right", async () => {
    const it = await coded();
    const { trainer, device } = it;
    const late = it.add("b");
    for (let i = 0; i < 60; i++) {
      send(it, "a", device.several(2));
      send(it, "b", late.several(1));
    }
    learn(trainer);
    const metrics = trainer.metrics();
    expect(metrics).toMatchObject({ samples: 48 + 120 + 60, lost: 0, duplicates: 0, refused: 0 });
    expect(metrics.devices).toMatchObject({
      a: { codebook: 1, samples: 168 },
      b: { codebook: 0, samples: 60 },
    });
    expect(metrics.accuracy).toBeGreaterThan(0.95);
    expect(metrics.loss).toBeLessThan(0.7);
    expect(metrics.bytesPerSample?.mean).toBeLessThanOrEqual(16);
    expect(metrics.bytesRaw).toBe(metrics.samples * 144);
  });

  it("ends when every sample was looked at often enough, and goes on with more", async () => {
    const { trainer, device, ...rest } = await coded({ passes: 3 });
    learn(trainer);
    const steps = trainer.network.steps;
    expect(trainer.learn()).toBe(false);
    send({ trainer, ...rest }, "a", device.several(32));
    expect(trainer.learn()).toBe(true);
    expect(steps).toBeGreaterThan(0);
  });

  it("never learns from held-out samples or from some without a label", async () => {
    const it = await stage();
    const device = it.add("a");
    const heldOut = device.several(64).filter((_, i) => i % 8 === 7);
    send(it, "a", heldOut);
    send(it, "a", [frameOf(device.publish())]);
    it.trainer.flush();
    expect(it.trainer.learn()).toBe(false);
    expect(it.trainer.metrics()).toMatchObject({
      samples: heldOut.length + 1,
      training: 0,
      heldOut: heldOut.length,
    });
  });
});

describe("codebooks", () => {
  it("are made of self-contained samples, published once, and taken by devices", async () => {
    const { trainer, codebooks, device, told } = await coded();
    expect(codebooks).toHaveLength(1);
    expect(trainer.codebook?.book.version).toBe(1);
    expect(told.some((line) => /codebook 1: .* bytes a sample/.test(line))).toBe(true);
    const { header } = codec.decode(frameOf(device.publish()), { find: () => trainer.codebook });
    expect(header.short).toBe(true);
  });

  it("of several versions are in use at once", async () => {
    const it = await coded();
    const { trainer, device } = it;
    const other = it.add("b");
    other.load(it.codebooks[0] as Uint8Array);
    const second = codec.seal({
      ...(trainer.codebook as NonNullable<typeof trainer.codebook>).book,
      version: 2,
    });
    trainer.takeCodebook(second.bytes);
    device.load(second.bytes);
    for (let i = 0; i < 10; i++) {
      send(it, "a", device.several(1));
      send(it, "b", other.several(1));
    }
    expect(trainer.metrics()).toMatchObject({
      refused: 0,
      devices: { a: { codebook: 2, samples: 58 }, b: { codebook: 1, samples: 10 } },
    });
  });

  it("that the trainer has never seen are asked about: the device sends self-contained frames again", async () => {
    const made = await coded();
    const { trainer, add } = await stage();
    const device = add("a");
    device.load(made.codebooks[0] as Uint8Array);
    trainer.take("a", device.publish());
    expect(device.nacks).toEqual([NackReason.codebook]);
    trainer.take("a", device.publish());
    expect(trainer.metrics()).toMatchObject({ refused: 1, samples: 1 });
  });

  it("for features of another shape are left alone, and bytes that are none are refused", async () => {
    const { trainer, codebooks, told } = await coded();
    const book = codec.open(codebooks[0] as Uint8Array).book;
    trainer.takeCodebook(codec.seal({ ...book, shape: [6, 7, 4], version: 9 }).bytes);
    expect(told.at(-1)).toMatch(/6×7×4.*6×6×4/);
    expect(trainer.codebook?.book.version).toBe(1);
    expect(() => trainer.takeCodebook(Uint8Array.of(1, 2, 3))).toThrow(/not a codebook/);
  });

  it("that no longer fit what devices see are replaced: frames grow, new samples are asked for, another version follows", async () => {
    const it = await coded();
    const { trainer, device, codebooks, told } = it;
    // features that this codebook's probabilities are wrong about
    const strange = (sequence: number): Uint8Array => {
      const features = Int8Array.from({ length: 144 }, (_, i) => ((i * 7919 + sequence * 104729) % 97) + 1);
      return codec.encode(device.book as NonNullable<typeof device.book>, [features], { sequence });
    };
    for (let i = 0; i < 256; i++) trainer.take("a", strange(48 + i));
    expect(told.at(-1)).toMatch(/samples take .* bytes instead of .*: asking for features/);
    expect(device.nacks).toEqual([NackReason.codebook]);
    device.restart();
    send(
      it,
      "a",
      Array.from({ length: 48 }, (_, i) => device.publish(9000 + i)),
    );
    await trainer.settled();
    expect(codebooks).toHaveLength(2);
    expect(trainer.codebook?.book.version).toBe(2);
  });
});

describe("what the way does to messages", () => {
  it("doubled, swapped, late or lost: each sample counts once, and what never came is told", async () => {
    const it = await coded();
    const sent = it.device.several(100);
    const lost = new Set([10, 11, 50]);
    const there = sent.filter((_, i) => !lost.has(i));
    const swapped = there.flatMap((_, i) => (i % 2 === 0 ? [there[i + 1], there[i]] : [])) as Uint8Array[];
    send(
      it,
      "a",
      swapped.filter(Boolean).flatMap((one, i) => (i % 5 === 0 ? [one, one] : [one])),
    );
    it.trainer.flush();
    expect(it.trainer.metrics().devices.a).toMatchObject({ samples: 48 + 97, lost: 3, duplicates: 20 });
    send(it, "a", [sent[50] as Uint8Array]);
    expect(it.trainer.metrics().devices.a).toMatchObject({ samples: 48 + 98, lost: 2, late: 1 });
  });

  it("a device that starts anew begins at zero, and nothing of it is taken for old", async () => {
    const it = await coded();
    send(it, "a", it.device.several(20));
    it.device.restart();
    send(
      it,
      "a",
      Array.from({ length: 30 }, (_, i) => it.device.publish(5000 + i)),
    );
    expect(it.trainer.metrics().devices.a).toMatchObject({ samples: 48 + 20 + 30, duplicates: 0 });
  });

  it("damaged frames are counted, and none is answered", async () => {
    const it = await coded();
    for (const publication of it.device.several(50)) {
      const at = 4 + ((publication.length * 7) % (publication.length - 4));
      it.trainer.take("a", publication.with(at, (publication[at] as number) ^ 0x20));
    }
    const { refused, samples } = it.trainer.metrics();
    expect(refused + samples - 48).toBe(50);
    expect(refused).toBeGreaterThan(45);
    expect(it.device.nacks.filter((reason) => reason !== NackReason.codebook)).toEqual([]);
  });
});

describe("workers", () => {
  it("decode for it: the same samples, whoever decoded them; what a worker could not is decoded here", async () => {
    const it = await coded();
    const shelf = new CodebookShelf(codec);
    shelf.add(it.codebooks[0] as Uint8Array);
    const ignorant = new CodebookShelf(codec);
    const direct = await coded();
    const publications = it.device.several(40);
    send(direct, "a", publications);
    publications.forEach((payload, i) => {
      const decoded = decodePublication(codec, i % 4 === 0 ? ignorant : shelf, payload);
      it.trainer.takeDecoded(
        encodeDecoded({ device: "a", payload, ...(decoded.kind === "samples" && { decoded }) }),
      );
    });
    expect(it.trainer.metrics()).toMatchObject({ decodedByWorkers: 30, samples: 88, lost: 0 });
    for (const { trainer } of [it, direct]) learn(trainer);
    expect(it.trainer.network.state()).toEqual(direct.trainer.network.state());
  });
});

describe("joint training", () => {
  it("answers every training sample with a gradient for it, in four bits, and no held-out one", async () => {
    const { trainer, device, ...rest } = await coded({ mode: "joint" });
    device.gradients.length = 0;
    send({ trainer, ...rest }, "a", device.several(16));
    expect(device.gradients.map(({ sequence }) => sequence)).toEqual(
      Array.from({ length: 16 }, (_, i) => 48 + i).filter((sequence) => sequence % 8 !== 7),
    );
    for (const { bits, shape, values } of device.gradients) {
      expect([bits, ...shape]).toEqual([4, ...SHAPE]);
      expect(values.some((value) => value !== 0)).toBe(true);
    }
    expect(trainer.learn()).toBe(false);
    expect(trainer.metrics().bytesDown).toBeGreaterThan(14 * 72);
  });

  it("learns on the way", async () => {
    const it = await coded({ mode: "joint" });
    for (let i = 0; i < 30; i++) send(it, "a", it.device.several(16));
    expect(it.trainer.accuracy()).toBeGreaterThan(0.95);
  });
});

describe("receipts", () => {
  it("are given for everything that came, once it is on the disk: also for what came twice", async () => {
    const folder = temporaryTree();
    const it = await coded({ folder });
    await it.trainer.settled();
    it.kept.length = 0;
    const sent = it.device.several(20);
    send(it, "a", [...sent, sent[3] as Uint8Array]);
    expect(it.kept).toEqual([]);
    await it.trainer.settled();
    const receipts = sent.map((payload) => receiptOf("a", payload));
    expect(it.kept).toEqual([...receipts, receipts[3]]);
    // each is in the journal once
    const found: string[] = [];
    const journal = new Journal(join(folder, "samples.journal"), (record) => {
      const { device, payload } = decodeRecord(record);
      if (device !== "") found.push(receiptOf(device, payload));
    });
    journal.close();
    expect(found.slice(-20)).toEqual(receipts);
    expect(new Set(found).size).toBe(found.length);
  });

  it("are given for what is sent again under the name that it had, and its number is found however late it comes", async () => {
    const it = await coded();
    const from = 48;
    const [first, ...rest] = it.device.several(300) as [Uint8Array, ...Uint8Array[]];
    send(it, "a", rest);
    it.trainer.flush();
    expect(it.trainer.metrics()).toMatchObject({ samples: 48 + 299, lost: 1 });
    send(it, "a", [encodeNumbered(from, first), encodeNumbered(from + 294, rest[293] as Uint8Array)]);
    await it.trainer.settled();
    expect(it.kept.slice(-2)).toEqual([first, rest[293] as Uint8Array].map((one) => receiptOf("a", one)));
    expect(it.trainer.metrics()).toMatchObject({ samples: 48 + 300, lost: 0, late: 1, duplicates: 1 });
  });

  it("are given for nothing any more when the disk fails, and that is told", async () => {
    const failures: Error[] = [];
    const it = await coded({ folder: temporaryTree(), failed: (error) => failures.push(error) });
    await it.trainer.settled();
    it.kept.length = 0;
    it.trainer.close();
    await new Promise((resolve) => setImmediate(resolve));
    expect(() => send(it, "a", it.device.several(1))).toThrow(/EBADF/);
    await it.trainer.settled();
    expect(it.kept).toEqual([]);
    expect(failures[0]?.message).toMatch(/EBADF/);
  });
});

describe("killed at any moment", () => {
  /** Files only: the process is gone, and has said nothing. */
  const again = (folder: string) => stage({ folder });

  it("it has every sample that it took, and the codebook, without a checkpoint", async () => {
    const folder = temporaryTree();
    const it = await coded({ folder });
    send(it, "a", it.device.several(50));
    const before = it.trainer.metrics();
    const { trainer } = await again(folder);
    expect(trainer.metrics()).toMatchObject({
      samples: before.samples,
      training: before.training,
      bytesSent: before.bytesSent,
      devices: before.devices,
    });
    expect(trainer.codebook?.bytes).toEqual(it.trainer.codebook?.bytes);
    // redelivered: the broker had no acknowledgement
    const last = it.device.several(1);
    send({ trainer }, "a", [...last, ...last]);
    expect(trainer.metrics()).toMatchObject({ samples: before.samples + 1, duplicates: 1 });
  });

  it("it knows what workers decoded, with a checkpoint and without", async () => {
    const folder = temporaryTree();
    const it = await coded({ folder });
    const shelf = new CodebookShelf(codec);
    shelf.add(it.codebooks[0] as Uint8Array);
    const byWorker = (count: number): void => {
      for (const payload of it.device.several(count)) {
        const decoded = decodePublication(codec, shelf, payload);
        if (decoded.kind !== "samples") throw new Error(decoded.kind);
        it.trainer.takeDecoded(encodeDecoded({ device: "a", payload, decoded }));
      }
    };
    byWorker(20);
    it.trainer.checkpoint();
    byWorker(10);
    send(it, "a", it.device.several(5));
    const { trainer } = await again(folder);
    expect(trainer.metrics()).toMatchObject({ decodedByWorkers: 30, samples: 48 + 35 });
  });

  it("it goes on from a checkpoint as if it had never stopped, to the bit", async () => {
    const folder = temporaryTree();
    const run = async (interrupted: boolean): Promise<Uint8Array> => {
      let it: Stage = await coded(interrupted ? { folder } : {});
      const { device } = it as Awaited<ReturnType<typeof coded>>;
      send(it, "a", device.several(60));
      for (let i = 0; i < 20; i++) it.trainer.learn();
      if (interrupted) {
        it.trainer.checkpoint();
        send(it, "a", device.several(20));
        it = await again(folder);
      } else send(it, "a", device.several(20));
      for (let i = 0; i < 20; i++) it.trainer.learn();
      expect(it.trainer.metrics()).toMatchObject({ samples: 128, steps: 40 });
      return it.trainer.network.state();
    };
    expect(await run(true)).toEqual(await run(false));
  });

  it("its folder holds a journal and a checkpoint, never half a one; a journal that has grown is cut to what is learned from", async () => {
    const folder = temporaryTree();
    const it = await coded({ folder, capacity: 40 });
    for (let i = 0; i < 3; i++) send(it, "a", it.device.several(40));
    it.trainer.checkpoint();
    expect(readdirSync(folder).sort()).toEqual(["checkpoint.cbor", "samples.journal"]);
    const { trainer } = await again(folder);
    expect(trainer.codebook?.book.version).toBe(1);
    // 168 samples, of which the newest 80 records and the codebook are kept: all are counted, as the checkpoint says
    expect(trainer.metrics()).toMatchObject({ samples: 168, steps: it.trainer.network.steps });
    expect(existsSync(join(folder, "samples.journal.new"))).toBe(false);
  });

  it("a folder of another cloud half is refused by name, one of the other mode too; without the checkpoint its samples teach the new one", async () => {
    const folder = temporaryTree();
    const { trainer } = await coded({ folder });
    trainer.checkpoint();
    trainer.close();
    const refused = async (over: Parameters<typeof stage>[0]): Promise<void> => {
      const error = await stage({ folder, ...over }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(NetworkStateError);
      expect((error as Error).message).toMatch(
        /checkpoint\.cbor: .*; use another folder, or remove this file/,
      );
    };
    await refused({ layers: [{ kind: "dense", units: CLASSES }] });
    await refused({ mode: "joint" });
    rmSync(join(folder, "checkpoint.cbor"));
    const other = (await stage({ folder, layers: [{ kind: "dense", units: CLASSES }] })).trainer;
    expect(other.metrics()).toMatchObject({ samples: 48, steps: 0 });
    expect(other.learn()).toBe(true);
  });
});
