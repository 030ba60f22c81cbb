import { describe, expect, test } from "vitest";
import {
  type EmulatedBoard,
  emulatorArgs,
  encodeBootImage,
  readEmulatedBoard,
} from "../../host/devices/boot-image.ts";

describe("boot image", () => {
  const module = Uint8Array.of(1, 2, 3, 4, 5);
  const samples = Uint8Array.of(6, 7, 8);

  test("has the fields of docs/protocol.md, and its parts where they say", () => {
    const image = encodeBootImage({ id: "kitchen", module, samples });
    const view = new DataView(image.buffer);
    expect(new TextDecoder().decode(image.subarray(0, 4))).toBe("OMBB");
    expect(view.getUint32(4, true)).toBe(1);
    expect(new TextDecoder().decode(image.subarray(8, 40))).toBe(`kitchen${"\0".repeat(25)}`);
    const [moduleAt, moduleBytes, samplesAt, samplesBytes, flags, seed] = [40, 44, 48, 52, 56, 60].map((at) =>
      view.getUint32(at, true),
    ) as [number, number, number, number, number, number];
    expect([moduleAt, moduleBytes, samplesBytes, flags, seed]).toEqual([64, 5, 3, 0, 0]);
    expect(image.subarray(moduleAt, moduleAt + moduleBytes)).toEqual(module);
    expect(image.subarray(samplesAt, samplesAt + samplesBytes)).toEqual(samples);
    expect(samplesAt % 16).toBe(0);
  });

  test("can start by itself", () => {
    const view = new DataView(
      encodeBootImage({ id: "a", module, samples, autostart: { seed: 0xfffffff0 } }).buffer,
    );
    expect([view.getUint32(56, true), view.getUint32(60, true)]).toEqual([1, 0xfffffff0]);
  });

  test("an id that does not fit is refused", () => {
    expect(() => encodeBootImage({ id: "x".repeat(32), module, samples })).toThrow(/at most 31 bytes/);
  });
});

describe("the emulator's arguments", () => {
  const values = { serial: "tcp:127.0.0.1:7", firmware: "/a,b/firmware.elf", boot: "/a,b/boot.bin" };

  test("of mps2-an386 open no console", async () => {
    const args = emulatorArgs(await readEmulatedBoard("mps2-an386"), values);
    expect(args.join(" ")).toContain("-monitor none -display none -serial tcp:127.0.0.1:7");
    expect(args).not.toContain("-nographic");
    expect(args).toContain("/a,b/firmware.elf");
    expect(args.at(-1)).toMatch(/^loader,file=\/a,,b\/boot\.bin,addr=0x21000000/);
  });

  test("with a placeholder that nobody knows are an error", () => {
    const board: EmulatedBoard = {
      emulator: { program: "q", args: ["{what}"] },
      memory: { external: { bytes: 1 } },
    };
    expect(() => emulatorArgs(board, values)).toThrow(/unknown placeholder \{what\}/);
  });
});
