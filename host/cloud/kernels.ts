// cloud.wasm (assembly/cloud) with a memory of its own, and room in it.

import { instantiate } from "@assemblyscript/loader";

/** Exports of cloud.wasm; pointers are byte offsets, lengths are elements. */
export interface CloudKernels {
  gemm(
    m: number,
    n: number,
    k: number,
    a: number,
    aRow: number,
    aDepth: number,
    b: number,
    c: number,
    accumulate: number,
  ): void;
  transpose(rows: number, columns: number, x: number, y: number): void;
  gather(...shapeThenXY: number[]): void;
  scatter(...shapeThenXY: number[]): void;
  addBias(rows: number, n: number, bias: number, y: number, rectify: number): void;
  sumRows(rows: number, n: number, e: number, out: number): void;
  rectifyGrad(elements: number, y: number, e: number): void;
  maxPool(count: number, h: number, w: number, c: number, x: number, y: number): void;
  maxPoolGrad(...shapeThenPointers: number[]): void;
  adam(
    n: number,
    w: number,
    g: number,
    m: number,
    v: number,
    rate: number,
    beta1: number,
    beta2: number,
    epsilon: number,
  ): void;
}

/** The kernels, and the memory that they work in. */
export interface Workspace {
  kernels: CloudKernels;
  memory: ArrayBuffer;
  /** All of it, as floats. */
  floats: Float32Array;
}

const PAGE = 65_536;
/** SIMD loads and stores like it; the kernels ask for it. */
const ALIGNMENT = 16;

/** Sizes up what is needed first, then gives it addresses: memory never grows under a view. */
export class Room {
  #next = ALIGNMENT;

  /** Byte offset of `elements` floats. */
  floats(elements: number): number {
    const at = this.#next;
    this.#next += (elements * 4 + ALIGNMENT - 1) & -ALIGNMENT;
    return at;
  }

  get bytes(): number {
    return this.#next;
  }
}

export async function loadKernels(wasm: BufferSource, room: Room): Promise<Workspace> {
  const pages = Math.ceil(room.bytes / PAGE);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const { exports } = await instantiate(wasm as Uint8Array, { env: { memory } });
  const { buffer } = memory;
  return { kernels: exports as unknown as CloudKernels, memory: buffer, floats: new Float32Array(buffer) };
}
