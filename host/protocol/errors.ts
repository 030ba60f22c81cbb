// Words for error codes: names, sentences for people, and docs/errors.md. The codes are in error-table.ts.

import { ERRORS, type ErrorEntry } from "./error-table.ts";
import { INTRINSICS } from "./intrinsics.ts";

export { ERRORS, type ErrorEntry };

/** What a device or module tells of an error. */
export interface Fault {
  /** A code of the table; 0 is no error. */
  code: number;
  where?: number;
  got?: number;
  want?: number;
  /** What numbers do not say, such as the name of a refused import. */
  text?: string;
}

/** The codes that the host raises itself. */
export const HostError = {
  unknownVerb: 60,
  badRequest: 61,
  busy: 80,
  timeout: 81,
  linkDown: 82,
  badMessage: 83,
} as const;

/** Layers by kind (assembly/octo/layer.ts). */
export const LAYERS: readonly string[] = [
  "input",
  "conv2d",
  "dense",
  "maxPool",
  "relu",
  "depthwise",
  "averagePool",
  "add",
  "backbone",
];

/** The entry points of a module by number (docs/errors.md): `where` of a trap. */
export const ENTRY_POINTS: readonly string[] = [
  "",
  "abi",
  "config",
  "initialize",
  "init",
  "step",
  "message",
  "selfTest",
  "restore",
];

const BY_CODE = new Map(ERRORS.map((entry) => [entry.code, entry]));
const BY_NAME = new Map(ERRORS.map((entry) => [entry.name, entry]));

/** The name of an error; `error-<code>` if this release does not know it. */
export function errorName(code: number): string {
  if (code === 0) return "ok";
  return BY_CODE.get(code)?.name ?? `error-${code}`;
}

/** The code of an error by its name, undefined if there is none. */
export function errorCode(name: string): number | undefined {
  return BY_NAME.get(name)?.code;
}

/** A sentence or two for a person: what failed, where, what was given, and what to do. */
export function describeFault(fault: Fault): string {
  const entry = BY_CODE.get(fault.code);
  if (entry === undefined) return `error ${fault.code}, which this release does not know: update Octomote.`;
  const details: string[] = [];
  if (fault.text) details.push(fault.text);
  if (entry.got !== undefined && fault.got !== undefined) details.push(`${entry.got}: ${fault.got}`);
  if (entry.want !== undefined && fault.want !== undefined) details.push(`${entry.want}: ${fault.want}`);
  const told = details.length > 0 ? ` (${details.join("; ")})` : "";
  return `${place(entry, fault.where)}${entry.message}${told}. ${entry.advice}`;
}

function place(entry: ErrorEntry, where: number | undefined): string {
  if (where === undefined) return "";
  switch (entry.where) {
    case "intrinsic": {
      const name = INTRINSICS.get(where);
      return name === undefined ? "" : `${name}: `;
    }
    case "layer":
      if (where < 0) return "the model's input: ";
      return `layer ${where >>> 8} (${LAYERS[where & 255] ?? "of an unknown kind"}): `;
    case "export":
      return ENTRY_POINTS[where] ? `${ENTRY_POINTS[where]}: ` : "";
    case "byte offset":
      return `at byte ${where}: `;
    case "index of the import":
      return `import ${where}: `;
    case "header word":
      return `word ${where} of the header: `;
    default:
      return "";
  }
}

const GROUPS: readonly [title: string, low: number, high: number][] = [
  ["Arguments of an intrinsic", 1, 19],
  ["Model", 20, 39],
  ["Engine and module", 40, 59],
  ["Requests", 60, 79],
  ["Link, told by the host", 80, 99],
];

/** The text of docs/errors.md. */
export function errorsMarkdown(): string {
  const lines = [
    "# Error codes",
    "",
    "One table for modules, firmware and host, printed from `host/protocol/error-table.ts` by `npx vitest run tests/protocol -u`.",
    "An error is four numbers: code, `where`, `got`, `want`; where the firmware knows more (the name of a refused import), a",
    "response carries it as text (key 9) and the log says it. Code 0 is no error.",
  ];
  for (const [title, low, high] of GROUPS) {
    lines.push("", `## ${title}`, "");
    lines.push("| code | name | meaning | where | got, want | what to do |", "|---|---|---|---|---|---|");
    for (const entry of ERRORS) {
      if (entry.code < low || entry.code > high) continue;
      const numbers = [entry.got, entry.want].filter((text) => text !== undefined).join(", ");
      const where = entry.where === "layer" ? "layer index << 8 \\| kind" : (entry.where ?? "");
      const { code, name, message, advice } = entry;
      lines.push(
        `| ${code} | \`${name}\` | ${message} | ${where} | ${numbers} | ${advice} |`.replace(/ {2}\|/g, " |"),
      );
    }
  }
  const entries = ENTRY_POINTS.slice(1).map((name, i) => `${i + 1} \`${name}\``);
  lines.push(
    "",
    `\`export\` counts the entry points in the order of \`docs/abi.md\`: ${entries.join(", ")}.`,
  );
  return `${lines.join("\n")}\n`;
}
