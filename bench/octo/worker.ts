/** A worker process: takes one job, trains, answers, ends. */
import { type Budget, loadData } from "./budget.ts";
import { type ModuleFiles, type Outcome, type Training, trainFp32, trainInt8 } from "./methods.ts";
import type { Answer } from "./pool.ts";

export interface Job {
  method: "fp32" | "int8";
  module: ModuleFiles;
  data: "fashion-mnist" | "generated";
  budget: Budget;
  seed: number;
  training?: Training;
}

async function run({ method, module, data, budget, seed, training }: Job): Promise<Outcome> {
  const dataset = await loadData(data, budget);
  const started = performance.now();
  const outcome =
    method === "fp32"
      ? await trainFp32(dataset, budget, seed, training)
      : await trainInt8(dataset, budget, seed, module, training);
  return training ? { ...outcome, seconds: Math.round((performance.now() - started) / 1000) } : outcome;
}

// The channel closes when the answer has been sent, or when the parent has gone.
process.once("disconnect", () => process.exit());
process.once("message", (job: Job) => {
  run(job)
    .then(
      (result): Answer<Outcome> => ({ result }),
      (error: unknown): Answer<Outcome> => ({ error: String(error) }),
    )
    .then((answer) => process.send!(answer, () => process.disconnect()));
});
