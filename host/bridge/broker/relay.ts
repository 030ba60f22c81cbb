// Carries the bytes of a page's WebSocket to a broker elsewhere: a page reaches a broker that has no WebSocket port,
// in whatever version of MQTT both agree on. The relay adds no password: the page signs in by itself.

import { connect as connectTcp } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { connect as connectTls } from "node:tls";
import { createWebSocketStream, WebSocket } from "ws";

/** A function that carries each stream given to it to the broker at `url`, until either side ends. */
export function relayTo(url: string): (page: Duplex) => void {
  return (page) => {
    const broker = open(new URL(url));
    pipeline(page, broker, page, () => {
      page.destroy();
      broker.destroy();
    });
  };
}

function open(url: URL): Duplex {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  switch (url.protocol) {
    case "ws:":
    case "wss:":
      return createWebSocketStream(new WebSocket(url, "mqtt"));
    case "mqtts:":
      return connectTls({ host, port: Number(url.port || 8883), servername: host });
    default:
      return connectTcp({ host, port: Number(url.port || 1883) });
  }
}
