// Mosquitto for a test: its own configuration, free ports on the loopback, ended with the test.

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/free-port.ts";
import { findProgram } from "../../support/requirements.ts";

export interface Mosquitto {
  port: number;
  webSocketPort: number;
  url: string;
  /** SIGTERM lets it save what it keeps. */
  stop(signal?: "SIGKILL" | "SIGTERM"): Promise<void>;
}

export interface MosquittoOptions {
  /** Lets in only this user, with the password "secret". */
  user?: string;
  /** Listens again where an earlier one did. */
  ports?: { port: number; webSocketPort: number };
  /** More lines of mosquitto.conf. */
  config?: string[];
}

/** A free port may be somebody else's by the time that Mosquitto listens: then others are tried. */
const ATTEMPTS = 5;
/** What Mosquitto says of a taken port: at a listener for MQTT, and at one for web sockets. */
const TAKEN = /Address already in use|Unable to create websockets listener/;

/** Starts Mosquitto; resolves when it accepts connections. */
export async function startMosquitto(options: MosquittoOptions = {}): Promise<Mosquitto> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(options);
    } catch (error) {
      const taken = error instanceof Error && TAKEN.test(error.message);
      if (!taken || options.ports || attempt === ATTEMPTS) throw error;
    }
  }
}

async function start(options: MosquittoOptions): Promise<Mosquitto> {
  const folder = mkdtempSync(join(tmpdir(), "octomote-mosquitto-"));
  const port = options.ports?.port ?? (await freePort());
  const webSocketPort = options.ports?.webSocketPort ?? (await freePort());
  if (options.user) {
    const passwords = join(folder, "passwords");
    execFileSync(findProgram("mosquitto_passwd") as string, ["-b", "-c", passwords, options.user, "secret"]);
  }
  writeFileSync(
    join(folder, "mosquitto.conf"),
    [
      "per_listener_settings false",
      "persistence false",
      "log_dest stderr",
      // Started by root, Mosquitto would become another user that cannot read this folder.
      ...(process.getuid?.() === 0 ? ["user root"] : []),
      ...(options.user
        ? ["allow_anonymous false", `password_file ${folder}/passwords`]
        : ["allow_anonymous true"]),
      `listener ${port} 127.0.0.1`,
      ...(options.config ?? []),
      `listener ${webSocketPort} 127.0.0.1`,
      "protocol websockets",
      "",
    ].join("\n"),
  );
  const child = spawn(findProgram("mosquitto") as string, ["-c", join(folder, "mosquitto.conf")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk) => {
    log += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const stop = async (signal: "SIGKILL" | "SIGTERM" = "SIGKILL") => {
    child.kill(signal);
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  // who answers before it says that its listeners are open may be somebody else
  const opened = () => /mosquitto version \S+ running/.test(log);
  while (!opened() || !(await answers(port)) || !(await answers(webSocketPort))) {
    if (child.exitCode !== null) {
      await stop();
      throw new Error(`Mosquitto ended: ${log}`);
    }
    await sleep(20);
  }
  return { port, webSocketPort, url: `mqtt://127.0.0.1:${port}`, stop };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
