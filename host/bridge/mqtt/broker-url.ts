// Broker addresses, and what a refusal by a broker means in words.

import { messageOf, OctomoteError } from "../errors.ts";
import { explainTls } from "./tls.ts";

const SCHEMES = ["mqtt:", "mqtts:", "ws:", "wss:"];

/** A broker's URL in full (`localhost:1883` becomes `mqtt://localhost:1883`); throws `OctomoteError`. */
export function normaliseBrokerUrl(text: string): string {
  const full = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `mqtt://${text}`;
  let url: URL;
  try {
    url = new URL(full);
  } catch {
    throw new OctomoteError(
      `"${text}" is not the address of a broker`,
      "write it as mqtt://host:1883, mqtts://host:8883 or ws://host:9001/mqtt",
    );
  }
  if (!SCHEMES.includes(url.protocol) || !url.hostname) {
    throw new OctomoteError(
      `"${text}": brokers are reached by mqtt://, mqtts://, ws:// or wss://`,
      "for example mqtt://192.168.1.2:1883",
    );
  }
  return full;
}

/** The address as it may be printed and published: without user, password and query. */
export function withoutCredentials(text: string): string {
  const url = new URL(normaliseBrokerUrl(text));
  url.username = "";
  url.password = "";
  url.search = "";
  url.hash = "";
  return url.href.replace(/\/$/, "");
}

/** Whether a broker said, by its CONNACK, that it does not speak the version it was offered. */
export function isVersionRefusal(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 1 || code === 132;
}

/** What to tell a person when no connection came about. */
export function explainRefusal(broker: string, error: unknown): OctomoteError {
  const code = (error as { code?: unknown } | null)?.code;
  const options = { cause: error };
  switch (code) {
    case 4:
    case 5:
    case 134:
    case 135:
      return new OctomoteError(
        `The broker at ${broker} refuses the user name or password`,
        "give them with --user and --password (or OCTOMOTE_MQTT_PASSWORD), or in the URL: mqtt://user:password@host",
        options,
      );
    case 2:
    case 133:
      return new OctomoteError(`The broker at ${broker} refuses the client id`, "look at its log", options);
    case "ECONNREFUSED":
      return new OctomoteError(
        `No broker answers at ${broker}`,
        "start one there (mosquitto, for instance), or name another with --broker",
        options,
      );
    case "ECONNRESET":
    case "EPIPE":
      return new OctomoteError(
        `The broker at ${broker} hangs up without an answer`,
        "check that this port is for mqtts:// or for mqtt://, as you wrote it, and look at the broker's log",
        options,
      );
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new OctomoteError(
        `The name in ${broker} cannot be resolved`,
        "check it for a typing error",
        options,
      );
    default: {
      const tls = explainTls(error);
      if (tls) return new OctomoteError(`The broker at ${broker} ${tls.what}`, tls.fix, options);
      return new OctomoteError(
        `No connection to the broker at ${broker}: ${messageOf(error)}`,
        "check address, port and scheme (mqtt://, mqtts://, ws://), and the broker's own log",
        options,
      );
    }
  }
}
