/**
 * A module in the posix firmware without a link (boards/posix/main_train.c): wasm3 and the intrinsics in C, to the same bits as in
 * Node, and about twice as fast where the work lies in intrinsics.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildFirmware } from "../../host/build/firmware.ts";
import { ROOT } from "../../host/build/modules.ts";
import { encodeParts } from "../../host/data/sample-file.ts";
import { encodeParams } from "../../host/protocol/params.ts";
import { openPipe, type Pipe } from "../pipe.ts";
import type { BenchData } from "./budget.ts";

/** Memory for module and engine besides the module's pages. */
const ENGINE_KIB = 1024;

export interface PosixOptions {
  wasm: string;
  /** Pages of 64 KiB that the module has. */
  pages: number;
  seed: number;
  params: Readonly<Record<string, number>>;
  data: BenchData;
  /** Where the sample file is written. */
  folder: string;
}

export class PosixHost {
  readonly #pipe: Pipe;

  private constructor(pipe: Pipe) {
    this.#pipe = pipe;
  }

  /** Samples are the training images, then the test images, which are held out. */
  static async open({ wasm, pages, seed, params, data, folder }: PosixOptions): Promise<PosixHost> {
    const main = join(ROOT, "boards/posix/main_train.c");
    // never with sanitizers: what it takes is measured
    const firmware = await buildFirmware("posix", { main, sanitize: false });
    const samples = join(folder, "samples.bin");
    await writeFile(samples, encodeParts(data, data.channels));
    const given = encodeParams(params).map(([hash, value]) => `${hash}=${value}`);
    const pool = 64 * pages + ENGINE_KIB;
    return new PosixHost(openPipe(firmware.path, [wasm, samples, `${seed}`, `${pool}`, ...given]));
  }

  /** A step on each sample; the records that they published, and seconds of the CPU. */
  async step(samples: readonly number[]): Promise<{ records: Uint8Array[]; seconds: number }> {
    this.#pipe.write(Uint32Array.of(samples.length, ...samples));
    const records: Uint8Array[] = [];
    for (let i = 0; i < samples.length; i++) records.push(await this.#record());
    return { records, seconds: (await this.#pipe.read(4)).getUint32(0, true) / 1e6 };
  }

  /** The learned state. */
  async state(): Promise<Uint8Array> {
    this.#pipe.write(Uint32Array.of(0));
    return this.#record();
  }

  close(): void {
    this.#pipe.close();
  }

  async #record(): Promise<Uint8Array> {
    const length = (await this.#pipe.read(4)).getUint32(0, true);
    const { buffer, byteOffset } = await this.#pipe.read(length);
    return new Uint8Array(buffer, byteOffset, length).slice();
  }
}
