// The exports of every module (docs/abi.md): compiled beside the app's own file, whose exports (`step`, and `message` if
// it wants one) join them.
import * as arena from "./arena";
import "./runtime";
import { CONFIG, memoryLimit, setUsed } from "./config";
import { setLimit } from "./limit";
import * as model from "../octo/model";
import { selfTest as run } from "../octo/self-test";

/** ABI version. */
export function abi(): i32 {
  return 1;
}

/** Address of the configuration block; callable before anything else has run. */
export function config(): usize {
  return CONFIG;
}

/** Lays out the model; from here on nothing is allocated. */
export function init(): void {
  // the intrinsics that a portable module carries check pointers against it
  if (!isDefined(OCTOMOTE_DEVICE)) setLimit(memoryLimit());
  model.build();
  arena.seal();
  setUsed(arena.used());
}

/** Runs golden vectors through the model and its trainer; returns a digest. Spoils the state: load the module anew. */
export function selfTest(): u32 {
  return run();
}

/** The learned state was overwritten by the host. */
export function restore(): void {
  model.restore();
}
