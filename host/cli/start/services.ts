// Broker and page of `octomote start`.

import { EmbeddedBroker } from "../../bridge/broker/embedded-broker.ts";
import type { Listening } from "../../bridge/broker/listen.ts";
import { PageServer } from "../../bridge/broker/page-server.ts";
import { relayTo } from "../../bridge/broker/relay.ts";
import { withoutCredentials } from "../../bridge/mqtt/broker-url.ts";
import type { TlsFiles } from "../../bridge/mqtt/tls.ts";
import type { Lifetime } from "../support/lifetime.ts";
import type { Progress } from "../support/progress.ts";
import { style } from "../support/style.ts";

export interface ServiceOptions {
  /** An external broker; without it the embedded one is started. */
  broker?: string;
  /** Of the external broker. */
  tls: TlsFiles;
  host: string;
  port: number;
  mqttPort: number;
  /** Directory of the page. */
  page: string;
  base: string;
}

export interface Services {
  /** For the bridge: with user and password where the URL has them. */
  brokerUrl: string;
  pageUrl: string;
}

/** Starts both; they end with `lifetime`. */
export async function startServices(
  options: ServiceOptions,
  progress: Progress,
  lifetime: Lifetime,
): Promise<Services> {
  let brokerUrl = options.broker ?? "";
  // Our certificate is lent to pages on this machine only, not to a network that the page is open to.
  const lent = isLoopback(options.host) ? options.tls : { caFile: options.tls.caFile };
  let mqtt = relayTo(brokerUrl || "mqtt://localhost", options.broker ? lent : {});
  if (options.broker) progress.note("broker", `${withoutCredentials(options.broker)} (external)`);
  else {
    const broker = new EmbeddedBroker({ host: options.host, port: options.mqttPort });
    const listening = await broker.start();
    lifetime.atEnd(() => broker.stop());
    brokerUrl = broker.url;
    mqtt = (stream) => broker.handle(stream);
    progress.note("broker", `${broker.url} (embedded)${taken(listening, options.mqttPort)}`);
  }
  const server = new PageServer({ directory: options.page, mqtt, host: options.host, port: options.port });
  const listening = await server.start();
  lifetime.atEnd(() => server.stop());
  const query = options.base === "octomote" ? "" : `?base=${encodeURIComponent(options.base)}`;
  const pageUrl = `${server.url}${query}`;
  progress.note("page", `${style.bold(style.cyan(pageUrl))}${taken(listening, options.port)}`);
  return { brokerUrl, pageUrl };
}

function taken(listening: Listening, wanted: number): string {
  return listening.replaced ? style.yellow(`  (port ${wanted} is taken)`) : "";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}
