/** Grey pictures through JPEG: mozjpeg, as WASM. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import decoder from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import encoder from "@jsquash/jpeg/codec/enc/mozjpeg_enc.js";

/** Codes a picture: bytes of the scan alone, and the pixels that come out again. */
export type Jpeg = (
  pixels: Uint8Array,
  width: number,
  height: number,
  quality: number,
) => { bytes: number; pixels: Uint8Array };

/** Baseline with the standard's tables: both sides have them, and no frame needs to carry any. */
const OPTIONS = {
  baseline: true,
  arithmetic: false,
  progressive: false,
  optimize_coding: false,
  smoothing: 0,
  color_space: 1,
  quant_table: 0,
  trellis_multipass: false,
  trellis_opt_zero: false,
  trellis_opt_table: false,
  trellis_loops: 1,
  auto_subsample: false,
  chroma_subsample: 1,
  separate_chroma_quality: false,
  chroma_quality: 75,
};
const START_OF_SCAN = Buffer.from([0xff, 0xda]);
const END_OF_IMAGE_BYTES = 2;

/** What the decoder makes its result with: browsers have it, Node does not. */
class Picture {
  readonly data: Uint8ClampedArray;
  readonly width: number;
  readonly height: number;

  constructor(data: Uint8ClampedArray, width: number, height: number) {
    this.data = data;
    this.width = width;
    this.height = height;
  }
}

export async function loadJpeg(): Promise<Jpeg> {
  const find = createRequire(import.meta.url).resolve;
  const codec = async (part: string): Promise<object> => ({
    noInitialRun: true,
    wasmBinary: await readFile(find(`@jsquash/jpeg/codec/${part}.wasm`)),
  });
  Object.assign(globalThis, { ImageData: globalThis.ImageData ?? Picture });
  const { encode } = await encoder(await codec("enc/mozjpeg_enc"));
  const { decode } = await decoder(await codec("dec/mozjpeg_dec"));
  return (pixels, width, height, quality) => {
    const colour = new Uint8ClampedArray(4 * pixels.length).fill(255);
    pixels.forEach((pixel, i) => {
      colour.fill(pixel, 4 * i, 4 * i + 3);
    });
    const file = Buffer.from(encode(colour, width, height, { ...OPTIONS, quality }));
    const scan = file.lastIndexOf(START_OF_SCAN);
    const start = scan + START_OF_SCAN.length + file.readUInt16BE(scan + START_OF_SCAN.length);
    const seen = decode(file, false)?.data;
    if (seen === undefined) throw new Error("what was written as JPEG cannot be read");
    return {
      bytes: file.length - END_OF_IMAGE_BYTES - start,
      pixels: Uint8Array.from(pixels, (_, i) => seen[4 * i] as number),
    };
  };
}
