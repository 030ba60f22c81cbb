// Admission: a module is looked at before it runs anywhere (DESIGN §4). wasm3 0.5.0 has no validator, so this is where bodies
// that the specification forbids are refused.
import { ALLOWED_IMPORTS, REQUIRED_EXPORTS } from "./imports.ts";

/** Why a module was refused; the message names the offender and what to do. */
export class AdmissionError extends Error {
  override name = "AdmissionError";
}

/** What admission learned about a module. */
export interface Admitted {
  /** Compiled module, ready to instantiate. */
  module: WebAssembly.Module;
  /** Import modules used, e.g. `octomote_1`, `octo_int8_1`. */
  imports: string[];
}

/**
 * Validates a module, its imports, its exports and its memory (minimum = maximum, no `memory.grow`).
 * @throws AdmissionError
 */
export async function admit(wasm: BufferSource): Promise<Admitted> {
  const bytes = bytesOf(wasm);
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(bytes as BufferSource);
  } catch (error) {
    throw new AdmissionError(
      `not a valid WebAssembly module (${(error as Error).message}); build it with \`octomote build\``,
    );
  }
  const used = new Set<string>();
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    if (kind !== "function" || !ALLOWED_IMPORTS[from]?.includes(name)) {
      throw new AdmissionError(
        `import "${from}.${name}" (${kind}) is not on the allow-list of ABI 1; build the app with \`octomote build\`, which links no other imports`,
      );
    }
    used.add(from);
  }
  const exported = new Map(WebAssembly.Module.exports(module).map(({ name, kind }) => [name, kind]));
  for (const name of REQUIRED_EXPORTS) {
    const kind = name === "memory" ? "memory" : "function";
    if (exported.get(name) !== kind) {
      throw new AdmissionError(
        `export "${name}" (${kind}) is missing; an app exports \`step\`, \`octomote build\` adds the rest`,
      );
    }
  }
  const memory = memorySection(bytes);
  if (!memory || memory.maximum !== memory.minimum) {
    throw new AdmissionError(
      "the memory's maximum must equal its minimum, because a board cannot grow it; set initialMemory and maximumMemory alike",
    );
  }
  return { module, imports: [...used] };
}

function bytesOf(source: BufferSource): Uint8Array {
  return source instanceof ArrayBuffer
    ? new Uint8Array(source)
    : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

/** Limits of the first memory in a validated module; with minimum = maximum, `memory.grow` can only fail. */
function memorySection(bytes: Uint8Array): { minimum: number; maximum?: number } | undefined {
  let at = 8;
  const leb = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const id = bytes[at++];
    const size = leb();
    const end = at + size;
    if (id === 5 && leb() > 0) {
      const flags = leb();
      const minimum = leb();
      return flags & 1 ? { minimum, maximum: leb() } : { minimum };
    }
    at = end;
  }
  return undefined;
}
