/** A worker process: takes one job, trains, answers, ends. */
import { type Budget, type DataName, loadData } from "./budget.ts";
import {
  type ModuleFiles,
  type Outcome,
  type Training,
  trainFp32,
  trainInt8,
  trainNative,
  trainPocket,
  trainPosix,
} from "./methods.ts";
import type { Answer } from "./pool.ts";

export interface Job {
  method: "fp32" | "int8" | "pocket";
  module: ModuleFiles;
  data: DataName;
  budget: Budget;
  seed: number;
  training?: Training;
  /** What computes: TypeScript and V8, or C and the posix firmware, which are faster. Of INT8 the bits are the same. */
  native?: boolean;
}

async function run({ method, module, data, budget, seed, training, native }: Job): Promise<Outcome> {
  const dataset = await loadData(data, budget);
  if (method === "pocket") return trainPocket(dataset, budget, seed, training!);
  if (method === "fp32") return (native ? trainNative : trainFp32)(dataset, budget, seed, training);
  return (native ? trainPosix : trainInt8)(dataset, budget, seed, module, training);
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
