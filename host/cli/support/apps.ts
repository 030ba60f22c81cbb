// Apps and their modules: what `--app` may name, and building it.

import { existsSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { OctomoteError } from "../../bridge/errors.ts";
import type { BuildModulesOptions, BuiltModule } from "../../build/modules.ts";
import { UsageError } from "./exit.ts";
import { packageRoot } from "./version.ts";

/** An app, as far as it is known before it is built. */
export interface App {
  name: string;
  /** Source file; absent when a built module was named. */
  source?: string;
  /** Built module, when one was named. */
  module?: string;
}

/** The app that `text` names: one of Octomote's own, a .ts file or a built .wasm file. Throws `UsageError`. */
export function findApp(text: string): App {
  const kind = extname(text);
  if (kind === ".wasm" || kind === ".ts") {
    const path = resolve(text);
    if (!existsSync(path))
      throw new UsageError(`There is no file ${text}`, "check the path given with --app");
    return kind === ".ts"
      ? { name: basename(text, kind), source: path }
      : { name: basename(text, kind), module: path };
  }
  const source = resolve(packageRoot, "assembly/apps", `${text}.ts`);
  if (!/^[\w-]+$/.test(text) || !existsSync(source)) {
    throw new UsageError(
      `There is no app "${text}"`,
      "name one of Octomote's own (trainer, personalise, split, camera, camera-learn, camera-split), your .ts file, or a built .wasm file",
    );
  }
  return { name: text, source };
}

export interface BuildRequest {
  modules?: Omit<BuildModulesOptions, "onProgress">;
  /** Also build intrinsics.wasm, which device modules need in Node. */
  intrinsics?: boolean;
}

export interface BuildResult {
  modules: BuiltModule[];
  /** Path of intrinsics.wasm; empty when it was not asked for. */
  intrinsics: string;
}

type FromWorker =
  | { progress: string }
  | { done: BuildResult }
  | { failed: { name: string; message: string; stack?: string } };

/** Builds modules in a thread; `tell` hears what is being compiled, `signal` ends it. Throws `OctomoteError`. */
export function buildInThread(
  request: BuildRequest,
  tell: (doing: string) => void,
  signal?: AbortSignal,
): Promise<BuildResult> {
  return new Promise((resolvePromise, reject) => {
    const worker = new Worker(new URL("./build-worker.mjs", import.meta.url), { workerData: request });
    const aborted = () => {
      void worker.terminate();
      reject(new OctomoteError("The build was interrupted"));
    };
    signal?.addEventListener("abort", aborted, { once: true });
    worker.on("message", (message: FromWorker) => {
      if ("progress" in message) tell(message.progress);
      else if ("done" in message) resolvePromise(message.done);
      else {
        const cause = Object.assign(new Error(message.failed.message), message.failed);
        reject(new OctomoteError(message.failed.message, "", { cause }));
      }
    });
    worker.on("error", reject);
    worker.on("exit", (code) => {
      signal?.removeEventListener("abort", aborted);
      reject(new OctomoteError(`The compiler ended without a result (code ${code})`));
    });
  });
}

/** Where the modules of an app go: Octomote's own beside Octomote, a user's into the folder the user is in. */
export function outputOf(app: App): BuildModulesOptions {
  if (app.source === undefined) return {};
  const own = app.source.startsWith(resolve(packageRoot, "assembly"));
  return own ? { apps: [app.source] } : { apps: [app.source], out: resolve("build") };
}
