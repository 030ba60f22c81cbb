// The app `split`: it asks for a codebook, sends features with it and without, and learns from gradients when it is told to.
import { beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildModules } from "../../host/build/modules.ts";
import type { Samples } from "../../host/data/sample-file.ts";
import { decodeLabelled } from "../../host/protocol/labelled.ts";
import { encodeParts } from "../../host/protocol/parts.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { type DecodedFrame, FrameType, NackReason, type OpenCodebook } from "../../host/sgq/types.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import {
  PartKind,
  SPLIT_MODEL,
  SPLIT_SHAPE,
  type SplitHost,
  splitCodebook,
  splitHost,
} from "../support/split-host.ts";
import { glyphs } from "./support.ts";

const ELEMENTS = 14 * 14 * 16;
/** A device without a codebook asks again after so many samples. */
const ASK_EVERY = 32;
const PATIENCE = 500n;

let module: string;
let samples: Samples;
let codec: SgqCodec;
let book: OpenCodebook;

beforeAll(async () => {
  const built = await buildModules();
  module = (built.find(({ app, target }) => app === "split" && target === "portable") as BuiltModule).path;
  samples = await glyphs(60);
  codec = await loadCodec();
  book = await splitCodebook(codec, module, samples);
});

const open = (params: Record<string, number> = {}) =>
  splitHost(module, samples, { seed: 5, params: { every: 0, ...params } });

function steps(device: SplitHost, count: number): void {
  for (let i = 0; i < count; i++) device.host.step();
}

const decode = (bytes: Uint8Array, known: OpenCodebook | undefined = book): DecodedFrame =>
  codec.decode(decodeLabelled(bytes).frame, { find: () => known });

const gradientFor = (sequence: number, values: Int32Array, bits: 4 | 8 = 4): Uint8Array =>
  codec.encodeGradient(
    { model: SPLIT_MODEL, codebook: 1, sequence },
    { shape: SPLIT_SHAPE, values, exponent: -20, group: 4, bits, key: 3 },
  );

const GRADIENT = Int32Array.from({ length: ELEMENTS }, (_, i) => ((i * 37) % 201) - 100);

describe("without a codebook", () => {
  it("it asks at once, and again after 32 samples", async () => {
    const device = await open();
    steps(device, ASK_EVERY + 1);
    const asked = device.published.flatMap((bytes, i) => (bytes[0] === 0xa1 ? [i] : []));
    expect(asked).toEqual([0, ASK_EVERY + 1]);
    for (const i of asked)
      expect(codec.decodeNack(device.published[i] as Uint8Array)).toMatchObject({
        model: SPLIT_MODEL,
        reason: NackReason.codebook,
      });
  });

  it("it sends self-contained frames with labels and sequence numbers", async () => {
    const device = await open();
    steps(device, 20);
    device.published.slice(1).forEach((bytes, i) => {
      const { labels } = decodeLabelled(bytes);
      const { label, heldOut } = samples.at(i);
      expect(labels).toEqual([{ label, heldOut }]);
      const frame = codec.decode(decodeLabelled(bytes).frame, { find: () => undefined });
      expect(frame.header).toMatchObject({ selfContained: true, sequence: i });
      expect(frame.samples[0]?.shape).toEqual(SPLIT_SHAPE);
    });
  });
});

describe("a codebook", () => {
  it("is acknowledged, and used: frames decode to what it says of the features", async () => {
    const device = await open();
    steps(device, 1);
    const before = decode(device.published[1] as Uint8Array).samples[0]?.features as Int8Array;
    device.give(PartKind.codebook, book.bytes);
    expect(codec.header(device.published.at(-1) as Uint8Array)).toMatchObject({
      type: FrameType.ack,
      codebook: 1,
    });
    // the same sample again
    steps(device, samples.count);
    const frame = decode(device.published.at(-1) as Uint8Array);
    expect(frame.header).toMatchObject({ short: true, selfContained: false });
    const { features } = frame.samples[0] as DecodedFrame["samples"][0];
    // the self-contained frame has a threshold at 8 too: both say the same of it
    expect([...features].map((x, i) => x > (book.book.values[2 * (i % 16)] as number))).toEqual(
      [...before].map((x) => x > 8),
    );
  });

  it("takes the place of an older one, whatever is sent in between", async () => {
    const device = await open();
    const second = await splitCodebook(codec, module, samples, 2, 24);
    device.give(PartKind.codebook, book.bytes);
    steps(device, 1);
    device.give(PartKind.codebook, second.bytes);
    steps(device, 1);
    const versions = device.published
      .filter((bytes) => bytes[0] !== 0xa1)
      .map((bytes) => codec.header(decodeLabelled(bytes).frame).codebook);
    expect(versions).toEqual([1, 2]);
  });

  it("of which a part of the one in use is called the last is refused", async () => {
    const device = await open();
    device.give(PartKind.codebook, book.bytes);
    const first = [...encodeParts(PartKind.codebook, book.bytes)][0] as Uint8Array;
    first[1] = 1;
    device.host.message(first);
    expect(codec.decodeNack(device.published.at(-1) as Uint8Array).reason).toBe(NackReason.refused);
    steps(device, 1);
    expect(codec.header(decodeLabelled(device.published.at(-1) as Uint8Array).frame).selfContained).toBe(
      true,
    );
  });

  it.each<[string, (bytes: Uint8Array) => void]>([
    ["with a changed byte", (bytes) => (bytes[40]! ^= 1)],
    ["of another model", (bytes) => (bytes[2]! ^= 1)],
    ["of another shape", (bytes) => (bytes[12]! ^= 1)],
    ["that is longer than it says", (bytes) => (bytes[8]! ^= 4)],
  ])("%s is refused, and the app goes on without", async (_, spoil) => {
    const device = await open();
    const bytes = book.bytes.slice();
    spoil(bytes);
    device.give(PartKind.codebook, bytes);
    expect(codec.decodeNack(device.published.at(-1) as Uint8Array).reason).toBe(NackReason.refused);
    steps(device, 1);
    expect(codec.header(decodeLabelled(device.published.at(-1) as Uint8Array).frame).selfContained).toBe(
      true,
    );
  });

  it("that is larger than there is room for is refused", async () => {
    const device = await open({ book: 512 });
    device.give(PartKind.codebook, book.bytes);
    expect(codec.decodeNack(device.published.at(-1) as Uint8Array).reason).toBe(NackReason.refused);
  });

  it("whose part got lost is not used, and the whole that follows is", async () => {
    const device = await open();
    const [first, , ...rest] = [...encodeParts(PartKind.codebook, book.bytes)];
    for (const part of [first, ...rest]) device.host.message(part as Uint8Array);
    expect(device.published).toEqual([]);
    device.give(PartKind.codebook, book.bytes);
    expect(codec.header(device.published.at(-1) as Uint8Array).type).toBe(FrameType.ack);
  });

  it("that the host does not know is out of use until it sends one", async () => {
    const device = await open();
    device.give(PartKind.codebook, book.bytes);
    const nack = { model: SPLIT_MODEL, codebook: 1, sequence: 0, detail: 0 };
    const last = () =>
      codec.header(decodeLabelled(device.published.at(-1) as Uint8Array).frame).selfContained;
    device.give(PartKind.frame, codec.encodeNack({ ...nack, reason: NackReason.reference }));
    steps(device, 1);
    expect(last()).toBe(false);
    device.give(PartKind.frame, codec.encodeNack({ ...nack, reason: NackReason.codebook }));
    steps(device, 1);
    expect(last()).toBe(true);
    device.give(PartKind.codebook, book.bytes);
    steps(device, 1);
    expect(last()).toBe(false);
  });
});

describe("a device half", () => {
  it("replaces what the layers have learned", async () => {
    const [device, other] = [
      await open(),
      await splitHost(module, samples, { seed: 77, params: { every: 0 } }),
    ];
    steps(device, 1);
    device.give(PartKind.half, other.host.state());
    expect(device.host.state()).toEqual(other.host.state());
    steps(device, 1);
    steps(other, 2);
    const features = (one: SplitHost) => decode(one.published.at(-1) as Uint8Array).samples[0]?.features;
    expect(features(device)).toEqual(features(other));
  });

  it("that is too long changes nothing", async () => {
    const device = await open();
    const before = device.host.state();
    device.give(PartKind.half, new Uint8Array(before.length + 600));
    expect(device.host.state().subarray(1008)).toEqual(before.subarray(1008));
  });
});

describe("gradients", () => {
  it("move the layers of a device that learns, and of no other", async () => {
    for (const joint of [0, 1]) {
      const device = await open({ joint });
      device.give(PartKind.codebook, book.bytes);
      steps(device, 1);
      const before = device.host.state();
      device.give(PartKind.frame, gradientFor(0, GRADIENT));
      expect(Buffer.compare(before, device.host.state()) !== 0).toBe(joint === 1);
    }
  });

  it("are waited for, but no longer than it has patience; one that comes too late moves nothing", async () => {
    const device = await open({ joint: 1 });
    device.give(PartKind.codebook, book.bytes);
    const sent = () => device.published.filter((bytes) => bytes[0] !== 0xa1).length;
    steps(device, 3);
    expect(sent()).toBe(1);
    device.give(PartKind.frame, gradientFor(0, GRADIENT));
    steps(device, 3);
    expect(sent()).toBe(2);
    device.now += PATIENCE;
    steps(device, 1);
    expect(sent()).toBe(3);
    const before = device.host.state();
    device.give(PartKind.frame, gradientFor(1, GRADIENT));
    expect(device.host.state()).toEqual(before);
  });

  it("for other samples, damaged, of another shape or of 8 bits are ignored", async () => {
    const device = await open({ joint: 1 });
    device.give(PartKind.codebook, book.bytes);
    steps(device, 1);
    const before = device.host.state();
    const good = gradientFor(0, GRADIENT);
    const other = codec.encodeGradient(
      { model: SPLIT_MODEL, codebook: 1, sequence: 0 },
      {
        shape: [14, 14, 8],
        values: GRADIENT.subarray(0, ELEMENTS / 2),
        exponent: -20,
        group: 4,
        bits: 4,
        key: 3,
      },
    );
    for (const frame of [
      gradientFor(1, GRADIENT),
      gradientFor(0, GRADIENT, 8),
      good.with(60, (good[60] as number) ^ 1),
      other,
    ])
      device.give(PartKind.frame, frame);
    expect(device.host.state()).toEqual(before);
    device.give(PartKind.frame, good);
    expect(device.host.state()).not.toEqual(before);
  });
});

describe("pace", () => {
  it("one sample every so many milliseconds", async () => {
    const device = await open({ every: 100 });
    const sent = () => device.published.filter((bytes) => bytes[0] !== 0xa1).length;
    steps(device, 5);
    expect(sent()).toBe(1);
    device.now += 100n;
    steps(device, 5);
    expect(sent()).toBe(2);
  });
});
