// Carries the bytes of a page's WebSocket to a broker elsewhere: a page reaches a broker that has no WebSocket port,
// in whatever version of MQTT both agree on. The relay adds no password: the page signs in by itself. A certificate of ours
// it does lend, since a page has none: whoever may reach the page then reaches the broker as we do.

import { connect as connectTcp, isIP } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { connect as connectTls } from "node:tls";
import { createWebSocketStream, WebSocket } from "ws";
import { readTlsFiles, type TlsFiles } from "../mqtt/tls.ts";

/**
 * A function that carries each stream given to it to the broker at `url`, until either side ends.
 * @throws OctomoteError if a file cannot be read.
 */
export function relayTo(url: string, files: TlsFiles = {}): (page: Duplex) => void {
  const tls = readTlsFiles(files);
  return (page) => {
    const broker = open(new URL(url), tls);
    pipeline(page, broker, page, () => {
      page.destroy();
      broker.destroy();
    });
  };
}

function open(url: URL, tls: ReturnType<typeof readTlsFiles>): Duplex {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  switch (url.protocol) {
    case "ws:":
    case "wss:":
      return createWebSocketStream(new WebSocket(url, "mqtt", tls));
    case "mqtts:":
      return connectTls({ ...tls, host, port: Number(url.port || 8883), servername: isIP(host) ? "" : host });
    default:
      return connectTcp({ host, port: Number(url.port || 1883) });
  }
}
