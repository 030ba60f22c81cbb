// Frames that go the other way, or tell how one fared: gradients, nacks, acknowledgements.
import { headerOf, parse, refuse } from "./header.ts";
import type { SgqModule } from "./module.ts";
import {
  type FrameHeader,
  FrameType,
  type Gradient,
  type Nack,
  NackReason,
  type Sgq,
  SgqError,
} from "./types.ts";

const CRC_BYTES = 2;
const CRC_START = 0xffff;
const MAX_HEADER = 24;
const MAX_FRAME = 65535;
/** The largest shift: int32 to 4 bits. */
const MAX_SHIFT = 29;
const NIBBLES = 8;

export class GradientFrames {
  protected readonly module: SgqModule;

  constructor(module: SgqModule) {
    this.module = module;
  }

  header(frame: Uint8Array): FrameHeader {
    const [at] = this.module.areas(frame.length);
    return headerOf(parse(this.module, frame, at));
  }

  encodeGradient(...[to, gradient]: Parameters<Sgq["encodeGradient"]>): Uint8Array {
    const { values, exponent, group, bits, key } = gradient;
    const [h, w, c] = gradient.shape;
    const n = h * w * c;
    if (values.length !== n || c % group !== 0)
      throw new RangeError(`${n} values, in groups that divide ${c} channels`);
    if (!(exponent >= -128 && exponent <= 127 - MAX_SHIFT))
      throw new RangeError(`an exponent of −128 … ${127 - MAX_SHIFT}, got ${exponent}`);
    const { exports } = this.module;
    const bytes = bits === 4 ? (n + 1) >> 1 : n;
    if (MAX_HEADER + c + bytes > MAX_FRAME) throw new RangeError("too many elements for one frame");
    const [x, steps, exponents, out] = this.module.areas(4 * n, n, c / group, MAX_HEADER + c + bytes);
    this.module.put(x, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    exports.quantizeGradient(x, h * w, c, group, bits, exponent, key, steps, exponents);
    if (bits === 4) exports.packNibbles(steps, n);
    const type = FrameType.gradient | (bits === 4 ? NIBBLES : 0);
    let length = exports.writeFull(out, type, to.model, to.codebook, to.sequence);
    for (const number of [h, w, c, group]) length = exports.writeVarint(out, length, number);
    this.module.bytes.copyWithin(out + length, exponents, exponents + c / group);
    length += c / group;
    this.module.bytes.copyWithin(out + length, steps, steps + bytes);
    return this.seal16(out, length + bytes);
  }

  decodeGradient(frame: Uint8Array): Gradient {
    const [at] = this.module.areas(frame.length);
    const words = parse(this.module, frame, at);
    this.verify(at, CRC_START);
    this.#expect(words.type, FrameType.gradient);
    const n = words.h * words.w * words.c;
    const groups = words.c / words.sets;
    const [input, steps] = this.module.areas(frame.length, n);
    if (words.bits === 4) this.module.exports.unpackNibbles(input + words.body, n, steps);
    return {
      model: words.model,
      codebook: words.codebook,
      sequence: words.sequence >>> 0,
      bits: words.bits as 4 | 8,
      shape: [words.h, words.w, words.c],
      group: words.sets,
      exponents: this.module.copyInt8(input + words.tables, groups),
      values: this.module.copyInt8(words.bits === 4 ? steps : input + words.body, n),
    };
  }

  encodeNack({ model, codebook, sequence, reason, detail }: Nack): Uint8Array {
    const [out] = this.module.areas(MAX_HEADER);
    const { exports } = this.module;
    const length = exports.writeFull(out, FrameType.nack, model, codebook, sequence);
    this.module.bytes[out + length] = reason;
    return this.seal16(out, exports.writeVarint(out, length + 1, detail));
  }

  encodeAck(ack: { model: number; codebook: number; sequence: number }): Uint8Array {
    const [out] = this.module.areas(MAX_HEADER);
    const { model, codebook, sequence } = ack;
    return this.seal16(out, this.module.exports.writeFull(out, FrameType.ack, model, codebook, sequence));
  }

  decodeNack(frame: Uint8Array): Nack {
    const [at] = this.module.areas(frame.length);
    const words = parse(this.module, frame, at);
    this.verify(at, CRC_START);
    this.#expect(words.type, FrameType.nack);
    const { model, codebook } = words;
    return {
      model,
      codebook,
      sequence: words.sequence >>> 0,
      reason: words.tables as NackReason,
      detail: words.body >>> 0,
    };
  }

  decodeAck(frame: Uint8Array): FrameHeader {
    const [at] = this.module.areas(frame.length);
    const words = parse(this.module, frame, at);
    this.verify(at, CRC_START);
    this.#expect(words.type, FrameType.ack);
    return headerOf(words);
  }

  /** The CRC field of the frame at `at`, whose header was read. @throws SgqError if it is not that of its bytes */
  protected verify(at: number, start: number): number {
    const crc = this.module.exports.verify(at, this.module.header, start);
    if (crc < 0) refuse(NackReason.crc);
    return crc;
  }

  /** Appends the CRC to a frame that was written. */
  private seal16(out: number, length: number): Uint8Array {
    const crc = this.module.exports.crc16(out, length, CRC_START);
    this.module.bytes[out + length] = crc & 255;
    this.module.bytes[out + length + 1] = crc >> 8;
    return this.module.copy(out, length + CRC_BYTES);
  }

  #expect(type: number, wanted: number): void {
    if (type !== wanted)
      throw new SgqError(NackReason.malformed, 1, `a frame of type ${type} where ${wanted} is expected`);
  }
}
