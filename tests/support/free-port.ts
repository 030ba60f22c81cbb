// A port for a server that a test starts.

import { createServer } from "node:net";

/**
 * Below the ports that Linux (from 32768) and others (from 49152) give to outgoing connections:
 * one of those could be taken between this answer and the server's listening.
 */
const FIRST = 20_000;
const LAST = 32_000;

/** A port of the loopback that nothing listens on now, drawn so that tests beside each other seldom draw the same. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" ? resolve(false) : reject(error),
    );
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
