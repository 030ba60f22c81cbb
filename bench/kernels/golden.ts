/**
 * Figures that may not get worse: every count and size of a measurement by name, kept in bench/golden/kernels.json.
 * Counts are exact, so a difference is a change of the code or of a tool.
 */
import type { KernelsResult } from "./measure.ts";

/** More than this share above the golden figure is a regression. */
export const TOLERANCE = 0.02;
/** Regions of a few hundred instructions may move by this many. */
const INSTRUCTIONS = 100;

export interface Golden {
  tools: KernelsResult["tools"];
  figures: Record<string, number>;
}

export interface Verdict {
  /** One line for each figure that got worse by more than the tolerance. */
  regressions: string[];
  /** Figures that got better by as much: the golden file is due for an update. */
  improvements: string[];
  compared: number;
  /** Why instructions were not compared, if they were not. */
  skipped?: string;
}

/** A measurement as figures by name; names that end in `bytes` do not depend on a C compiler. */
export function figuresOf({ apps, trainer, features, memory }: KernelsResult): Record<string, number> {
  const figures: Record<string, number> = {};
  for (const { app, targets } of apps) {
    for (const [target, { bytes, ram, parts }] of Object.entries(targets)) {
      figures[`${app} (${target}): module bytes`] = bytes;
      figures[`${app} (${target}): RAM`] = ram;
      for (const part of parts) figures[`${app} (${target}): ${part.name}: instructions`] = part.instructions;
    }
  }
  for (const [target, bytes] of Object.entries(trainer.bytes)) {
    figures[`trainer (${target}): module bytes`] = bytes;
  }
  for (const { feature, bytes } of features) {
    for (const [target, size] of Object.entries(bytes))
      figures[`with ${feature} (${target}): module bytes`] = size;
  }
  for (const [target, { ram, flash }] of Object.entries(memory)) {
    figures[`trainer (${target}): RAM`] = ram;
    figures[`trainer (${target}): flash`] = flash;
  }
  return figures;
}

/** Compares what was measured; a short measurement lacks figures, which are left out. */
export function compare(golden: Golden, result: KernelsResult): Verdict {
  const measured = figuresOf(result);
  const sameTools = JSON.stringify(golden.tools) === JSON.stringify(result.tools);
  const verdict: Verdict = { regressions: [], improvements: [], compared: 0 };
  if (!sameTools) {
    verdict.skipped = `module bytes alone were compared: the golden figures were made with ${describe(golden.tools)}, these with ${describe(result.tools)}`;
  }
  for (const { app, target, why } of result.failures) {
    verdict.regressions.push(`${app} (${target}) does not run: ${why}`);
  }
  for (const [name, value] of Object.entries(measured)) {
    const before = golden.figures[name];
    if (before === undefined) {
      verdict.regressions.push(`${name}: no golden figure; npm run bench:kernels -- --update`);
      continue;
    }
    if (!sameTools && !name.endsWith("bytes")) continue;
    verdict.compared++;
    const line = `${name}: ${before} → ${value} (${(100 * (value / before - 1)).toFixed(1)} %)`;
    const least = name.endsWith("instructions") ? INSTRUCTIONS : 0;
    const allowed = Math.max(before * TOLERANCE, least);
    if (value > before + allowed) verdict.regressions.push(line);
    else if (value < before - allowed) verdict.improvements.push(line);
  }
  return verdict;
}

const describe = ({ gcc, qemu, engine }: Golden["tools"]): string => `${gcc}, ${qemu}, ${engine}`;
