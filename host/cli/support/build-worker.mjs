// Compiles AssemblyScript in a thread of its own: the compiler does not yield, and progress and Ctrl-C must go on.

import { parentPort, workerData } from "node:worker_threads";
import { register } from "tsx/esm/api";

register();
const { buildIntrinsics, buildModules } = await import("../../build/modules.ts");
const onProgress = (message) => parentPort.postMessage({ progress: message });
try {
  const intrinsics = workerData.intrinsics ? await buildIntrinsics(onProgress) : "";
  const modules = await buildModules({ ...workerData.modules, onProgress });
  parentPort.postMessage({ done: { modules, intrinsics } });
} catch (error) {
  parentPort.postMessage({ failed: { name: error.name, message: error.message, stack: error.stack } });
}
