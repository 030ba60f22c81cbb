// The app that README.md shows: tests compile and run the very text that a reader copies.
import { readFileSync } from "node:fs";

/** The first block of TypeScript in README.md. */
export function readmeApp(): string {
  const block = /^```ts\n([\s\S]*?)^```$/m.exec(readFileSync("README.md", "utf8"))?.[1];
  if (block === undefined) throw new Error("README.md has no block of TypeScript (```ts)");
  return block;
}
