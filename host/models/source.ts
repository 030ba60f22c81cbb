// The app that an imported model becomes: one file that a user reads and changes, one with its numbers.
import type { Shape } from "./graph.ts";

export interface AppFacts {
  /** Name of the app, and of the model file that it comes from. */
  name: string;
  model: string;
  input: Shape;
  /** Outputs of the head; 0: the model has none. */
  classes: number;
  hasBackbone: boolean;
  /** Lines that say how good it is. */
  notes: readonly string[];
}

/** The app itself, in the style of docs/start.md. */
export function appSource({ classes, hasBackbone, input, model, name, notes }: AppFacts): string {
  const imports = [
    ...(hasBackbone ? ["backbone"] : []),
    ...(classes > 0 ? ["dense"] : []),
    "Model",
    ...(classes > 0 ? ["param"] : ["publish"]),
    "sensor",
    ...(classes > 0 ? ["Trainer"] : []),
  ];
  const numbers = [...(hasBackbone ? ["NET"] : []), ...(classes > 0 ? ["HEAD", "HEAD_BYTES"] : [])].sort();
  const layers = [
    ...(hasBackbone ? ["  .add(backbone(NET))"] : []),
    ...(classes > 0 ? [`  .add(dense(${classes}))`] : []),
  ];
  const head =
    classes > 0
      ? [
          "// the dense layer begins with the model's own last layer, and learns",
          "model.load(HEAD, HEAD_BYTES);",
          'const trainer = new Trainer(model, { learningRate: param("lr", 0.001) });',
        ]
      : [];
  const step =
    classes > 0
      ? [
          "  if (frame.hasLabel) trainer.step(frame, frame.label); // a held-out frame is only evaluated",
          "  trainer.report(seen.argmax()); // class, loss, accuracy, steps",
        ]
      : ["  publish.state(seen.argmax(), 0); // index of the largest output"];
  return [
    `// ${name}.ts: ${model} in INT8, written by \`octomote import\`.`,
    ...notes.map((note) => `// ${note}`),
    `import { ${imports.join(", ")} } from "octomote/assembly";`,
    `import { ${numbers.join(", ")} } from "./${name}-net";`,
    "",
    ...(hasBackbone ? ["// what the backbone computes is fixed"] : []),
    `const model = new Model([${input.join(", ")}])`,
    `${layers.join("\n")};`,
    ...head,
    "",
    "export function step(): void {",
    `  const frame = sensor.frame(); // int8 [${input.join(", ")}], in place`,
    "  const seen = model.infer(frame);",
    ...step,
    "}",
    "",
  ].join("\n");
}

/** The file of numbers. */
export function numbersSource(name: string, net: Uint8Array | null, head: Uint8Array | null): string {
  return [
    `// The numbers of ${name}.ts: network and head (docs/models.md). Written by \`octomote import\`.`,
    ...(net ? [array("NET", net)] : []),
    ...(head ? [array("HEAD", head), `export const HEAD_BYTES: i32 = ${head.length};`] : []),
    "",
  ].join("\n");
}

/** Bytes as words of static data. */
function array(name: string, bytes: Uint8Array): string {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const words = new Uint32Array(padded.buffer);
  const lines: string[] = [];
  for (let i = 0; i < words.length; i += 8) lines.push(`    ${[...words.subarray(i, i + 8)].join(", ")},`);
  return [`export const ${name}: usize = memory.data<u32>(`, "  [", ...lines, "  ],", "  4,", ");"].join(
    "\n",
  );
}
