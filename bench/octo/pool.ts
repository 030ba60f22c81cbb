/** Runs jobs in worker processes, one for each core; the order of results is that of the jobs. */
import { fork } from "node:child_process";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { fileURLToPath, pathToFileURL } from "node:url";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** Workers run TypeScript whatever started their parent. */
const LOADER = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

/** What a worker answers. */
export type Answer<R> = { result: R } | { error: string };

/**
 * @param jobs plain data; each is handed to worker.ts in a process of its own
 * @param onResult called as results come in
 * @param parallel workers at the same time
 * @throws Error with the worker's own message; the other workers are ended first
 */
export async function runJobs<J extends object, R>(
  jobs: readonly J[],
  onResult: (job: J, result: R) => void = () => {},
  parallel = availableParallelism(),
): Promise<R[]> {
  const results: R[] = [];
  const stop = new AbortController();
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < jobs.length) {
      const index = next++;
      const result = await runOne<J, R>(jobs[index]!, stop.signal);
      results[index] = result;
      onResult(jobs[index]!, result);
    }
  };
  const lanes = Array.from({ length: Math.min(jobs.length, parallel) }, lane);
  try {
    await Promise.all(lanes);
  } finally {
    stop.abort();
  }
  return results;
}

function runOne<J extends object, R>(job: J, signal: AbortSignal): Promise<R> {
  return new Promise((resolve, reject) => {
    const worker = fork(WORKER, { execArgv: ["--import", LOADER], signal });
    let answered = false;
    worker.on("message", (answer: Answer<R>) => {
      answered = true;
      if ("error" in answer) reject(new Error(answer.error));
      else resolve(answer.result);
    });
    worker.on("error", reject);
    worker.on("exit", (code, by) => {
      if (!answered) reject(new Error(`a worker ended early (${by ?? code}): ${JSON.stringify(job)}`));
    });
    worker.send(job);
  });
}
