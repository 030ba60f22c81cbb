// A publication of a device, taken apart: labels, frame, samples. It knows nothing of what came before, so any worker can do it.

import { decodeLabelled, type Label } from "../../protocol/labelled.ts";
import { MessageError } from "../../protocol/message-error.ts";
import {
  type DecodeContext,
  type DecodedSample,
  type FrameHeader,
  FrameType,
  type Nack,
  NackReason,
  type Sgq,
  SgqError,
} from "../../sgq/types.ts";
import type { CodebookShelf } from "./shelf.ts";

export type Decoded =
  | {
      readonly kind: "samples";
      readonly header: FrameHeader;
      /** One for each sample, or none. */
      readonly labels: readonly Label[];
      readonly samples: readonly DecodedSample[];
      readonly crc: number;
      /** 0: self-contained. */
      readonly codebook: number;
      /** Bytes of the SGQ frame. */
      readonly bytes: number;
    }
  | { readonly kind: "nack"; readonly nack: Nack }
  | { readonly kind: "ack"; readonly header: FrameHeader }
  | {
      readonly kind: "refused";
      /** Of a frame's header, as far as it could be read. */
      readonly header?: FrameHeader;
      /** What a nack tells; of a payload that is no frame `malformed`. */
      readonly reason: NackReason;
      readonly detail: number;
      readonly message: string;
    };

export function decodePublication(
  codec: Sgq,
  shelf: CodebookShelf,
  payload: Uint8Array,
  reference?: DecodeContext["reference"],
): Decoded {
  let header: FrameHeader | undefined;
  try {
    const { labels, frame } = decodeLabelled(payload);
    header = codec.header(frame);
    if (header.type === FrameType.nack) return { kind: "nack", nack: codec.decodeNack(frame) };
    if (header.type === FrameType.ack) return { kind: "ack", header: codec.decodeAck(frame) };
    if (header.type !== FrameType.data)
      throw new SgqError(NackReason.malformed, 0, "a frame that no device sends");
    const { samples, crc, codebook } = codec.decode(frame, {
      find: (of) => shelf.find(of),
      ...(reference && { reference }),
    });
    if (labels.length > 0 && labels.length !== samples.length)
      throw new MessageError(`labelled features: ${labels.length} labels for ${samples.length} samples`);
    const version = codebook?.book.version ?? 0;
    return { kind: "samples", header, labels, samples, crc, codebook: version, bytes: frame.length };
  } catch (error) {
    if (error instanceof SgqError) {
      const { reason, detail, message } = error;
      return { kind: "refused", ...(header && { header }), reason, detail, message };
    }
    if (!(error instanceof MessageError)) throw error;
    return {
      kind: "refused",
      ...(header && { header }),
      reason: NackReason.malformed,
      detail: 0,
      message: error.message,
    };
  }
}
