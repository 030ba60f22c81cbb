// Runs a module in Node and in browsers: the same binaries as on a device, the same bits (docs/abi.md).
import { instantiate } from "@assemblyscript/loader";
import { isState, openState, stateFault } from "../protocol/checkpoint.ts";
import { describeFault, type Fault } from "../protocol/errors.ts";
import { type Params, wireParams } from "../protocol/params.ts";
import { admit } from "./admission.ts";
import { ABI_VERSION, HOST_MODULE } from "./imports.ts";

/** One sensor reading: int8 NHWC data. */
export interface Sample {
  data: Int8Array;
  h: number;
  w: number;
  c: number;
  /** Class, or −1 when nobody said. */
  label: number;
  /** For evaluation only. */
  heldOut: boolean;
}

export interface ModuleHostOptions {
  /** Bytes of linear memory that the module may use; default: all of it. */
  limit?: number;
  /** Seed of all draws; default 0. */
  seed?: number;
  /** Values of the app's `param(name, …)`, by name or as a request carries them: at most eight. */
  params?: Params;
  /** `intrinsics.wasm`, which a device module needs. */
  intrinsics?: BufferSource;
  /** The sensor: called once per step. */
  sensor?: () => Sample | null;
  /** What the app publishes; false refuses it. */
  publish?(channel: number, bytes: Uint8Array): unknown;
  log?(level: number, text: string): void;
  clock?(): bigint;
  /** Told of each intrinsic that a device module has called, and what it returned: how a host sees what a model does. */
  observe?(name: string, args: readonly number[], result: number | undefined): void;
}

/** A module ended a call with a named error (docs/errors.md). */
export class ModuleTrap extends Error {
  override name = "ModuleTrap";
  readonly code: number;
  readonly where: number;
  readonly got: number;
  readonly want: number;

  constructor(code: number, where: number, got: number, want: number) {
    super(describeFault({ code, where, got, want }));
    this.code = code;
    this.where = where;
    this.got = got;
    this.want = want;
  }
}

interface ModuleExports {
  memory: WebAssembly.Memory;
  abi(): number;
  config(): number;
  initialize(): void;
  init(): void;
  step(): void;
  selfTest(): number;
  restore(): void;
  message?(length: number): void;
}

/** Byte offsets in the configuration block. */
const CONFIG = {
  limit: 4,
  seed: 8,
  inbox: 12,
  inboxBytes: 16,
  state: 20,
  stateBytes: 24,
  used: 28,
  params: 32,
  weights: 36,
  entries: 40,
};
/** Parameters that a module takes. */
export const MAX_PARAMS = 8;
/** Byte offsets in a frame struct. */
const FRAME = { data: 4, capacity: 8, h: 12, w: 16, c: 20, label: 24, flags: 28, sequence: 32 };

export class ModuleHost {
  readonly imports: string[];
  private readonly exports: ModuleExports;
  private readonly options: ModuleHostOptions;
  private sequence = 0;
  private trap: ModuleTrap | undefined;

  private constructor(exports: ModuleExports, imports: string[], options: ModuleHostOptions) {
    this.exports = exports;
    this.imports = imports;
    this.options = options;
  }

  /**
   * Admits, links and configures a module; nothing of it has run yet.
   * @throws AdmissionError, or Error when a device module comes without `intrinsics`
   */
  static async load(wasm: BufferSource, options: ModuleHostOptions = {}): Promise<ModuleHost> {
    const { module, imports } = await admit(wasm);
    let host: ModuleHost | undefined;
    const self = (): ModuleHost => host as ModuleHost;
    const fail = (code: number, where: number, got: number, want: number): never =>
      self().fail(code, where, got, want);
    const table: Record<string, Record<string, unknown>> = {
      [HOST_MODULE]: {
        fail,
        sensorRead: (frame: number) => self().sensorRead(frame),
        publish: (channel: number, pointer: number, length: number) =>
          self().publish(channel, pointer, length),
        log: (level: number, pointer: number, units: number) => self().log(level, pointer, units),
        clock: () => options.clock?.() ?? 0n,
      },
    };
    // The twins need the module's memory, which exists only after the module: so the module gets thunks first.
    let intrinsics: Record<string, (...values: number[]) => number> | undefined;
    for (const { module: from, name } of WebAssembly.Module.imports(module)) {
      if (from === HOST_MODULE) continue;
      if (!options.intrinsics) {
        throw new Error(
          `this is a device module (it imports ${from}); pass intrinsics.wasm, or run the portable build`,
        );
      }
      table[from] ??= {};
      table[from][name] = (...values: number[]) => {
        const result = intrinsics?.[name]?.(...values);
        options.observe?.(name, values, result);
        return result;
      };
    }
    const instance = await instantiate(module, table as Record<string, Record<string, unknown>>);
    const exports = instance.exports as unknown as ModuleExports;
    host = new ModuleHost(exports, imports, options);
    const version = exports.abi();
    if (version !== ABI_VERSION)
      throw new Error(`the module speaks ABI ${version}, this host ${ABI_VERSION}; build it again`);
    const limit = Math.min(options.limit ?? Number.POSITIVE_INFINITY, exports.memory.buffer.byteLength);
    host.configure(limit);
    if (options.intrinsics) {
      const twins = await WebAssembly.instantiate(await WebAssembly.compile(options.intrinsics), {
        env: { memory: exports.memory },
        [HOST_MODULE]: { fail },
      });
      (twins.exports.limit as WebAssembly.Global).value = limit;
      intrinsics = twins.exports as Record<string, (...values: number[]) => number>;
    }
    return host;
  }

  private configure(limit: number): void {
    const view = this.view;
    const at = this.exports.config();
    view.setUint32(at + CONFIG.limit, limit, true);
    view.setUint32(at + CONFIG.seed, this.options.seed ?? 0, true);
    const params = wireParams(this.options.params ?? {});
    if (params.length > MAX_PARAMS)
      throw new RangeError(`${params.length} parameters; a module takes ${MAX_PARAMS}`);
    view.setUint32(at + CONFIG.params, params.length, true);
    params.forEach(([hash, value], i) => {
      view.setUint32(at + CONFIG.entries + 16 * i, hash, true);
      view.setBigInt64(at + CONFIG.entries + 16 * i + 8, value, true);
    });
  }

  /** Runs `initialize` and `init`; `between` is where a host hands over what must be there before init. @throws ModuleTrap */
  start(between?: () => void): void {
    this.call(() => this.exports.initialize());
    if (between) this.call(between);
    this.call(() => this.exports.init());
  }

  /** Everything that the module exports, for hosts that know more of it than the ABI says. */
  get exported(): WebAssembly.Exports {
    return this.exports as unknown as WebAssembly.Exports;
  }

  /** One step of the app. @throws ModuleTrap */
  step(): void {
    this.call(() => this.exports.step());
  }

  /** Digest of the golden vectors; spoils the learned state. @throws ModuleTrap */
  selfTest(): number {
    return this.call(() => this.exports.selfTest()) >>> 0;
  }

  /** Most bytes that `message` takes; 0 if the app takes none. */
  get inbox(): number {
    return this.exports.message ? this.word(CONFIG.inboxBytes) : 0;
  }

  /** Hands bytes to the app's `message`. */
  message(bytes: Uint8Array): void {
    const receive = this.exports.message;
    if (!receive) throw new Error("this app takes no messages: it exports no `message`");
    const capacity = this.word(CONFIG.inboxBytes);
    if (bytes.length > capacity)
      throw new RangeError(`message of ${bytes.length} bytes; the app's inbox holds ${capacity}`);
    this.bytes(this.word(CONFIG.inbox), bytes.length).set(bytes);
    this.call(() => receive(bytes.length));
  }

  /** A copy of the learned state (a checkpoint); empty when the app has none. */
  state(): Uint8Array {
    return this.bytes(this.word(CONFIG.state), this.word(CONFIG.stateBytes)).slice();
  }

  /** What keeps a state of the right length from this module; null if nothing does. */
  refusalOf(state: Uint8Array): Fault | null {
    const own = this.state();
    return isState(own) ? stateFault(state, own) : null;
  }

  /**
   * Puts a learned state back.
   * @throws RangeError, ModuleTrap when it is damaged or belongs to another model; the module keeps its own then
   */
  restore(state: Uint8Array): void {
    const length = this.word(CONFIG.stateBytes);
    if (state.length !== length)
      throw new RangeError(`a state of ${state.length} bytes; this model's has ${length}`);
    const fault = this.refusalOf(state);
    if (fault) throw new ModuleTrap(fault.code, fault.where ?? 0, fault.got ?? 0, fault.want ?? 0);
    const place = this.bytes(this.word(CONFIG.state), length);
    place.set(isState(place) ? openState(state) : state);
    this.call(() => this.exports.restore());
  }

  /** Address of the learned state; 0 if there is none. */
  get stateAddress(): number {
    return this.word(CONFIG.state);
  }

  /** Address of the weights file that an app keeps room for; 0 if it keeps none. */
  get weightsAddress(): number {
    return this.word(CONFIG.weights);
  }

  /** Bytes: linear memory declared, and what the module really needs of it. */
  get memory(): { linear: number; used: number } {
    return { linear: this.exports.memory.buffer.byteLength, used: this.word(CONFIG.used) };
  }

  private get view(): DataView {
    return new DataView(this.exports.memory.buffer);
  }

  private word(offset: number): number {
    return this.view.getUint32(this.exports.config() + offset, true);
  }

  private bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.exports.memory.buffer, pointer, length);
  }

  /** A trap leaves its code in `fail` before it unwinds; the code says more than the engine's own message. */
  private call<T>(entry: () => T): T {
    this.trap = undefined;
    try {
      return entry();
    } catch (error) {
      throw this.trap ?? error;
    }
  }

  private fail(code: number, where: number, got: number, want: number): never {
    this.trap = new ModuleTrap(code, where, got, want);
    throw this.trap;
  }

  private sensorRead(frame: number): number {
    const sample = this.options.sensor?.();
    if (!sample) return 0;
    const view = this.view;
    const shape = [sample.h, sample.w, sample.c];
    const fits = shape.every((n, i) => view.getInt32(frame + FRAME.h + 4 * i, true) === n);
    if (!fits || view.getInt32(frame + FRAME.capacity, true) < sample.data.length) {
      for (const [i, n] of shape.entries()) view.setInt32(frame + FRAME.h + 4 * i, n, true);
      return -1;
    }
    new Int8Array(this.exports.memory.buffer).set(sample.data, view.getUint32(frame + FRAME.data, true));
    view.setInt32(frame + FRAME.label, sample.label, true);
    view.setInt32(frame + FRAME.flags, sample.heldOut ? 1 : 0, true);
    view.setInt32(frame + FRAME.sequence, this.sequence++, true);
    return 1;
  }

  private publish(channel: number, pointer: number, length: number): number {
    if (channel !== 0 && channel !== 1) return -1;
    return this.options.publish?.(channel, this.bytes(pointer, length).slice()) === false ? -1 : 0;
  }

  private log(level: number, pointer: number, units: number): void {
    const text = new TextDecoder("utf-16le").decode(this.bytes(pointer, units * 2).slice());
    this.options.log?.(level, text);
  }
}
