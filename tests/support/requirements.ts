// What a test suite needs besides Node and npm: asked for with `requires`, looked up on this machine, and, where
// something is missing, told to the runner (tests/run.ts), which prints one list at its end. Installing is the
// business of tests/setup.sh.
import { appendFileSync, existsSync } from "node:fs";
import { join, relative } from "node:path";
import { describe, expect } from "vitest";
import { findCompiler, findProgram as findOnPath } from "../../host/build/toolchain.ts";
import { datasetFolders } from "../../host/data/dataset.ts";

/** A tool or data set: how to tell that it is here, and the Debian packages that bring it. */
interface Requirement {
  packages: string[];
  present(): boolean;
}

/** Where a program lies: on PATH, or in the system's own folders, which a user's PATH leaves out. */
export function findProgram(name: string): string | undefined {
  const places = [name, ...["/usr/local/sbin", "/usr/sbin", "/sbin"].map((folder) => join(folder, name))];
  return places.map(findOnPath).find((path) => path !== undefined);
}

const program = (name: string, ...packages: string[]): Requirement => ({
  packages,
  present: () => findProgram(name) !== undefined,
});

const file = (paths: string[], ...packages: string[]): Requirement => ({
  packages,
  present: () => paths.some((path) => existsSync(path)),
});

/** Everything that a suite may ask for. A new name goes into tests/setup.sh as well. */
export const REQUIREMENTS = {
  gcc: { packages: ["gcc", "libc6-dev"], present: () => findCompiler() !== undefined } as Requirement,
  // libFuzzer comes with the runtime libraries of whatever clang Debian has
  clang: program("clang", "clang", "libclang-rt-dev"),
  "arm-none-eabi-gcc": program("arm-none-eabi-gcc", "gcc-arm-none-eabi", "libnewlib-arm-none-eabi"),
  "qemu-system-arm": program("qemu-system-arm", "qemu-system-arm"),
  mosquitto: program("mosquitto", "mosquitto"),
  socat: program("socat", "socat"),
  openssl: program("openssl", "openssl"),
  ffmpeg: program("ffmpeg", "ffmpeg"),
  chromium: program("chromium", "chromium"),
  "clang-format": program("clang-format", "clang-format"),
  // QEMU's TCG plugins include glib.h, and find it through pkg-config.
  glib: file(
    [
      "/usr/include/glib-2.0/glib.h",
      "/usr/local/include/glib-2.0/glib.h",
      ...(process.env.GLIB_INCLUDE === undefined ? [] : [join(process.env.GLIB_INCLUDE, "glib.h")]),
    ],
    "libglib2.0-dev",
    "pkg-config",
  ),
  "fashion-mnist": file(
    datasetFolders("fashion-mnist").flatMap((folder) =>
      ["", ".gz"].map((ending) => join(folder, `train-images-idx3-ubyte${ending}`)),
    ),
    "dataset-fashion-mnist",
  ),
} satisfies Record<string, Requirement>;

export type RequirementName = keyof typeof REQUIREMENTS;

/** One line of the runner's list: a suite that did not run, what it lacks, and what would bring it. */
export interface Unmet {
  suite: string;
  missing: string[];
  packages: string[];
}

export interface Requires {
  /** Names that were not found; empty when the suite can run. */
  missing: RequirementName[];
  /** For `describe.skipIf(….skip)` and `it.skipIf(….skip)`. */
  skip: boolean;
  /** `describe`, or `describe.skip` when something is missing. */
  describe: typeof describe | typeof describe.skip;
}

/** Which of `names` are missing on this machine. */
export function missingOf(names: readonly RequirementName[]): RequirementName[] {
  return names.filter((name) => !REQUIREMENTS[name].present());
}

/** The Debian packages that bring `names`, each once. */
export function packagesOf(names: readonly RequirementName[]): string[] {
  return [...new Set(names.flatMap((name) => REQUIREMENTS[name].packages))];
}

/** Adds a line to the runner's list. Without a runner (plain vitest) it is printed. */
export function reportUnmet(unmet: Unmet): void {
  const list = process.env.OCTOMOTE_UNMET;
  if (list !== undefined) appendFileSync(list, `${JSON.stringify(unmet)}\n`);
  else console.warn(`${unmet.suite} does not run: ${unmet.missing.join(", ")} missing. npm run setup`);
}

/**
 * Says what a suite needs, before its `describe`:
 *
 *     const arm = requires("arm-none-eabi-gcc", "qemu-system-arm");
 *     arm.describe("mps2-an386", () => { … });
 *
 * Whatever is missing skips the suite and puts it on the runner's list; with CI=true that is a failure of the run.
 */
export function requires(...names: RequirementName[]): Requires {
  const missing = missingOf(names);
  if (missing.length > 0) {
    const path = expect.getState().testPath;
    const suite = path === undefined ? "a suite" : relative(process.cwd(), path);
    reportUnmet({ suite, missing, packages: packagesOf(missing) });
  }
  return { missing, skip: missing.length > 0, describe: missing.length > 0 ? describe.skip : describe };
}
