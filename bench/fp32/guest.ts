/** The FP32 reference in C on an emulated Cortex-M4 with its FPU: what a step computes, and how many instructions it takes. */
import { join } from "node:path";
import { compileProgram } from "../../host/build/compile-c.ts";
import { findProgram } from "../../host/build/firmware.ts";
import { ROOT } from "../../host/build/modules.ts";
import { BOARD, countBoot } from "../count/boot.ts";
import { CountError } from "../count/plugin.ts";
import { elements, type NetSpec } from "../net.ts";
import { encodePlan, FP32_FLAGS, FP32_SOURCE } from "./native.ts";

const FPU = ["-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"];

async function buildGuest(): Promise<string> {
  const compiler = findProgram("arm-none-eabi-gcc");
  if (compiler === undefined)
    throw new CountError("arm-none-eabi-gcc is missing: apt-get install gcc-arm-none-eabi");
  const board = join(ROOT, "boards", BOARD);
  const script = join(board, "board.ld");
  const output = join(ROOT, "dist/bench/fp32-guest/fp32.elf");
  // of the board's own files those that start it
  const sources = ["startup.c", "cpu.c", "uart.c", "libc.c", "main_fp32.c"].map((name) => join(board, name));
  await compileProgram({
    compiler,
    jobs: [FP32_SOURCE, ...sources].map((source) => ({
      source,
      flags: [...FP32_FLAGS, ...FPU, "-ffunction-sections"],
    })),
    linkFlags: [...FPU, "--specs=nano.specs", "-nostartfiles", "-Wl,--gc-sections", "-T", script, "-lm"],
    linkInputs: [script],
    objects: join(ROOT, "dist/bench/fp32-guest/objects"),
    output,
    root: ROOT,
  });
  return output;
}

export interface GuestSteps {
  /** The loss before each step, nats. */
  losses: number[];
  /** Of the last step. */
  instructions: number;
  /** Weights, activations, errors, the largest convolution's gradient and the input, in bytes; the C stack is not in it. */
  ram: number;
}

/** Steps on these samples, from the first weights of Fp32Trainer for this seed. */
export async function runGuestSteps(
  net: NetSpec,
  seed: number,
  samples: readonly (readonly [x: Float32Array, label: number])[],
  rate: number,
): Promise<GuestSteps> {
  const firmware = await buildGuest();
  const head = new DataView(new ArrayBuffer(8));
  head.setUint32(0, samples.length, true);
  head.setFloat32(4, rate, true);
  const inputs = samples.flatMap(([x, label]) => {
    if (x.length !== elements(net.input))
      throw new RangeError(`the net takes ${elements(net.input)} values, got ${x.length}`);
    return [Uint32Array.of(label), x];
  });
  const image = Buffer.concat(
    [head, encodePlan(net, seed), ...inputs].map(
      ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
    ),
  );
  const { regions, console } = await countBoot(firmware, image);
  const hex = (text: string): number => Number.parseInt(text, 16);
  const bits = [...console.matchAll(/^loss ([0-9a-f]+)$/gm)].map(([, text]) => hex(text!));
  const ram = /^ram ([0-9a-f]+)$/m.exec(console);
  if (ram === null || bits.length !== samples.length || regions.length !== 1)
    throw new CountError(`the FP32 firmware did not come to its end: ${console.trim()}`);
  const losses = [...new Float32Array(Uint32Array.from(bits).buffer)];
  return { losses, instructions: regions[0]!.instructions, ram: hex(ram[1]!) };
}
