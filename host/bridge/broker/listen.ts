// Listening on a port that may be taken: another one is chosen, and the caller told.

import type { AddressInfo, Server } from "node:net";
import { OctomoteError } from "../errors.ts";

/** How many ports after the wanted one are tried before the system chooses any. */
const NEIGHBOURS = 10;

export interface Listening {
  host: string;
  port: number;
  /** The wanted port was taken, `port` is another. */
  replaced: boolean;
}

/**
 * Listens on `host`:`port`, on one of the next ports when that is taken, or on any free one. `port` 0 asks for any.
 * Throws `OctomoteError` when the address itself cannot be used.
 */
export async function listen(server: Server, host: string, port: number): Promise<Listening> {
  const last = Math.min(port + NEIGHBOURS, 65_535);
  for (let candidate = port; port > 0 && candidate <= last; candidate++) {
    if (await tryListen(server, host, candidate))
      return { host, port: candidate, replaced: candidate !== port };
  }
  if (await tryListen(server, host, 0)) {
    return { host, port: (server.address() as AddressInfo).port, replaced: port > 0 };
  }
  throw new OctomoteError(
    `No free port on ${host}`,
    "end what occupies them, or choose another address with --host",
  );
}

function tryListen(server: Server, host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => {
      server.removeListener("listening", listening);
      if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(false);
      else {
        reject(
          new OctomoteError(
            `Cannot listen on ${host}: ${error.message}`,
            "choose another address with --host",
            {
              cause: error,
            },
          ),
        );
      }
    };
    const listening = () => {
      server.removeListener("error", failed);
      resolve(true);
    };
    server.once("error", failed);
    server.once("listening", listening);
    server.listen({ host, port, exclusive: true });
  });
}

/** How to write a listening address in a URL: a wildcard becomes a name that a browser can open. */
export function urlHost(host: string): string {
  if (host === "0.0.0.0" || host === "::" || host === "") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
