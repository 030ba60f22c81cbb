// What is held for a trainer: until it says that it has it, whatever the broker says and does meanwhile.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Delivery } from "../../host/bridge/mqtt/types.ts";
import { Outbox } from "../../host/bridge/outbox.ts";
import { MessageError } from "../../host/protocol/message-error.ts";
import { decodeNumbered, encodeNumbered, FrameNumbers } from "../../host/protocol/numbered.ts";
import { decodeReceipts, encodeReceipts, RECEIPTS, receiptOf } from "../../host/protocol/receipts.ts";

/** Sample n, in a full frame the first time and in a short one after it. */
const payload = (n: number): Uint8Array =>
  Uint8Array.of(0xc1, 1, 0, 0, ...(n === 1 ? [0xa1, 0, 1, 0, 0, 0, 1] : [0xb1, 1, n & 255, n >> 8]));
const numberIn = (bytes: Uint8Array): number =>
  bytes[4] === 0xa1 ? 1 : (bytes[6] as number) + 256 * (bytes[7] as number);
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** An outbox, a clock, and a broker that answers as it is told. */
function stage(answer: () => Delivery | Error = () => ({ heard: true })) {
  const sent: number[] = [];
  const lost: string[] = [];
  const told: (number | undefined)[] = [];
  const it = { answer, now: 0, sent, told, lost };
  const outbox = new Outbox({
    send: async (_topic, published) => {
      const { payload: bytes, number } = decodeNumbered(published);
      sent.push(numberIn(bytes));
      told.push(number);
      const said = it.answer();
      if (said instanceof Error) throw said;
      return said;
    },
    lost: (device) => lost.push(device),
    now: () => it.now,
  });
  const put = (n: number, device = "a") => outbox.put(device, `octomote/${device}/features`, payload(n));
  const kept = (...numbers: number[]) => outbox.kept(numbers.map((n) => receiptOf("a", payload(n))));
  /** Time passes, as the bridge looks at it. */
  const pass = async (ms: number) => {
    for (const end = it.now + ms; it.now < end; it.now += 250) {
      outbox.tick();
      await settle();
    }
  };
  return {
    ...it,
    outbox,
    put,
    kept,
    pass,
    set: (next: typeof answer) => Object.assign(it, { answer: next }),
  };
}

describe("without a trainer", () => {
  it("the broker's word is enough, if somebody was there to hear it", async () => {
    const { outbox, put, pass, sent } = stage();
    put(1);
    await settle();
    expect(outbox.held).toBe(0);
    await pass(120_000);
    expect(sent).toEqual([1]);
  });

  it("what nobody heard waits for one, and is not sent again and again", async () => {
    const { outbox, put, pass, sent, set, kept } = stage(() => ({ heard: false }));
    for (const n of [1, 2, 3]) put(n);
    await pass(60_000);
    expect(sent).toEqual([1, 2, 3]);
    set(() => ({ heard: true }));
    outbox.trainer(true);
    await pass(250);
    expect(sent).toEqual([1, 2, 3, 1, 2, 3]);
    kept(1, 2, 3);
    expect(outbox.held).toBe(0);
  });
});

describe("with a trainer", () => {
  it("a publication is held until its receipt, and sent again at growing intervals", async () => {
    const { outbox, put, pass, sent, kept } = stage();
    outbox.trainer(true);
    put(1);
    put(2);
    await settle();
    kept(2);
    await pass(36_000);
    expect(sent).toEqual([1, 2, 1, 1, 1]);
    kept(1);
    await pass(120_000);
    expect(sent).toHaveLength(5);
    expect(outbox.held).toBe(0);
  });

  it("that is away, nothing is sent again: the broker has it; when it is back what it lacks is", async () => {
    const { outbox, put, pass, sent, told, kept } = stage();
    outbox.trainer(true);
    outbox.trainer(false);
    for (const n of [1, 2, 3]) put(n);
    await pass(3_600_000);
    expect(sent).toEqual([1, 2, 3]);
    outbox.trainer(true);
    kept(1, 3);
    await pass(6000);
    expect(sent).toEqual([1, 2, 3, 2]);
    expect(told).toEqual([undefined, undefined, undefined, 2]);
  });

  it("what no worker was there for is tried again soon", async () => {
    const { outbox, put, pass, sent, set } = stage(() => ({ heard: false }));
    outbox.trainer(true);
    put(1);
    await pass(2000);
    expect(sent.length).toBeGreaterThan(2);
    set(() => ({ heard: true }));
    await pass(1000);
    const { length } = sent;
    await pass(4000);
    expect(sent).toHaveLength(length);
  });

  it("what a broker that is gone was given waits for the next one", async () => {
    const { outbox, put, pass, sent, set, kept } = stage(() => new Error("gone"));
    put(1);
    await pass(60_000);
    expect(sent).toEqual([1]);
    set(() => ({ heard: true }));
    outbox.hurry();
    await settle();
    expect(sent).toEqual([1, 1]);
    kept(1);
  });

  it("what a device says twice goes out twice, and one receipt is enough", async () => {
    const { outbox, put, pass, sent, kept } = stage();
    outbox.trainer(true);
    put(1);
    put(1);
    await settle();
    expect(sent).toEqual([1, 1]);
    kept(1);
    await pass(20_000);
    expect(sent).toHaveLength(2);
    expect(outbox.held).toBe(0);
  });

  it("what is sent again says which one it is", async () => {
    const { outbox, put, pass, sent, told } = stage();
    outbox.trainer(true);
    for (const n of [1, 2]) put(n);
    await settle();
    for (let n = 3; n < 10; n++) put(n);
    await pass(6000);
    expect(sent.slice(9)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(told).toEqual([...Array(9).fill(undefined), 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("what is far ahead of the receipts says which one it is the first time too, however many there are", async () => {
    const { outbox, put, kept, told, sent } = stage();
    outbox.trainer(true);
    for (let n = 1; n <= 1000; n++) {
      put(n);
      await settle();
    }
    expect(sent).toHaveLength(1000);
    expect(told).toEqual(sent.map((n) => (n > 64 ? n : undefined)));
    kept(...Array.from({ length: 990 }, (_, i) => i + 1));
    put(1001);
    await settle();
    expect(told.at(-1)).toBe(undefined);
  });

  it("of a device that sends more than is held the oldest gives way, told only if nobody can have it", async () => {
    const { outbox, put, lost, set } = stage();
    outbox.trainer(true);
    for (let n = 0; n < 2100; n++) {
      put(n);
      if (n % 20 === 0) await settle();
    }
    await settle();
    expect(outbox.held).toBe(2000);
    expect(lost).toEqual([]);
    set(() => new Error("gone"));
    for (let n = 2100; n < 4200; n++) put(n);
    put(1, "b");
    await settle();
    expect(outbox.held).toBe(2001);
    expect(lost.length).toBe(100);
    outbox.forget("a");
    expect(outbox.held).toBe(1);
  });
});

it("whatever gets lost on the way, in whatever order receipts come: all of it arrives", async () => {
  await fc.assert(
    fc.asyncProperty(fc.infiniteStream(fc.nat(5)), fc.integer({ min: 1, max: 80 }), async (luck, count) => {
      const next = () => luck.next().value as number;
      const arrived = new Set<number>();
      const { outbox, put, kept, pass, sent } = stage(() =>
        next() === 0 ? new Error("gone") : { heard: next() !== 1 },
      );
      outbox.trainer(true);
      for (let n = 0; n < count; n++) put(n);
      for (let round = 0; outbox.held > 0 && round < 200; round++) {
        const from = sent.length;
        outbox.hurry();
        await pass(6000);
        for (const n of sent.slice(from)) {
          if (next() < 2) continue;
          arrived.add(n);
          if (next() > 1) kept(n);
        }
      }
      expect(arrived.size).toBe(count);
      expect(outbox.held).toBe(0);
    }),
    { numRuns: 30 },
  );
});

describe("receipts", () => {
  it("name a publication and its device, and come back", () => {
    const receipts = ["a", "b"].flatMap((id) =>
      [payload(1), payload(2)].map((bytes) => receiptOf(id, bytes)),
    );
    expect(new Set(receipts).size).toBe(4);
    expect(decodeReceipts(encodeReceipts(receipts))).toEqual(receipts);
    expect(() => encodeReceipts([])).toThrow(RangeError);
  });

  it("any other bytes are refused, or receipts of nothing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        if (bytes.length > 0 && bytes.length % 8 === 0)
          expect(encodeReceipts(decodeReceipts(bytes))).toEqual(bytes);
        else expect(() => decodeReceipts(bytes)).toThrow(MessageError);
      }),
    );
    expect(() => decodeReceipts(new Uint8Array(8 * RECEIPTS + 8))).toThrow(/receipts: .* bytes/);
  });
});

describe("numbers", () => {
  it("come back, in front of any payload", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.uint8Array({ minLength: 1, maxLength: 20 }), (number, bytes) => {
        expect(decodeNumbered(encodeNumbered(number, bytes))).toEqual({ number, payload: bytes });
      }),
    );
  });

  it("of full frames are read, those of short ones follow from them, whatever else comes by", () => {
    fc.assert(
      fc.property(
        fc.nat(2 ** 30),
        fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 50 }),
        fc.uint8Array({ maxLength: 12 }),
        (first, steps, noise) => {
          const numbers = new FrameNumbers();
          const labels = [0xc1, 2, 5, 0, 6, 1];
          expect(numbers.see(Uint8Array.of(...labels, 0xb1, 1, 7))).toEqual({ short: true });
          const varint: number[] = [];
          let rest = first;
          for (; rest > 127; rest = Math.floor(rest / 128)) varint.push((rest & 127) | 128);
          varint.push(rest);
          const full = Uint8Array.of(...labels, 0xa1, 128, 1, 0, 1, 0, ...varint);
          expect(numbers.see(full)).toEqual({ number: first, short: false });
          expect(numbers.see(full.subarray(0, -1))).toEqual({ short: false });
          if (noise[0] !== 0xc1) expect(numbers.see(noise)).toEqual({ short: false });
          let number = first;
          for (const step of steps) {
            number += step;
            expect(numbers.see(Uint8Array.of(...labels, 0xb1, 1, number & 255))).toEqual({
              number,
              short: true,
            });
          }
        },
      ),
    );
  });

  it("are not made of frames that end early, nor of noise: nothing is thrown", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 30 }), (bytes) => {
        const { number } = new FrameNumbers().see(Uint8Array.of(0xc1, ...bytes));
        expect(number === undefined || (number >= 0 && number < 2 ** 32)).toBe(true);
      }),
    );
  });
});
