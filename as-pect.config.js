// as-pect: unit tests of assembly/**, written in AssemblyScript and run in Node (`npx asp`; `npm test` runs them too).
export default {
  entries: [process.env.OCTOMOTE_SPEC ?? "assembly/**/__tests__/*.spec.ts"],
  include: ["assembly/**/__tests__/*.include.ts"],
  disclude: [/node_modules/],
  instantiate(memory, createImports, instantiate, binary) {
    return instantiate(binary, createImports({ env: { memory } }));
  },
  outputBinary: false,
};
