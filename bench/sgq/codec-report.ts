/** What SGQ's codec costs, as tables. */
import type { CodecResult } from "../sgq-codec.ts";
import { markdownTable } from "../tables.ts";

/** Elements of a sample. */
const ELEMENTS = 3136;

export function codecTable({ forms }: CodecResult): string {
  return markdownTable(
    ["form", "instructions", "per element", "in WASM alone", "bytes of a frame", "tables", "codebook"],
    forms.map(({ form, instructions: { device, portable }, frame, tables, codebook }) => [
      form,
      device?.mean ?? "–",
      device ? (device.mean / ELEMENTS).toFixed(1) : "–",
      portable?.mean ?? "–",
      frame.toFixed(0),
      tables,
      codebook,
    ]),
  );
}

export function hostTable({ host }: CodecResult): string {
  return markdownTable(
    ["one core", "samples per second", "MB/s of features", "times zstd"],
    host.map(({ what, samplesPerSecond, megabytesPerSecond, againstZstd }) => [
      what,
      samplesPerSecond,
      megabytesPerSecond.toFixed(1),
      againstZstd.toFixed(2),
    ]),
  );
}

export function codecBytes({ bytes: { native, module, empty } }: CodecResult): string {
  return markdownTable(
    ["code", "bytes"],
    [
      ["intrinsics in the firmware", native],
      ["module for a device that does nothing but send", module.device],
      ["the same, portable", module.portable],
      ["module for a device that does nothing", empty.device],
    ],
  );
}
