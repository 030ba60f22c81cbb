/** Where the bytes of a module lie: its code by source file, and its other sections. Reads the binary format itself. */

export interface ModuleBytes {
  /** Source file below the library (`octo/conv2d`), the app's own name, or `rt` for the compiler's runtime. */
  part: string;
  bytes: number;
}

/** Section ids of the WebAssembly core specification, 5.5.2. */
const SECTION = { custom: 0, import: 2, function: 3, code: 10, data: 11 };
const FUNCTION_NAMES = 1;
const IMPORT_KINDS = { function: 0, table: 1, memory: 2, global: 3 };

/**
 * @param wasm a module with names (asc `--debug`): the names themselves and the source map's address are not counted
 * @returns parts by size, the largest first; they add up to the module without its custom sections
 */
export function bytesByPart(wasm: Uint8Array): ModuleBytes[] {
  const reader = new Reader(wasm, 8);
  const names = new Map<number, string>();
  let imported = 0;
  let bodies: number[] = [];
  let codeFrame = 0;
  let data = 0;
  let other = 8;
  while (!reader.done) {
    const from = reader.at;
    const id = reader.byte();
    const end = reader.length() + reader.at;
    const whole = end - from;
    if (id === SECTION.custom) readNames(new Reader(wasm, reader.at, end), names);
    else if (id === SECTION.code) {
      bodies = readBodies(reader);
      codeFrame = whole - bodies.reduce((sum, bytes) => sum + bytes, 0);
    } else if (id === SECTION.data) data = whole;
    else {
      if (id === SECTION.import) imported = countImports(reader);
      other += whole;
    }
    reader.at = end;
  }
  const parts = new Map<string, number>([
    ["data", data],
    ["types, imports, exports", other + codeFrame],
  ]);
  bodies.forEach((bytes, index) => {
    const part = partOf(names.get(imported + index) ?? "");
    parts.set(part, (parts.get(part) ?? 0) + bytes);
  });
  return [...parts].map(([part, bytes]) => ({ part, bytes })).sort((a, b) => b.bytes - a.bytes);
}

/** `~lib/octomote/assembly/octo/conv2d/Conv2d#forward` → `octo/conv2d`. */
function partOf(name: string): string {
  const own = /octomote\/assembly\/([\w-]+\/[\w-]+)/.exec(name)?.[1];
  if (own !== undefined) return own;
  return name.startsWith("~lib/rt") || name.startsWith("~") ? "rt" : name.includes("/") ? "app" : "rt";
}

function readBodies(reader: Reader): number[] {
  return Array.from({ length: reader.length() }, () => {
    const from = reader.at;
    const body = reader.length();
    reader.at += body;
    return reader.at - from;
  });
}

function countImports(reader: Reader): number {
  let functions = 0;
  for (let left = reader.length(); left > 0; left--) {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind === IMPORT_KINDS.function) {
      functions++;
      reader.length();
    } else if (kind === IMPORT_KINDS.global) reader.at += 2;
    else if (kind === IMPORT_KINDS.memory || kind === IMPORT_KINDS.table) {
      if (kind === IMPORT_KINDS.table) reader.byte();
      const bounded = reader.byte() & 1;
      for (let limits = 0; limits <= bounded; limits++) reader.length();
    } else throw new Error(`import of kind ${kind}`);
  }
  return functions;
}

function readNames(reader: Reader, names: Map<number, string>): void {
  if (reader.name() !== "name") return;
  while (!reader.done) {
    const id = reader.byte();
    const end = reader.length() + reader.at;
    if (id === FUNCTION_NAMES) {
      for (let left = reader.length(); left > 0; left--) names.set(reader.length(), reader.name());
    }
    reader.at = end;
  }
}

class Reader {
  at: number;
  readonly #bytes: Uint8Array;
  readonly #end: number;

  constructor(bytes: Uint8Array, at: number, end: number = bytes.length) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get done(): boolean {
    return this.at >= this.#end;
  }

  byte(): number {
    return this.#bytes[this.at++]!;
  }

  /** An unsigned LEB128. */
  length(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  }

  name(): string {
    const bytes = this.length();
    this.at += bytes;
    return new TextDecoder().decode(this.#bytes.subarray(this.at - bytes, this.at));
  }
}
