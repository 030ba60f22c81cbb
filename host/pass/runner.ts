// PASS in Node: the module that a device would run, with any network, fed frame by frame.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildIntrinsics, buildModules, ROOT, type Target } from "../build/modules.ts";
import { ModuleHost } from "../module/module-host.ts";
import { COUNTERS, type Field, OPTIONS, PLAN, POLICIES, type Policy } from "./layout.ts";
import { encodeNet, type Net } from "./net.ts";

/** What `PassOptions` of assembly/pass takes; what is left out has the device's default. */
export interface PassOptions {
  policy?: Policy;
  /** Side of a patch in pixels. */
  patch?: 4 | 8 | 16;
  /** Share of skips that may turn out harmful, 0 … 1. */
  quality?: number;
  /** Frames after which every patch has been refreshed; 1 … 255. */
  refresh?: number;
  /** τ under the policy `fast`: a typical change of an output that is let pass, in its units. */
  tau?: number;
  /** Smallest change of an output, in its units, that counts as harm. */
  harm?: number;
  /** Share of dirty patches above which a frame is dense, 0 … 1. */
  denseShare?: number;
  /** Thresholds per grey level: S per pixel and L per block, as gain · noise + offset. */
  sumGain?: number;
  sumOffset?: number;
  blockGain?: number;
  blockOffset?: number;
  /** Whether thresholds learn; default true. */
  learn?: boolean;
}

export interface RunnerOptions extends PassOptions {
  /** Bytes of linear memory that the module may use; default: all of its 4 MiB. */
  limit?: number;
  /** Default `portable`. */
  target?: Target;
  log?(level: number, text: string): void;
}

/** Counters after a frame (docs/pass.md); shares and rates as fractions, noise in grey levels. */
export interface PassCounters {
  frames: number;
  denseFrames: number;
  patches: number;
  dirty: number;
  refreshed: number;
  macs: number;
  denseMacs: number;
  macsTotal: number;
  denseMacsTotal: number;
  refreshAge: number;
  noise: number;
  audits: number;
  harmful: number;
  harmfulRate: number;
  changed: number;
  /** Why this frame was dense: 0 it was not, 1 first or asked for, 2 dirty share, 3 illumination. */
  dense: number;
}

export interface PassResult {
  /** Copy of the last layer's output, [h, w, c]. */
  output: Int8Array;
  counters: PassCounters;
}

/** How the planner stored a layer, and what either way costs. */
export interface LayerPlan {
  /** Output shape. */
  h: number;
  w: number;
  c: number;
  recomputed: boolean;
  /** Bytes of the output if it is cached. */
  cacheBytes: number;
  /** Bytes of the band of rows if it is recomputed; 0: it can't be. */
  bandBytes: number;
  /** Multiply-accumulates of the layer in a dense frame, and those that recomputing adds to it. */
  macs: number;
  extraMacs: number;
  /** Most that an output may be off, in its units, while changes wait under the policy `fast`. */
  bound: number;
}

interface Exports {
  memory: WebAssembly.Memory;
  room(bytes: number): number;
  options(): number;
  open(net: number): void;
  counters(): number;
  factor(k: number): number;
  patchMap(): number;
  reference(): number;
  layerAt(index: number): number;
  changedAt(index: number): number;
  planAt(index: number): number;
}

/** 64 pages of 64 KiB. */
const PAGES = ["--initialMemory", "64", "--maximumMemory", "64"];

/** Compiles the module that takes any network; what is built already is kept. */
export async function buildPassModule(target: Target = "portable"): Promise<string> {
  const [built] = await buildModules({
    apps: [join(ROOT, "assembly/pass/workbench.ts")],
    targets: [target],
    out: join(ROOT, "dist/pass"),
    options: PAGES,
  });
  return built!.path;
}

export class PassRunner {
  readonly net: Net;
  readonly plan: readonly LayerPlan[];
  readonly #host: ModuleHost;
  readonly #exports: Exports;
  #frame: Int8Array = new Int8Array();

  private constructor(net: Net, host: ModuleHost, open: (runner: PassRunner) => Exports) {
    this.net = net;
    this.#host = host;
    this.#exports = open(this);
    this.plan = net.layers.map((_, i) => this.#planOf(i));
  }

  /**
   * Loads a network into a fresh module.
   * @throws ModuleTrap `net-format`, `net-too-large`, `layer-shape`, `pass-option`; NetError
   */
  static async load(net: Net, options: RunnerOptions = {}): Promise<PassRunner> {
    const target = options.target ?? "portable";
    const wasm = await readFile(await buildPassModule(target));
    const intrinsics = target === "device" ? await readFile(await buildIntrinsics()) : undefined;
    let runner: PassRunner | undefined;
    const [h, w, c] = net.input;
    const host = await ModuleHost.load(wasm, {
      ...(options.limit === undefined ? {} : { limit: options.limit }),
      ...(intrinsics ? { intrinsics } : {}),
      ...(options.log ? { log: options.log } : {}),
      sensor: () => ({ data: (runner as PassRunner).#frame, h, w, c, label: -1, heldOut: false }),
    });
    const blob = encodeNet(net);
    runner = new PassRunner(net, host, () => {
      const exports = host.exported as unknown as Exports;
      host.start(() => {
        const at = exports.room(blob.length);
        new Uint8Array(exports.memory.buffer).set(blob, at);
        writeOptions(new DataView(exports.memory.buffer), exports.options(), options);
        exports.open(at);
      });
      return exports;
    });
    return runner;
  }

  /** One frame through gate and network. @throws ModuleTrap `sensor-shape` when the frame has another size */
  infer(frame: Int8Array): PassResult {
    this.#frame = frame;
    this.#host.step();
    return { output: this.activations(this.net.layers.length - 1), counters: this.counters() };
  }

  counters(): PassCounters {
    const view = this.#view;
    const at = this.#exports.counters();
    const of = (name: keyof typeof COUNTERS): number => {
      const { offset, scale, wide }: Field = COUNTERS[name];
      return (wide ? Number(view.getBigInt64(at + offset, true)) : view.getInt32(at + offset, true)) / scale;
    };
    const names = Object.keys(COUNTERS) as (keyof typeof COUNTERS)[];
    return Object.fromEntries(names.map((name) => [name, of(name)])) as unknown as PassCounters;
  }

  /** One byte per patch, row by row: 0 skipped, 1 dirty, 2 refreshed. */
  patchMap(): Uint8Array {
    return this.#bytes(this.#exports.patchMap(), this.counters().patches).map((mark) => mark & 3);
  }

  /** What thresholds of each of the four classes of patches have learned to be multiplied by. */
  factors(): number[] {
    return [0, 1, 2, 3].map((k) => this.#exports.factor(k) / 256);
  }

  /** The image that the activations belong to, [h, w, c]. */
  reference(): Int8Array {
    const [h, w, c] = this.net.input;
    return new Int8Array(this.#bytes(this.#exports.reference(), h * w * c).buffer);
  }

  /** Copy of a layer's cached output, [h, w, c]. @throws RangeError when it is recomputed, not cached */
  activations(layer: number): Int8Array {
    const { h, w, c, data } = this.#layer(layer);
    if (data === 0) throw new RangeError(`layer ${layer} is recomputed: there is no cache to read`);
    return new Int8Array(this.#bytes(data, h * w * c).buffer);
  }

  /** Which positions of a layer's output (−1: of the input) changed in the last frame: one byte each, row by row. */
  changed(layer: number): Uint8Array {
    const [h, w] = layer < 0 ? this.net.input : [this.#layer(layer).h, this.#layer(layer).w];
    const at = this.#exports.changedAt(layer);
    const view = this.#view;
    const pitch = 4 * Math.ceil(w / 32);
    return Uint8Array.from({ length: h * w }, (_, i) => {
      const [y, x] = [Math.floor(i / w), i % w];
      return (view.getUint8(at + y * pitch + (x >> 3)) >> (x & 7)) & 1;
    });
  }

  /** Bytes of linear memory: in all, and those really used. */
  get memory(): { linear: number; used: number } {
    return this.#host.memory;
  }

  get #view(): DataView {
    return new DataView(this.#exports.memory.buffer);
  }

  #bytes(at: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#exports.memory.buffer, at, length).slice() as Uint8Array<ArrayBuffer>;
  }

  #layer(index: number): { h: number; w: number; c: number; data: number } {
    if (!(index in this.net.layers)) throw new RangeError(`layer ${index} of ${this.net.layers.length}`);
    const at = this.#exports.layerAt(index);
    const [h, w, c, data] = [4, 8, 12, 20].map((offset) => this.#view.getInt32(at + offset, true));
    return { h: h!, w: w!, c: c!, data: data! };
  }

  #planOf(index: number): LayerPlan {
    const { h, w, c } = this.#layer(index);
    const at = this.#exports.planAt(index);
    const of = (offset: number): number => this.#view.getInt32(at + offset, true);
    return {
      h,
      w,
      c,
      recomputed: of(PLAN.recomputed) !== 0,
      cacheBytes: of(PLAN.cacheBytes),
      bandBytes: of(PLAN.bandBytes),
      macs: of(PLAN.macs),
      extraMacs: of(PLAN.extraMacs),
      bound: of(PLAN.bound),
    };
  }
}

function writeOptions(view: DataView, at: number, options: PassOptions): void {
  for (const [name, { offset, scale, wide }] of Object.entries<Field>(OPTIONS)) {
    const given = options[name as keyof PassOptions];
    if (given === undefined) continue;
    const value = Math.round((typeof given === "string" ? POLICIES.indexOf(given) : Number(given)) * scale);
    if (wide) view.setBigInt64(at + offset, BigInt(value), true);
    else view.setInt32(at + offset, value, true);
  }
}
