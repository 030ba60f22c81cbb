// What a module's self-test runs besides a model of octo's: a part of a module that has golden vectors of its own says so. A module
// that has no such part pays nothing for it.

let probe: u32 = 0;

/** Joins a digest of golden vectors to that of the self-test; one per module, before `init` ends. */
export function setProbe(run: (digest: u32) => u32): void {
  probe = run.index;
}

/** The digest with what the probe adds to it; as it was if there is none. */
export function probed(digest: u32): u32 {
  return probe ? call_indirect<u32>(probe, digest) : digest;
}
