// as-pect: unit tests of assembly/**, written in AssemblyScript and run in Node (`npx asp`; `npm test` runs them too).

/** Code, where, got, want of the last `fail` of the module under test; the spec asks for them (assembly/int8/__tests__/support.ts). */
const failure = [0, 0, 0, 0];

/** What the modules import from their host; there is no sensor and no link. */
const host = {
  fail(...numbers) {
    failure.splice(0, 4, ...numbers);
    throw new Error(
      `module error ${numbers[0]} (where ${numbers[1]}, got ${numbers[2]}, want ${numbers[3]})`,
    );
  },
  sensorRead: () => 0,
  publish: () => 0,
  log: () => {},
  clock: () => 0n,
};
const spec = {
  failure: (index) => failure[index],
  forget: () => failure.fill(0),
};

export default {
  entries: [process.env.OCTOMOTE_SPEC ?? "assembly/**/__tests__/*.spec.ts"],
  include: ["assembly/**/__tests__/*.include.ts"],
  disclude: [/node_modules/],
  instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory }, octomote_1: host, octomote_spec: spec }));
  },
  outputBinary: false,
};
