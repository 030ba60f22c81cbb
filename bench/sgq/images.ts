/** Sending the image instead of features: lossless, JPEG, or pixels of few levels with SGQ's coder. */
import { PNG } from "pngjs";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import type { Coder, Samples } from "./accuracy.ts";
import { contextBook } from "./forms.ts";
import { PIXELS, SIDE } from "./halves.ts";
import type { Jpeg } from "./jpeg.ts";
import { FRAME_BYTES } from "./rivals.ts";

const png = (pixels: Uint8Array): number => {
  const image = new PNG({ width: SIDE, height: SIDE, colorType: 0, inputColorType: 0, inputHasAlpha: false });
  image.data = Buffer.from(pixels);
  return PNG.sync.write(image, { colorType: 0, inputColorType: 0, inputHasAlpha: false, deflateLevel: 9 })
    .length;
};

/** The whole file. */
export const asPng: Coder = { decoded: (x) => x, bytes: (x) => png(x as Uint8Array) };

export const compressed = (compress: (bytes: Uint8Array) => Uint8Array): Coder => ({
  decoded: (x) => x,
  bytes: (x) => FRAME_BYTES + compress(x as Uint8Array).length,
});

export const asJpeg = (jpeg: Jpeg, quality: number): Coder => ({
  decoded: (x) => jpeg(x as Uint8Array, SIDE, SIDE, quality).pixels,
  bytes: (x) => FRAME_BYTES + jpeg(x as Uint8Array, SIDE, SIDE, quality).bytes,
});

/** Pixels of few levels as a tensor of one channel: thresholds at equal steps, contexts learned as for features. */
export function lowBits(codec: SgqCodec, training: Samples, bits: number, tableBytes: number): Coder {
  const thresholds = pixelThresholds(bits).map((threshold) => threshold - 128);
  const shift = (x: Int8Array | Uint8Array): Int8Array => Int8Array.from(x, (value) => value - 128);
  const first = Int8Array.from(training.data.subarray(0, 3000 * PIXELS), (value) => value - 128);
  const shifted = { ...training, data: first, count: Math.min(3000, training.count) };
  const book = contextBook(codec, shifted, [thresholds], tableBytes, [SIDE, SIDE, 1]);
  return {
    decoded: (x) =>
      Float32Array.from(codec.reconstruct(book, codec.quantise(book, shift(x))), (value) => value + 128),
    bytes: (x, sequence) => codec.encode(book, [shift(x)], { sequence }).length,
    together: (samples, sequence) => codec.encode(book, samples.map(shift), { sequence }).length,
  };
}

/** The same, of which the network sees planes. */
export const lowBitsSeen = (codec: SgqCodec, training: Samples, bits: number, tableBytes: number): Coder => ({
  ...lowBits(codec, training, bits, tableBytes),
  planes: [pixelThresholds(bits)],
});

/** Of pixels 0 … 255, at equal steps. */
function pixelThresholds(bits: number): number[] {
  const steps = 2 ** bits - 1;
  return Array.from({ length: steps }, (_, i) => Math.floor(((i + 0.5) * 255) / steps));
}
