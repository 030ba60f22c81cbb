// Layouts of docs/sgq.md that encoder and decoder share: planes as bit strings, plane records, the job of an intrinsic.
//
// A plane is a string of bits, LSB first in little-endian words: rows of w bits, each followed by MARGIN zeros, behind enough
// zeros for the rows above, and before enough for those below. So every neighbour that a context may read is a shift of the
// string, and outside of the map lie zeros.

/** Zeros behind each row: the largest |dx| of a tap. */
export const MARGIN: i32 = 3;
/** Rows above an element that a tap reaches. */
export const ABOVE: i32 = 2;
/** Most taps of a context. */
export const MAX_TAPS: i32 = 14;

/** A plane as the coder needs it (16 bytes). */
export const RECORD_BYTES: i32 = 16;
/** i16: code channel. */
export const RECORD_CHANNEL: usize = 0;
/** i16: threshold; the bit is x > threshold. */
export const RECORD_THRESHOLD: usize = 2;
/** i16: the plane before of the same channel, −1 if there is none. */
export const RECORD_PREVIOUS: usize = 4;
/** u8: number of taps. */
export const RECORD_TAPS: usize = 6;
/** u8: planes before of the same channel: the bit is level > this. */
export const RECORD_LEVEL: usize = 7;
/** Address of the taps, 2 bytes each. */
export const RECORD_TAP_LIST: usize = 8;
/** Address of the table, 2^taps bytes. */
export const RECORD_TABLE: usize = 12;

/** What `sgqQuantize` and `sgqEncode` work on: i32 fields, size first. */
export const JOB_BYTES: i32 = 52;
/** Rows and columns of the map (or slice). */
export const JOB_H: usize = 4;
export const JOB_W: usize = 8;
/** Number of planes. */
export const JOB_PLANES: usize = 12;
/** Address of the records. */
export const JOB_RECORDS: usize = 16;
/** Address of a bit string of `mapWords` words, without zeros above or below: 1 where an element is coded. */
export const JOB_VALID: usize = 20;
/** Address of the planes' bit strings, `stringWords` words each. */
export const JOB_STRINGS: usize = 24;
/** Address of SCRATCH_BYTES bytes. */
export const JOB_SCRATCH: usize = 28;
/** Coder: low and range (u32), bytes written. */
export const JOB_LOW: usize = 32;
export const JOB_RANGE: usize = 36;
export const JOB_LENGTH: usize = 40;
/** Address of the payload, and how many bytes it may have. */
export const JOB_OUT: usize = 44;
export const JOB_CAPACITY: usize = 48;

/** Contexts of 32 elements: a low and a high byte of each. */
export const SCRATCH_BYTES: i32 = 64;

// Dimensions are at most 1,024: a string has fewer than 2^21 bits.

/** Bits from one row to the next. */
// @ts-ignore: decorator
@inline
export function pitchOf(w: i32): i32 {
  return w + MARGIN;
}

/** Words of zeros before the first element. */
// @ts-ignore: decorator
@inline
export function wordsAbove(w: i32): i32 {
  return (ABOVE * pitchOf(w) + MARGIN + 31) >> 5;
}

/** Words from the first element to the last. */
// @ts-ignore: decorator
@inline
export function mapWords(h: i32, w: i32): i32 {
  return (h * pitchOf(w) + 31) >> 5;
}

/** Words of a plane. Behind the map: a row below, and the word that is read with the last one. */
// @ts-ignore: decorator
@inline
export function stringWords(h: i32, w: i32): i32 {
  return wordsAbove(w) + mapWords(h, w) + ((pitchOf(w) + MARGIN + 31) >> 5) + 1;
}
