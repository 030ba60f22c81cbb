/** The FP32 reference in C (boards/runtime/fp32), as a process of this machine: the same step as trainer.ts, several times faster. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compileProgram } from "../../host/build/compile-c.ts";
import { ROOT } from "../../host/build/modules.ts";
import { findCompiler } from "../../host/build/toolchain.ts";
import type { Images } from "../../host/data/dataset.ts";
import { elements, type LayerPlan, type NetSpec, planNet, windowOf } from "../net.ts";
import { openPipe, type Pipe } from "../pipe.ts";
import { Fp32Trainer } from "./trainer.ts";

const RUNTIME = join(ROOT, "boards/runtime");
export const FP32_SOURCE = join(RUNTIME, "fp32/fp32.c");

/** Sums may be taken in any order, as vector units take them. */
export const FP32_FLAGS = [
  ...["-std=c11", "-Wall", "-Wextra", "-Werror", "-O3"],
  `-I${RUNTIME}`,
  ...["-fno-math-errno", "-fassociative-math", "-fno-signed-zeros", "-fno-trapping-math"],
];

/** What the C trainer is given: the plan and first weights, those of Fp32Trainer for this seed. */
export function encodePlan(net: NetSpec, seed: number): Uint8Array<ArrayBuffer> {
  const plans = planNet(net);
  const words = [plans.length, ...plans.flatMap(wordsOf)];
  const parts: Uint8Array[] = [new Uint8Array(Uint32Array.from(words).buffer)];
  for (const { weights, bias } of new Fp32Trainer(net, seed).layers) {
    for (const values of [weights, bias])
      parts.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  }
  return new Uint8Array(Buffer.concat(parts));
}

const KINDS = ["conv2d", "relu", "maxPool", "residual"];

function wordsOf({ spec, input, output, name }: LayerPlan): number[] {
  if (spec.kind === "dense") return [0, 1, 1, elements(input), 1, 1, spec.units, 1, 1, 0, 0, 0];
  const kind = KINDS.indexOf(spec.kind);
  if (kind < 0) throw new RangeError(`${name}: the C reference has no such layer`);
  const size = spec.kind === "conv2d" ? spec.kernel : spec.kind === "maxPool" ? spec.size : 1;
  const stride =
    spec.kind === "conv2d" ? (spec.stride ?? 1) : spec.kind === "maxPool" ? (spec.stride ?? size) : 1;
  const padding = spec.kind === "conv2d" ? (spec.padding ?? "valid") : "valid";
  const before = [input[0], input[1]].map((n) => windowOf(n, size, stride, padding).before);
  const from = spec.kind === "residual" ? spec.from : 0;
  return [kind, ...input, ...output, size, stride, ...before, from];
}

async function buildNative(): Promise<string> {
  const compiler = findCompiler();
  if (compiler === undefined)
    throw new Error("the FP32 reference in C needs a C compiler: apt-get install gcc libc6-dev");
  const flags = [...FP32_FLAGS, "-march=native"];
  const output = join(ROOT, "dist/bench/fp32/fp32");
  await compileProgram({
    compiler,
    jobs: [FP32_SOURCE, join(ROOT, "boards/posix/main_fp32.c")].map((source) => ({ source, flags })),
    linkFlags: ["-lm"],
    objects: join(ROOT, "dist/bench/fp32/objects"),
    output,
    root: ROOT,
  });
  return output;
}

export class NativeFp32 {
  readonly #pipe: Pipe;

  private constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** @param parts images by number, one part after the other; files are written to `folder` */
  static async open(
    net: NetSpec,
    seed: number,
    parts: readonly Images[],
    folder: string,
  ): Promise<NativeFp32> {
    const program = await buildNative();
    const size = elements(net.input);
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    const images = new Uint8Array(8 + count * (size + 1));
    images.set(new Uint8Array(Uint32Array.of(count, size).buffer));
    let at = 8;
    for (const { pixels, labels, count } of parts) {
      for (let i = 0; i < count; i++, at += size + 1) {
        images[at] = labels[i]!;
        images.set(pixels.subarray(i * size, (i + 1) * size), at + 1);
      }
    }
    const files = [join(folder, "fp32.plan"), join(folder, "fp32.images")] as const;
    await writeFile(files[0], encodePlan(net, seed));
    await writeFile(files[1], images);
    return new NativeFp32(openPipe(program, files));
  }

  /** Steps on these images, each with its rate; the last one's loss, and seconds of the CPU. */
  async learn(
    steps: readonly (readonly [image: number, rate: number])[],
  ): Promise<{ loss: number; seconds: number }> {
    const words = new DataView(new ArrayBuffer(8 + 8 * steps.length));
    words.setUint32(0, 1, true);
    words.setUint32(4, steps.length, true);
    steps.forEach(([image, rate], i) => {
      words.setUint32(8 + 8 * i, image, true);
      words.setFloat32(12 + 8 * i, rate, true);
    });
    this.#pipe.write(new Uint8Array(words.buffer));
    const answer = await this.#pipe.read(8);
    return { loss: answer.getFloat32(0, true), seconds: answer.getUint32(4, true) / 1e6 };
  }

  /** How many of these images are told right. */
  async right(first: number, count: number): Promise<number> {
    this.#pipe.write(Uint32Array.of(2, first, count));
    return (await this.#pipe.read(8)).getUint32(0, true);
  }

  close(): void {
    this.#pipe.close();
  }
}
