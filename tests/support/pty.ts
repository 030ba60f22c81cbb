// Serial ports for tests: pseudo-terminals, made and taken away by socat. What is plugged in is one end; a test opens the
// other by its path.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { findProgram } from "./requirements.ts";

export interface Plugged {
  /** Takes the port away, as a pulled cable does. */
  unplug(): Promise<void>;
}

/** A serial port at `path`; `other` is what socat connects it with, such as `EXEC:cat` or `pty,raw,echo=0,link=…`. */
export async function plug(path: string, other: string): Promise<Plugged> {
  const child = spawn(findProgram("socat") as string, [`pty,raw,echo=0,link=${path}`, other], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk) => {
    said += chunk;
  });
  const ended = once(child, "close");
  while (!existsSync(path)) {
    if (child.exitCode !== null) throw new Error(`socat ended: ${said}`);
    await sleep(10);
  }
  return {
    async unplug() {
      child.kill("SIGTERM");
      await ended;
      rmSync(path, { force: true });
    },
  };
}

/** The other end of a port as another port. */
export const port = (path: string): string => `pty,raw,echo=0,link=${path}`;
