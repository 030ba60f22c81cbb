/**
 * What each feature adds to a module: the difference between two apps, of which the second has one thing more. The apps
 * grow towards assembly/apps/trainer.ts, which is the last one but for its parameters.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuiltModule, buildModules, ROOT, type Target } from "../../host/build/modules.ts";

export interface FeatureBytes {
  feature: string;
  /** Module bytes with it, and how many of them it brought. */
  bytes: Record<Target, number>;
  added: Record<Target, number>;
}

interface Step {
  /** Names the app's file. */
  app: string;
  feature: string;
  imports: string;
  body: string;
}

const REPORT = "const seen = model.infer(frame);\n  publish.state(seen.argmax(), 0);";
const TRAIN = "const seen = model.infer(frame);\n  if (frame.hasLabel) trainer.step(frame, frame.label);";
const net = (...added: string[]): string =>
  `const model = new Model([28, 28, 1])${added.map((one) => `.add(${one})`).join("")};\n`;
const step = (body: string): string => `export function step(): void {\n  ${body}\n}\n`;
const onFrame = (body: string): string => step(`const frame = sensor.frame();\n  ${body}`);

const POOLED = ["dense(16)", "relu()", "maxPool(1)", "dense(10)"];
const CONVOLVED = [
  "conv2d(8, 5)",
  "relu()",
  "maxPool(2)",
  "conv2d(16, 5)",
  "relu()",
  "maxPool(2)",
  "dense(10)",
];
const trainer = (options: string): string => `const trainer = new Trainer(model, { ${options} });\n`;

/** Each app has what the one before it has. */
const STEPS: readonly Step[] = [
  { app: "empty", feature: "module ABI, arena, an app that does nothing", imports: "", body: step("") },
  {
    app: "dense",
    feature: "sensor, model with dense layers, inference, report",
    imports: "dense, Model, publish, sensor",
    body: net("dense(16)", "dense(10)") + onFrame(REPORT),
  },
  {
    app: "relu",
    feature: "relu",
    imports: "dense, Model, publish, relu, sensor",
    body: net("dense(16)", "relu()", "dense(10)") + onFrame(REPORT),
  },
  {
    app: "pool",
    feature: "max pool",
    imports: "dense, maxPool, Model, publish, relu, sensor",
    body: net(...POOLED) + onFrame(REPORT),
  },
  {
    app: "conv",
    feature: "conv2d",
    imports: "conv2d, dense, maxPool, Model, publish, relu, sensor",
    body: net(...CONVOLVED) + onFrame(REPORT),
  },
  {
    app: "train",
    feature: "training: loss, backward pass, SGD",
    imports: "conv2d, dense, fixed, maxPool, Model, publish, relu, sensor, Trainer",
    body:
      net(...CONVOLVED) +
      trainer("learningRate: fixed(0.005), totalSteps: 0") +
      onFrame(`${TRAIN}\n  publish.state(seen.argmax(), trainer.loss);`),
  },
  {
    app: "report",
    feature: "full state record (accuracy, steps, saturation)",
    imports: "conv2d, dense, fixed, maxPool, Model, relu, sensor, Trainer",
    body:
      net(...CONVOLVED) +
      trainer("learningRate: fixed(0.005), totalSteps: 0") +
      onFrame(`${TRAIN}\n  trainer.report(seen.argmax());`),
  },
  {
    app: "param",
    feature: "parameters by name (lr, steps)",
    imports: "conv2d, dense, maxPool, Model, param, paramInt, relu, sensor, Trainer",
    body:
      net(...CONVOLVED) +
      trainer('learningRate: param("lr", 0.005), totalSteps: paramInt("steps", 0)') +
      onFrame(`${TRAIN}\n  trainer.report(seen.argmax());`),
  },
];

/** Compiles every app of the chain for both targets. */
export async function measureFeatures(): Promise<FeatureBytes[]> {
  const sources = join(ROOT, "dist/bench/features");
  await rm(sources, { recursive: true, force: true });
  await mkdir(sources, { recursive: true });
  const apps = await Promise.all(
    STEPS.map(async ({ app, imports, body }) => {
      const path = join(sources, `${app}.ts`);
      await writeFile(path, (imports && `import { ${imports} } from "octomote/assembly";\n\n`) + body);
      return path;
    }),
  );
  const built = await buildModules({ apps, out: join(ROOT, "dist/bench/modules") });
  const bytesOf = (app: string): Record<Target, number> => ({
    portable: find(built, app, "portable").bytes,
    device: find(built, app, "device").bytes,
  });
  let before: Record<Target, number> = { portable: 0, device: 0 };
  return STEPS.map(({ app, feature }) => {
    const bytes = bytesOf(app);
    const added = { portable: bytes.portable - before.portable, device: bytes.device - before.device };
    before = bytes;
    return { feature, bytes, added };
  });
}

/** One module of a build. @throws Error if it was not built */
export function find(built: readonly BuiltModule[], app: string, target: Target): BuiltModule {
  const module = built.find((one) => one.app === app && one.target === target);
  if (module === undefined) throw new Error(`${app} was not built for ${target}`);
  return module;
}
