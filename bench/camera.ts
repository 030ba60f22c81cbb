/**
 * `npm run train:camera`: trains the nets of the camera app and of bench:pass in FP32, quantises them to INT8, and tells how
 * good they are. The same seed gives the same bytes.
 *
 *     --net NAME         one of bench/camera/tasks.ts; default: all of them
 *     --steps N          fewer or more updates than the task's own
 *     --write            writes bench/nets/NAME.json, and the app's net to assembly/apps/camera/net.ts
 */
import { writeFile } from "node:fs/promises";
import { netSource } from "../host/pass/net.ts";
import { parseArgs } from "./arguments.ts";
import { quantise } from "./camera/quantise.ts";
import { APP_NET, TASKS, type Task } from "./camera/tasks.ts";
import { averagePrecisionOf } from "./camera/test.ts";
import { train } from "./camera/train.ts";
import { encodeNetFile } from "./pass/nets.ts";

/** Frames from which the ranges of activations are found. */
const CALIBRATION = 64;

async function make(task: Task, steps: number, write: boolean): Promise<void> {
  const data = await task.data();
  if (data === null) {
    console.log(`${task.name}: its data is not on this machine`);
    return;
  }
  const started = performance.now();
  console.log(`${task.name}: ${data.train.length} frames to learn from, ${data.test.length} to test with`);
  const layers = await train({
    net: task.spec,
    examples: data.train,
    steps,
    seed: task.seed,
    shift: task.shift,
    onProgress: (step, loss) => {
      if (step % 500 === 0) console.log(`  step ${step}: loss ${loss.toFixed(4)}`);
    },
  });
  const every = Math.max(1, Math.floor(data.train.length / CALIBRATION));
  const frames = data.train.flatMap(({ frame }, i) => (i % every === 0 ? [frame] : []));
  const net = quantise(task.spec, layers, frames);
  const { fp32, int8 } = await averagePrecisionOf(layers, net, data.test);
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(
    `  average precision ${(100 * fp32).toFixed(2)} % FP32, ${(100 * int8).toFixed(2)} % INT8 (${seconds} s)`,
  );
  if (!write) return;
  const made = { by: `npm run train:camera -- --net ${task.name}`, seed: task.seed, steps, data: task.about };
  const file = encodeNetFile(net, made, Number(int8.toFixed(4)));
  await writeFile(new URL(`./nets/${task.name}.json`, import.meta.url), `${JSON.stringify(file, null, 1)}\n`);
  if (task.name === APP_NET)
    await writeFile(new URL("../assembly/apps/camera/net.ts", import.meta.url), netSource(net));
}

const { values } = parseArgs(
  {
    options: {
      net: { type: "string" },
      steps: { type: "string" },
      write: { type: "boolean", default: false },
    },
  },
  "train:camera",
);
const chosen = TASKS.filter(({ name }) => values.net === undefined || name === values.net);
if (chosen.length === 0)
  throw new Error(`--net ${values.net}: there are ${TASKS.map(({ name }) => name).join(", ")}`);
for (const task of chosen) {
  const steps = values.steps === undefined ? task.steps : Number(values.steps);
  if (!Number.isInteger(steps) || steps < 1)
    throw new Error(`--steps ${values.steps}: not a number of updates`);
  await make(task, steps, values.write);
}
