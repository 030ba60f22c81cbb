// What a worker hands to the trainer on `cloud/decoded`: the publication as it came, and the samples in it. A publication that needs to know
// what came before goes undecoded. Features are deflated: levels of few bits take little.

import { deflateRawSync, inflateRawSync } from "node:zlib";
import { decodeMap, encodeMap, Fields, integer } from "../../protocol/cbor.ts";
import { decodeLabelled } from "../../protocol/labelled.ts";
import { MessageError } from "../../protocol/message-error.ts";
import { decodeNumbered } from "../../protocol/numbered.ts";
import type { FrameHeader, Sgq } from "../../sgq/types.ts";
import type { Decoded } from "./decode.ts";

type Samples = Extract<Decoded, { kind: "samples" }>;

export interface DecodedMessage {
  readonly device: string;
  readonly payload: Uint8Array;
  /** Undefined: the trainer has to decode it. */
  readonly decoded?: Samples;
}

/** Most bytes of features in one message: 256 samples of the largest that is sensible here. */
const MOST_FEATURES = 1 << 22;

export function encodeDecoded({ device, payload, decoded }: DecodedMessage): Uint8Array {
  if (decoded === undefined) {
    return encodeMap([
      [0, device],
      [1, payload],
    ]);
  }
  const [first] = decoded.samples;
  const features = new Uint8Array(decoded.samples.reduce((sum, sample) => sum + sample.features.length, 0));
  let at = 0;
  for (const sample of decoded.samples) {
    features.set(
      new Uint8Array(sample.features.buffer, sample.features.byteOffset, sample.features.length),
      at,
    );
    at += sample.features.length;
  }
  return encodeMap([
    [0, device],
    [1, payload],
    [2, decoded.codebook],
    [3, integer(decoded.crc)],
    [4, [...(first?.shape ?? [])]],
    [5, first?.row ?? 0],
    [6, new Uint8Array(deflateRawSync(features, { level: 1 }))],
  ]);
}

/** @param codec reads the frame's header, which is not sent twice. @throws MessageError, SgqError */
export function decodeDecoded(codec: Sgq, bytes: Uint8Array): DecodedMessage {
  const fields = new Fields(decodeMap(bytes, "decoded"), "decoded");
  const device = fields.text(0);
  const payload = fields.bytes(1);
  if (!fields.has(6)) return { device, payload };
  const { labels, frame } = decodeLabelled(decodeNumbered(payload).payload);
  const header: FrameHeader = codec.header(frame);
  const shape = fields.array(4);
  const [h, w, c] = shape as [number, number, number];
  const size = h * w * c;
  const right = shape.length === 3 && shape.every((n) => Number.isInteger(n) && (n as number) > 0);
  if (!right || size * header.samples > MOST_FEATURES) fields.fail(4, "a shape [h, w, c]");
  const features = inflate(fields.bytes(6), size * header.samples);
  const row = fields.integer(5, 0, 1023);
  const samples = Array.from({ length: header.samples }, (_, i) => ({
    sequence: header.sequence + i,
    levels: new Uint8Array(0),
    features: new Int8Array(features.buffer, features.byteOffset + i * size, size),
    shape: [h, w, c] as const,
    row,
  }));
  const decoded: Samples = {
    kind: "samples",
    header,
    labels,
    samples,
    crc: fields.integer(3, 0, 0xffff),
    codebook: fields.integer(2, 0, 0xffff),
    bytes: frame.length,
  };
  return { device, payload, decoded };
}

function inflate(bytes: Uint8Array, want: number): Uint8Array {
  let features: Buffer;
  try {
    features = inflateRawSync(bytes, { maxOutputLength: want });
  } catch (error) {
    throw new MessageError(`decoded: ${(error as Error).message}`);
  }
  if (features.length !== want)
    throw new MessageError(`decoded: ${features.length} bytes of features, not ${want}`);
  return features;
}
