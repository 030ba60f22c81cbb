// dist/sgq.wasm and its memory: structs at fixed places, slots for codebooks, and behind them areas that are laid out anew
// for every call.

/** What assembly/sgq/host.ts exports. Addresses and lengths are numbers; see there for their meaning. */
export interface SgqExports {
  readonly memory: WebAssembly.Memory;
  readonly limit: WebAssembly.Global;
  openBook(book: number, length: number, plan: number): number;
  parse(frame: number, length: number, header: number): number;
  verify(frame: number, header: number, start: number): number;
  crc16(at: number, length: number, crc: number): number;
  tensorOf(tensor: number, h: number, w: number, c: number): number;
  lay(plan: number, job: number, rows: number): void;
  jobBytes(plan: number, rows: number): number;
  codeCount(plan: number, rows: number): number;
  rawBytes(plan: number, rows: number, samples: number): bigint;
  begin(encoder: number, rows: number, flags: number, sequence: number): void;
  beginSkip(encoder: number, sequence: number, back: number, crc: number, changed: number): number;
  quantize(encoder: number, tensor: number, x: number): void;
  add(encoder: number, tensor: number, x: number): number;
  end(encoder: number, short: number): number;
  frameAt(encoder: number): number;
  levelsOf(job: number, channels: number, levels: number): void;
  planesOf(job: number, channels: number, levels: number): void;
  fits(plan: number, header: number): number;
  rowsOf(plan: number, header: number): number;
  beginDecode(plan: number, header: number, frame: number, job: number): void;
  decodeSkip(plan: number, job: number, reference: number, changed: number): void;
  decodeNext(plan: number, header: number, frame: number, job: number, i: number, codes: number): void;
  ended(header: number, frame: number, job: number, plan: number): number;
  reconstruct(plan: number, codes: number, rows: number, features: number): void;
  countSample(plan: number, job: number, codes: number, counts: number): void;
  selfBytes(elements: number, bits: number, sets: number): number;
  encodeSelf(
    out: number,
    model: number,
    sequence: number,
    tensor: number,
    x: number,
    bits: number,
    sets: number,
    tables: number,
  ): number;
  decodeSelf(header: number, frame: number, codes: number, features: number): number;
  quantizeGradient(
    x: number,
    n: number,
    c: number,
    group: number,
    bits: number,
    exponent: number,
    key: number,
    values: number,
    exponents: number,
  ): void;
  packNibbles(values: number, n: number): void;
  unpackNibbles(packed: number, n: number, values: number): void;
  writeFull(out: number, type: number, model: number, codebook: number, sequence: number): number;
  writeVarint(out: number, length: number, value: number): number;
}

/** Behind the module's own data. */
const STRUCTS = 1024;
const SLOTS = 4096;
const SLOT_COUNT = 8;
const BOOK_ROOM = 65536;
/** A plan: its head, and 16 bytes for each of at most 3,840 planes. */
const PLAN_ROOM = 65536;
const AREAS = SLOTS + SLOT_COUNT * (BOOK_ROOM + PLAN_ROOM);
const PAGE = 65536;

export class SgqModule {
  readonly exports: SgqExports;
  /** Addresses of structs. */
  readonly header = STRUCTS;
  readonly encoder = STRUCTS + 256;
  readonly tensor = STRUCTS + 512;
  readonly #books: (object | undefined)[] = new Array(SLOT_COUNT).fill(undefined);
  #nextSlot = 0;
  #bytes: Uint8Array;

  private constructor(exports: SgqExports) {
    this.exports = exports;
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.#grow(AREAS);
  }

  static async load(wasm: BufferSource): Promise<SgqModule> {
    const module = await WebAssembly.compile(wasm);
    const instance = await WebAssembly.instantiate(module, {
      octomote_1: {
        fail(code: number, where: number, got: number, want: number): never {
          throw new Error(`SGQ codec: intrinsic ${where} refused its arguments (${code}: ${got}, ${want})`);
        },
      },
    });
    return new SgqModule(instance.exports as unknown as SgqExports);
  }

  /** All of memory; stale after `areas`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Addresses of areas of so many bytes, 16-aligned; what earlier areas held is gone. */
  areas<const Sizes extends readonly number[]>(...sizes: Sizes): { [K in keyof Sizes]: number } {
    let at = AREAS;
    const places = sizes.map((bytes) => {
      const place = at;
      at += (bytes + 15) & ~15;
      return place;
    });
    this.#grow(at);
    return places as { [K in keyof Sizes]: number };
  }

  #grow(end: number): void {
    const { memory, limit } = this.exports;
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
    if (this.#bytes.buffer !== memory.buffer) this.#bytes = new Uint8Array(memory.buffer);
    limit.value = this.#bytes.length;
  }

  /** Address of a codebook's plan; `owner` stands for it. Its bytes are brought in if they are not there. */
  plan(owner: object, bytes: Uint8Array): number {
    let slot = this.#books.indexOf(owner);
    if (slot < 0) {
      slot = this.#nextSlot;
      this.#nextSlot = (slot + 1) % SLOT_COUNT;
      this.#books[slot] = undefined;
      const wrong = this.#open(slot, bytes);
      if (wrong !== 0) throw new Error("a codebook that was good is not any more: its bytes were changed");
      this.#books[slot] = owner;
    }
    return this.#slot(slot) + BOOK_ROOM;
  }

  /** 0, or 1 + the offset of what is wrong with a codebook; it must be at most 65,536 bytes and at least 32. */
  check(bytes: Uint8Array): number {
    const slot = this.#nextSlot;
    this.#books[slot] = undefined;
    return this.#open(slot, bytes);
  }

  #open(slot: number, bytes: Uint8Array): number {
    const at = this.#slot(slot);
    this.#bytes.set(bytes, at);
    return this.exports.openBook(at, bytes.length, at + BOOK_ROOM);
  }

  #slot(slot: number): number {
    return SLOTS + slot * (BOOK_ROOM + PLAN_ROOM);
  }

  word(address: number): number {
    return new DataView(this.#bytes.buffer).getInt32(address, true);
  }

  setWords(address: number, words: readonly number[]): void {
    const view = new DataView(this.#bytes.buffer);
    words.forEach((word, i) => {
      view.setInt32(address + 4 * i, word, true);
    });
  }

  copy(address: number, length: number): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(address, address + length) as Uint8Array<ArrayBuffer>;
  }

  copyInt8(address: number, length: number): Int8Array<ArrayBuffer> {
    return new Int8Array(this.#bytes.buffer as ArrayBuffer).slice(address, address + length);
  }

  put(address: number, data: Int8Array | Uint8Array): void {
    this.#bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.length), address);
  }
}
