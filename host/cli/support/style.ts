// Colours of the terminal. NO_COLOR switches them off, FORCE_COLOR on; otherwise a terminal has them and a file not.

import { stripVTControlCharacters } from "node:util";

function wanted(): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR) return false;
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return process.stdout.isTTY === true && TERM !== "dumb";
}

const enabled = wanted();

function paint(open: number, close: number): (text: string) => string {
  return enabled ? (text) => `\x1b[${open}m${text}\x1b[${close}m` : (text) => text;
}

export const style = {
  bold: paint(1, 22),
  dim: paint(2, 22),
  red: paint(31, 39),
  green: paint(32, 39),
  yellow: paint(33, 39),
  blue: paint(34, 39),
  magenta: paint(35, 39),
  cyan: paint(36, 39),
};

/** Columns that a text takes on the screen (all of ours are one column a character). */
export function widthOf(text: string): number {
  return [...stripVTControlCharacters(text)].length;
}

/** Pads with spaces to `width` columns, at the left when `right` is true. */
export function pad(text: string, width: number, right = false): string {
  const fill = " ".repeat(Math.max(0, width - widthOf(text)));
  return right ? fill + text : text + fill;
}

/** Cuts to `width` columns, colours kept whole, with an ellipsis where something was cut. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let out = "";
  let used = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is looked for
  for (const part of text.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith("\x1b[")) {
      out += part;
      continue;
    }
    for (const character of part) {
      if (used < width - 1) out += character;
      else if (used === width - 1) out += "…";
      used++;
    }
  }
  return out;
}

/** Makes text from elsewhere (a device's log, a topic) harmless: no control character reaches the terminal. */
export function harmless(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trimEnd();
}
