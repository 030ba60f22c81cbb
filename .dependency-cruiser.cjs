// Who may import whom (docs/decisions.md, "Direction of imports"). `npm run check` fails on anything else.
// `layer(from, to)`: files of host/<from> may import host/<from> and the host folders in `to`, and no other host code.

/** @param {string} from @param {string[]} to @param {string} why */
const layer = (from, to, why) => ({
  name: `host-${from}`,
  comment: why,
  severity: "error",
  from: { path: `^host/${from}/` },
  to: { path: "^host/", pathNot: [from, ...to].map((folder) => `^host/${folder}/`) },
});

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    layer("protocol", [], "frames and messages: knows nobody"),
    layer("link", ["protocol"], "transports and framing: knows the protocol alone"),
    layer("dashboard", ["protocol"], "an MQTT client in a page, nothing more"),
    layer("module", ["protocol"], "runs a module in Node and browsers: knows no device and no broker"),
    layer("sgq", ["protocol"], "the feature codec: knows frames, not who sends them"),
    layer("data", ["protocol", "module"], "data sets: knows the shape of a sample, no device"),
    layer("build", ["protocol", "module"], "compilers: knows what a module is, not who runs it"),
    layer(
      "pass",
      ["protocol", "module", "build"],
      "networks for PASS, and the module that runs them in Node",
    ),
    layer(
      "models",
      ["protocol", "module", "build", "data", "pass"],
      "models of the ecosystem, in and out: knows no device and no broker",
    ),
    layer("bridge", ["protocol", "link"], "devices ↔ MQTT: takes links, does not start devices"),
    layer("devices", ["protocol", "link", "data", "module", "build"], "virtual devices: know no broker"),
    layer(
      "replay",
      ["protocol", "link", "data", "module", "devices"],
      "sessions of devices, recorded and repeated: knows no broker and no command",
    ),
    layer("ota", ["protocol", "link", "module", "build"], "manifests and rollout: know no command"),
    layer(
      "cloud",
      ["protocol", "module", "data", "sgq"],
      "ingest: knows what devices send, not how they are reached",
    ),
    {
      name: "nobody-imports-cli",
      comment: "a verb wires parts together; parts know no verb",
      severity: "error",
      from: { path: "^(host|bench)/", pathNot: "^host/cli/" },
      to: { path: "^host/cli/" },
    },
    {
      name: "browser-safe",
      comment: "these run in a page too, where Node's own modules do not exist",
      severity: "error",
      from: { path: "^host/(protocol|module|sgq|dashboard)/", pathNot: "vite\\.config\\.ts$" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "assembly-alone",
      comment:
        "what runs on a device knows nothing of host, boards or packages; apps import this package by its name",
      severity: "error",
      from: { path: "^assembly/", pathNot: "\\.mjs$" },
      to: { pathNot: ["^assembly/", "^octomote/assembly"] },
    },
    {
      name: "assembly-is-compiled",
      comment: "AssemblyScript reaches the host as a compiled module, never as source",
      severity: "error",
      from: { path: "^(host|bench|tests)/", pathNot: ["^bench/apps/", "^tests/.+/apps/"] },
      to: { path: ["^assembly/", "^octomote/assembly"] },
    },
    {
      name: "product-without-tests",
      comment: "what is published does not need what is not",
      severity: "error",
      from: { path: "^(host|assembly)/" },
      to: { path: "^(tests|bench|boards)/" },
    },
    {
      name: "bench-without-tests",
      severity: "error",
      from: { path: "^bench/" },
      to: { path: "^tests/", pathNot: "^tests/support/" },
    },
    {
      name: "no-cycles",
      comment:
        "two files that need each other when they start are one file, or three; types alone may go round",
      severity: "error",
      from: { pathNot: "^assembly/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-cycles-of-folders",
      comment:
        "AssemblyScript imports types like values: files of one folder may know each other, folders may not",
      severity: "error",
      from: { path: "^assembly/([^/]+)/" },
      to: { circular: true, via: { pathNot: "^assembly/$1/" } },
    },
    {
      name: "resolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true, pathNot: ["^octomote/assembly", "[.](css|svg|html)$"] },
    },
    {
      name: "no-dev-dependency-in-product",
      comment: "an install of the package brings dependencies, not devDependencies",
      severity: "error",
      from: { path: "^host/" },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(build|dist)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default", "types"],
    },
  },
};
