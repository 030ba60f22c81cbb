// Parts of boards/runtime under sanitizers, against vectors and against their TypeScript counterparts.
import { createHash } from "node:crypto";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { cobsDecode, cobsEncode } from "../../host/protocol/cobs.ts";
import { crc32c } from "../../host/protocol/crc32c.ts";
import { fromHex, toHex, vectors } from "../protocol/vectors.ts";
import { requires } from "../support/requirements.ts";
import { ask, buildHarness } from "./support/harness.ts";
import { ABI, compileModule } from "./support/modules.ts";

let harness: string;
const one = async (command: string) => (await ask(harness, [command]))[0] as string;

requires("gcc").describe("boards/runtime", () => {
  beforeAll(async () => {
    harness = await buildHarness();
  });

  it("CRC-32C: the vectors, and any bytes as the host", async () => {
    const { valid } = vectors<{ valid: { bytes: string; crc: number }[] }>("crc32c");
    expect(
      await ask(
        harness,
        valid.map(({ bytes }) => `crc ${bytes}`),
      ),
    ).toEqual(valid.map(({ crc }) => String(crc)));
    const samples = fc.sample(fc.uint8Array({ maxLength: 300 }), 100);
    const answers = await ask(
      harness,
      samples.map((bytes) => `crc ${toHex(bytes)}`),
    );
    expect(answers).toEqual(samples.map((bytes) => String(crc32c(bytes))));
  });

  it("SHA-256: the examples of FIPS 180-4, and any bytes as Node's, however they are cut", async () => {
    const hex = (text: string) => toHex(new TextEncoder().encode(text));
    const two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    const four =
      "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    const examples: [times: number, text: string, digest: string][] = [
      [1, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
      [1, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
      [1, two, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
      [1, four, "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"],
      [10_000, "a".repeat(100), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"],
    ];
    expect(
      await ask(
        harness,
        examples.map(([times, text]) => `sha256 ${times} 64 ${hex(text)}`),
      ),
    ).toEqual(examples.map(([, , digest]) => digest));
    const samples = fc.sample(
      fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 200 })),
      100,
    );
    for (const length of [55, 56, 63, 64, 65, 119, 120, 127, 128]) samples.push([new Uint8Array(length), 7]);
    expect(
      await ask(
        harness,
        samples.map(([bytes, piece]) => `sha256 1 ${piece} ${toHex(bytes)}`),
      ),
    ).toEqual(samples.map(([bytes]) => createHash("sha256").update(bytes).digest("hex")));
  });

  it("COBS: the vectors in both directions, and what has no meaning", async () => {
    const { valid, invalid } = vectors<{
      valid: { raw: string; encoded: string }[];
      invalid: { encoded: string }[];
    }>("cobs");
    expect(
      await ask(
        harness,
        valid.map(({ raw }) => `encode ${raw}`),
      ),
    ).toEqual(valid.map(({ encoded }) => encoded));
    expect(
      await ask(
        harness,
        valid.map(({ encoded }) => `decode 4096 ${encoded}`),
      ),
    ).toEqual(valid.map(({ raw }) => raw));
    // a zero never reaches the decoder: it is the delimiter
    const noise = invalid.filter(({ encoded }) => !/^(..)*00/.test(encoded));
    expect(noise.length).toBeGreaterThan(0);
    expect(
      await ask(
        harness,
        noise.map(({ encoded }) => `decode 4096 ${encoded}`),
      ),
    ).toEqual(noise.map(() => "bad"));
  });

  it("COBS: any bytes as the host, encoded in place, around the length of a block", async () => {
    const byte = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 255 }), fc.constant(1));
    const samples = fc
      .sample(fc.array(byte, { maxLength: 1100, size: "max" }), 200)
      .map((list) => Uint8Array.from(list));
    for (const length of [0, 1, 253, 254, 255, 507, 508, 509, 1033])
      samples.push(new Uint8Array(length).fill(7));
    const encoded = samples.map((bytes) => toHex(cobsEncode(bytes)));
    expect(
      await ask(
        harness,
        samples.map((bytes) => `encode ${toHex(bytes)}`),
      ),
    ).toEqual(encoded);
    const decoded = await ask(
      harness,
      encoded.map((hex, i) => `decode ${(samples[i] as Uint8Array).length} ${hex}`),
    );
    expect(decoded).toEqual(samples.map(toHex));
  });

  it("COBS: noise is decoded as the host does, and never past the room", async () => {
    const samples = fc.sample(fc.uint8Array({ min: 1, minLength: 1, maxLength: 600 }), 300);
    const answers = await ask(
      harness,
      samples.map((bytes) => `decode 256 ${toHex(bytes)}`),
    );
    const expected = samples.map((bytes) => {
      const raw = cobsDecode(bytes);
      return raw === null || raw.length > 256 ? "bad" : toHex(raw);
    });
    expect(answers).toEqual(expected);
  });

  it("frames: every wire of the vectors decodes and carries its CRC", async () => {
    const { valid } = vectors<{ valid: { wire: string; type: number }[] }>("frames");
    for (const { wire, type } of valid) {
      const raw = fromHex(await one(`decode 1033 ${wire.slice(2, -2)}`));
      const crc = Number(await one(`crc ${toHex(raw.subarray(0, -4))}`));
      expect(crc).toBe(new DataView(raw.buffer, raw.byteOffset + raw.length - 4).getUint32(0, true));
      expect(raw[1]).toBe(type);
    }
  });

  it("CBOR: integers of every length come back in their shortest form", async () => {
    const numbers = [0n, 23n, 24n, 255n, 256n, 65535n, 65536n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 63n - 1n];
    const all = [...numbers, ...numbers.map((n) => -1n - n)];
    const answers = await ask(
      harness,
      all.map((n) => `integer ${n}`),
    );
    answers.forEach((answer, i) => {
      const [value, hex] = answer.split(" ") as [string, string];
      expect(BigInt(value)).toBe(all[i]);
      const size = numbers[i % numbers.length] as bigint;
      const length = size < 24n ? 1 : size < 256n ? 2 : size < 65536n ? 3 : size < 2n ** 32n ? 5 : 9;
      expect(hex.length).toBe(2 * length);
    });
  });

  it("CBOR: what is cut short, nested too deep, indefinite, tagged or too long is refused, never read past", async () => {
    const bad = [
      "",
      "18",
      "19ff",
      "5affffffff",
      "9b00000001000000ff",
      "bf",
      "9f01ff",
      "c001",
      "f97e00",
      "ff",
      "82",
      "a101",
    ];
    bad.push(`${"81".repeat(9)}01`);
    expect(
      await ask(
        harness,
        bad.map((hex) => `skip ${hex}`),
      ),
    ).toEqual(bad.map(() => "bad"));
    const good = { "00": 1, "820102": 3, a10102: 3, "43010203": 4, f4: 1, f6: 1, [`${"81".repeat(7)}01`]: 8 };
    expect(
      await ask(
        harness,
        Object.keys(good).map((hex) => `skip ${hex}`),
      ),
    ).toEqual(Object.values(good).map(String));
    const noise = fc.sample(fc.uint8Array({ maxLength: 60 }), 500);
    const answers = await ask(
      harness,
      noise.map((bytes) => `skip ${toHex(bytes)}`),
    );
    answers.forEach((answer, i) => {
      if (answer !== "bad") expect(Number(answer)).toBeLessThanOrEqual((noise[i] as Uint8Array).length);
    });
  });

  it("the pool keeps what it was given apart, aligned, within its bounds, and gives all of it back", async () => {
    const answers = await ask(
      harness,
      [1, 2, 3, 4, 5].map((seed) => `torture ${seed * 7919} 20000`),
    );
    // damaged, misaligned, whether anything was refused, bytes used at the end, peak within the pool
    for (const answer of answers) expect(answer).toBe("0 0 1 0 1");
  });

  it.each([12, 16, 24, 28, 32])(
    "linear memory with a header of %i bytes starts on a 16-byte boundary",
    async (header) => {
      const sizes = [1, 15, 16, 17, 1000, 4096, 8000];
      const answers = await ask(
        harness,
        sizes.map((bytes) => `linear 10240 ${bytes + header} ${header}`),
      );
      // inside, aligned, apart from other blocks, does not grow, sealed, whole again after a reset
      for (const answer of answers) expect(answer).toBe("1 1 1 0 1 1");
    },
  );

  it("a pool that is too small for linear memory says so", async () => {
    expect(await one("linear 4096 4090 12")).toBe("0 0 0 0 1 0");
  });

  it("requantises as the definition says, at every edge", async () => {
    const ints = [0, 1, -1, 127, -128, 2 ** 31 - 1, -(2 ** 31), 12345, -98765];
    const cases = ints.flatMap((acc) =>
      [2 ** 30, 2 ** 31 - 1, 1518500250].flatMap((m) =>
        [1, 2, 15, 16, 17, 31, 46, 62].map((s) => ({ acc, m, s })),
      ),
    );
    const answers = await ask(
      harness,
      cases.flatMap(({ acc, m, s }) => [
        `requantize ${acc} ${m} ${s} 3 -128 127 0 0 0`,
        `requantize ${acc} ${m} ${s} -7 -2147483648 2147483647 1 99 5`,
      ]),
    );
    const clamp = (q: bigint, lo: bigint, hi: bigint) => (q < lo ? lo : q > hi ? hi : q);
    const d = BigInt(drawOf(99, 5));
    const expected = cases.flatMap(({ acc, m, s }) => {
      const product = BigInt(acc) * BigInt(m);
      const shift = BigInt(s);
      const nearest = ((product + (1n << (shift - 1n))) >> shift) + 3n;
      const stochastic = ((product + (s >= 16 ? d << (shift - 16n) : d >> (16n - shift))) >> shift) - 7n;
      return [clamp(nearest, -128n, 127n), clamp(stochastic, -(2n ** 31n), 2n ** 31n - 1n)].map(String);
    });
    expect(answers).toEqual(expected);
  });

  it("draws as the definition says", async () => {
    const cases = fc.sample(fc.tuple(fc.nat(), fc.nat(), fc.nat(), fc.nat()), 200);
    const answers = await ask(
      harness,
      cases.map((numbers) => `draw ${numbers.join(" ")}`),
    );
    const expected = cases.map(([seed, step, tensor, i]) => {
      const key = fin(seed ^ fin(step ^ fin((tensor + 0x9e3779b9) | 0)));
      return String(drawOf(key, i));
    });
    expect(answers).toEqual(expected);
  });

  it("the scan of a module reads what it must and refuses what it may not", async () => {
    const scan = async (wasm: Uint8Array) => one(`scan ${toHex(wasm)}`);
    const body = "export function step(): void { if (load<i32>(8)) fail(1, 2, 3, 4); }";
    expect(await scan(await compileModule(ABI + body))).toBe("ok 1 65536 0 1");
    const data = `${ABI}${body} export function text(): usize { return changetype<usize>("hello"); }`;
    expect(await scan(await compileModule(data))).toMatch(/^ok 1 65536 82\d\d 1$/);
    const grows = await compileModule(ABI + body, ["--initialMemory", "1"]);
    expect(await scan(grows)).toBe("52 ");
    const foreign = `${ABI}@external("env", "evil") declare function evil(): void; export function step(): void { evil(); }`;
    expect(await scan(await compileModule(foreign))).toBe("40 env.evil");
    expect(await scan(fromHex("0061736d02000000"))).toBe("41 ");
    expect(await scan(fromHex("0061736d010000000801000504010101"))).toBe("55 ");
  });

  it("a module that is cut or changed anywhere is never read past its end", async () => {
    const wasm = await compileModule(`${ABI}export function step(): void { fail(1, 2, 3, 4); }`);
    const cut = Array.from(wasm, (_, length) => wasm.subarray(0, length));
    const changed = fc.sample(fc.tuple(fc.nat(wasm.length - 1), fc.nat(255)), 300).map(([at, byte]) => {
      const copy = wasm.slice();
      copy[at] = byte;
      return copy;
    });
    const answers = await ask(
      harness,
      [...cut, ...changed].map((bytes) => `scan ${toHex(bytes)}`),
    );
    expect(answers).toHaveLength(wasm.length + 300);
    expect(answers[4]).toBe("41 ");
  });
});

function fin(x: number): number {
  let v = x >>> 0;
  v ^= v >>> 16;
  v = Math.imul(v, 0x7feb352d) >>> 0;
  v ^= v >>> 15;
  v = Math.imul(v, 0x846ca68b) >>> 0;
  return (v ^ (v >>> 16)) >>> 0;
}

function drawOf(key: number, index: number): number {
  return fin((key + Math.imul(index, 0x9e3779b1)) | 0) >>> 16;
}
