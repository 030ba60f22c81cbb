// Headers of frames, as the codec's module reads them.
import type { SgqModule } from "./module.ts";
import { type FrameHeader, type FrameType, NackReason, SgqError } from "./types.ts";

/** Flags of data frames that a writer chooses. */
export const FLAGS = { raw: 8, self: 16, skip: 32, slice: 64, batch: 128 } as const;

/** The i32 fields of Header in assembly/sgq/frame.ts, in their order. */
const FIELDS = [
  "version",
  "type",
  "short",
  "flags",
  "model",
  "codebook",
  "sequence",
  "samples",
  "back",
  "row",
  "rows",
  "h",
  "w",
  "c",
  "bits",
  "sets",
  "tables",
  "body",
  "end",
] as const;

export type HeaderWords = Readonly<Record<(typeof FIELDS)[number], number>>;

const REASONS: Readonly<Record<number, string>> = {
  [NackReason.version]: "a frame of a version that this codec does not know",
  [NackReason.crc]: "a frame whose check value does not fit its bytes",
  [NackReason.malformed]: "a frame that is not as the format says",
};

/** Throws what a nack would tell: reason | detail << 3, 0 if all is well. @throws SgqError */
export function refuse(told: number): void {
  if (told === 0) return;
  const reason = (told & 7) as NackReason;
  const detail = told >>> 3;
  const where = reason === NackReason.malformed ? `: see its byte ${detail}` : "";
  throw new SgqError(reason, detail, `${REASONS[reason] ?? "a frame that was refused"}${where}`);
}

/** Puts a frame at `at` and reads its header into the module's struct. @throws SgqError */
export function parse(module: SgqModule, frame: Uint8Array, at: number): HeaderWords {
  module.put(at, frame);
  const told = module.exports.parse(at, frame.length, module.header);
  // noise looks malformed; it is more helpful to say that it is noise
  if ((told & 7) === NackReason.malformed && frame.length > 2) {
    const end = frame.length - 2;
    const crc = module.exports.crc16(at, end, 0xffff);
    if (crc !== ((frame[end] as number) | ((frame[end + 1] as number) << 8))) refuse(NackReason.crc);
  }
  refuse(told);
  return Object.fromEntries(
    FIELDS.map((name, i) => [name, module.word(module.header + 4 * i)]),
  ) as HeaderWords;
}

export function headerOf(words: HeaderWords): FrameHeader {
  const has = (flag: number): boolean => words.type === 0 && (words.flags & flag) !== 0;
  const sequence = words.sequence >>> 0;
  return {
    version: words.version,
    type: words.type as FrameType,
    short: words.short !== 0,
    ...(words.short === 0 && { model: words.model }),
    codebook: words.codebook,
    sequence,
    selfContained: has(FLAGS.self),
    samples: words.samples,
    ...(has(FLAGS.skip) && { reference: (sequence - words.back) >>> 0 }),
    ...(has(FLAGS.slice) && { slice: { row: words.row, rows: words.rows } }),
  };
}
