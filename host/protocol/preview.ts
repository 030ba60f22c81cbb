// A camera's preview (docs/pass.md): a small picture, which patches were computed again, and which cells are occupied. It
// comes through the features channel and is told apart by its magic.

/** "OMPV". */
const MAGIC = 0x56504d4f;
const VERSION = 1;
const HEADER_BYTES = 24;
/** Frames and previews are at most so wide and high; a preview must fit one message anyway. */
const MAX_SIDE = 4096;

export interface Preview {
  /** Counts frames from 0. */
  sequence: number;
  /** Size of the camera's frame in pixels. */
  width: number;
  height: number;
  /** The picture: rows × columns grey levels, 0 … 255 in 16 steps. */
  columns: number;
  rows: number;
  grey: Uint8Array;
  /** Side of a patch in pixels of the frame; for each patch, row by row, whether it was computed again. */
  patch: number;
  computed: Uint8Array;
  /** Cells of the output, row by row; 1 where something is. */
  cellColumns: number;
  cellRows: number;
  occupied: Uint8Array;
}

/** Whether bytes of the features channel claim to be a preview. */
export function isPreview(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && viewOf(bytes).getUint32(0, true) === MAGIC;
}

/**
 * Reads a preview.
 * @returns null if it is none of this version, or its parts do not add up to its length
 */
export function decodePreview(bytes: Uint8Array): Preview | null {
  if (bytes.length < HEADER_BYTES || !isPreview(bytes)) return null;
  const view = viewOf(bytes);
  const patch = view.getUint8(5);
  const [width, height, columns, rows, cellColumns, cellRows] = [6, 8, 10, 12, 14, 16].map((at) =>
    view.getUint16(at, true),
  ) as [number, number, number, number, number, number];
  const sides = [width, height, columns, rows, patch];
  if (view.getUint8(4) !== VERSION || sides.some((side) => side === 0 || side > MAX_SIDE)) return null;
  const patches = Math.ceil(width / patch) * Math.ceil(height / patch);
  const cells = cellColumns * cellRows;
  const greyBytes = (columns * rows + 1) >> 1;
  const patchBytes = (patches + 7) >> 3;
  const cellBytes = (cells + 7) >> 3;
  if (bytes.length !== HEADER_BYTES + greyBytes + patchBytes + cellBytes) return null;
  const patchesAt = HEADER_BYTES + greyBytes;
  return {
    sequence: view.getUint32(20, true),
    width,
    height,
    columns,
    rows,
    grey: Uint8Array.from({ length: columns * rows }, (_, i) => {
      const two = bytes[HEADER_BYTES + (i >> 1)] as number;
      return ((two >> (4 * (i & 1))) & 15) * 17;
    }),
    patch,
    computed: bits(bytes.subarray(patchesAt), patches),
    cellColumns,
    cellRows,
    occupied: bits(bytes.subarray(patchesAt + patchBytes), cells),
  };
}

/** Writes a preview, as a camera does; grey levels are rounded down to 16 steps. */
export function encodePreview(preview: Preview): Uint8Array {
  const { grey, computed, occupied } = preview;
  const greyBytes = (grey.length + 1) >> 1;
  const patchBytes = (computed.length + 7) >> 3;
  const bytes = new Uint8Array(HEADER_BYTES + greyBytes + patchBytes + ((occupied.length + 7) >> 3));
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, VERSION);
  view.setUint8(5, preview.patch);
  const { width, height, columns, rows, cellColumns, cellRows } = preview;
  [width, height, columns, rows, cellColumns, cellRows].forEach((side, i) => {
    view.setUint16(6 + 2 * i, side, true);
  });
  view.setUint32(20, preview.sequence, true);
  const put = (at: number, values: Uint8Array) => {
    values.forEach((value, i) => {
      if (value !== 0) bytes[at + (i >> 3)]! |= 1 << (i & 7);
    });
  };
  grey.forEach((value, i) => {
    bytes[HEADER_BYTES + (i >> 1)]! |= (value >> 4) << (4 * (i & 1));
  });
  put(HEADER_BYTES + greyBytes, computed);
  put(HEADER_BYTES + greyBytes + patchBytes, occupied);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The first `count` bits, lowest first, one byte each. */
function bits(bytes: Uint8Array, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => ((bytes[i >> 3] as number) >> (i & 7)) & 1);
}
