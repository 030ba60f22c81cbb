// What the verbs share: their shape, and parsers of option values.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { MqttOptions, MqttVersion } from "../../bridge/mqtt/connection.ts";
import type { TlsFiles } from "../../bridge/mqtt/tls.ts";

/** Adds a verb to the program; `finish` takes the exit code of its run. */
export type DefineVerb = (program: Command, finish: (code: number) => void) => void;

/** A parser of whole numbers in `least` … `most`. */
export function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number in ${least} … ${most}.`);
    }
    return value;
  };
}

/** A parser of positive decimals up to `most`. */
export function positive(most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !(value > 0) || value > most) {
      throw new InvalidArgumentError(`It must be a number above 0 and at most ${most}.`);
    }
    return value;
  };
}

export const port = whole(0, 65_535);

export interface Address {
  host: string;
  port: number;
}

/** A parser of `host:port`; with `defaultHost`, `port` alone is enough. */
export function address(defaultHost?: string): (text: string) => Address {
  return (text) => {
    const match = /^(?:(\[[0-9a-fA-F:.]+\]|[^:[\]]+):)?(\d{1,5})$/.exec(text);
    const host = match?.[1]?.replace(/^\[|\]$/g, "") ?? defaultHost;
    const number = Number(match?.[2]);
    if (!match || host === undefined || number > 65_535) {
      throw new InvalidArgumentError(
        `Write it as host:port${defaultHost === undefined ? "" : " or port"}; IPv6 in brackets: [::1]:7000.`,
      );
    }
    return { host, port: number };
  };
}

/** Turns a parser of one value into one of an option that may be repeated. */
export function repeated<T>(parse: (text: string) => T): (text: string, before: T[] | undefined) => T[] {
  return (text, before = []) => [...before, parse(text)];
}

export interface BrokerOptions {
  broker?: string;
  base: string;
  user?: string;
  password?: string;
  ca?: string;
  cert?: string;
  key?: string;
  mqttVersion?: MqttVersion;
}

/** The options with which a verb reaches a broker. */
export function addBrokerOptions(command: Command, defaultBroker?: string): Command {
  const broker = new Option("--broker <url>", "broker: mqtt://, mqtts:// or ws://host:port").env(
    "OCTOMOTE_BROKER",
  );
  return command
    .addOption(defaultBroker === undefined ? broker : broker.default(defaultBroker))
    .addOption(new Option("--base <topic>", "base topic").default("octomote").env("OCTOMOTE_BASE"))
    .addOption(new Option("--user <name>", "user name at the broker").env("OCTOMOTE_MQTT_USER"))
    .addOption(
      new Option("--password <text>", "its password (better in the environment)").env(
        "OCTOMOTE_MQTT_PASSWORD",
      ),
    )
    .addOption(
      new Option("--ca <file>", "PEM file of the authority behind an mqtts:// broker").env(
        "OCTOMOTE_MQTT_CA",
      ),
    )
    .addOption(new Option("--cert <file>", "PEM file of our certificate for it").env("OCTOMOTE_MQTT_CERT"))
    .addOption(
      new Option("--key <file>", "PEM file of the certificate's private key").env("OCTOMOTE_MQTT_KEY"),
    )
    .addOption(
      new Option("--mqtt-version <5|4>", "speak only this version (4 is MQTT 3.1.1)")
        .choices(["5", "4"])
        .argParser((text): MqttVersion => {
          if (text !== "5" && text !== "4") throw new InvalidArgumentError("It is 5, or 4 for MQTT 3.1.1.");
          return text === "5" ? 5 : 4;
        }),
    );
}

/** What the connection to `url` needs of these options. */
export function mqttOptions(url: string, options: BrokerOptions): MqttOptions {
  return {
    url,
    username: options.user,
    password: options.password,
    ...tlsFiles(options),
    version: options.mqttVersion,
  };
}

/** The files of an encrypted connection. */
export function tlsFiles({ ca, cert, key }: BrokerOptions): TlsFiles {
  return { caFile: ca, certFile: cert, keyFile: key };
}
