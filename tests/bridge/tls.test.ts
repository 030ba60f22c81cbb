// Encrypted brokers: Mosquitto with certificates of a throw-away authority, and what each wrong one leads to.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { relayTo } from "../../host/bridge/broker/relay.ts";
import { OctomoteError } from "../../host/bridge/errors.ts";
import { MqttConnection, type MqttOptions } from "../../host/bridge/mqtt/connection.ts";
import { readTlsFiles } from "../../host/bridge/mqtt/tls.ts";
import { octomote, run } from "../cli/support/octomote.ts";
import { type Authority, makeAuthority, type Pair } from "../support/certificates.ts";
import { requires } from "../support/requirements.ts";
import { startMosquitto } from "./support/mosquitto.ts";
import { add, cleanups } from "./support/stage.ts";
import { until } from "./support/wait.ts";

const needs = requires("mosquitto", "openssl");
let folder: string;
let ours: Authority;
let strange: Authority;
let server: Pair;
let client: Pair;
let text: string;

beforeAll(() => {
  if (needs.skip) return;
  folder = mkdtempSync(join(tmpdir(), "octomote-tls-"));
  ours = makeAuthority(folder, "ours");
  strange = makeAuthority(folder, "strange");
  server = ours.sign("server");
  client = ours.sign("client");
  text = join(folder, "text");
  writeFileSync(text, "no PEM at all\n");
});
afterAll(() => folder && rmSync(folder, { recursive: true, force: true }));

interface Manners {
  user?: string;
  certificate?: Pair;
  /** Asks clients for a certificate. */
  mutual?: boolean;
}

async function mosquitto({ user, certificate = server, mutual = false }: Manners = {}): Promise<string> {
  const broker = await startMosquitto({
    ...(user ? { user } : {}),
    config: [
      `cafile ${ours.cert}`,
      `certfile ${certificate.cert}`,
      `keyfile ${certificate.key}`,
      `require_certificate ${mutual}`,
    ],
  });
  cleanups.push(() => broker.stop());
  return `mqtts://127.0.0.1:${broker.port}`;
}

function connection(options: MqttOptions): MqttConnection {
  const it = new MqttConnection({ reconnectPeriod: 50, ...options });
  cleanups.push(() => it.close());
  return it;
}

/** What is told to whoever cannot connect. */
async function refusal(options: MqttOptions): Promise<{ message: string; fix: string }> {
  const error = await connection(options)
    .connect()
    .catch((it: unknown) => it);
  if (!(error instanceof OctomoteError)) throw new Error(`no refusal: ${error}`);
  return error;
}

needs.describe.each([5, 4] as const)("MQTT version %i over TLS", (version) => {
  it("carries a bridge, with user, password and client certificate", async () => {
    const url = await mosquitto({ user: "me", mutual: true });
    const files = { caFile: ours.cert, certFile: client.cert, keyFile: client.key };
    const mqtt = { url, version, username: "me", password: "secret", ...files };
    const bridge = new Bridge({ mqtt, facts: { version: "1" } });
    await bridge.start();
    cleanups.push(() => bridge.stop());
    const onlooker = connection(mqtt);
    await onlooker.connect();
    const heard = new Map<string, string>();
    await onlooker.subscribe("octomote/#", ({ topic, payload }) => heard.set(topic, payload.toString()));
    add(bridge, "kitchen");
    await until(() => heard.has("octomote/kitchen"));
    expect(JSON.parse(heard.get("octomote/kitchen/availability") as string)).toEqual({ state: "online" });
    expect(bridge.mqtt.version).toBe(version);
  });

  it("a wrong password is told as such", async () => {
    const url = await mosquitto({ user: "me" });
    const told = await refusal({ url, version, caFile: ours.cert, username: "me", password: "wrong" });
    expect(told.message).toBe(`The broker at ${url} refuses the user name or password`);
    expect(told.fix).toMatch(/--user and --password/);
  });

  it("a broker that asks for a certificate gets none, a stranger's, or an expired one", async () => {
    const url = await mosquitto({ mutual: true });
    const told = (pair?: Pair) =>
      refusal({ url, version, caFile: ours.cert, ...(pair && { certFile: pair.cert, keyFile: pair.key }) });
    const none = await told();
    expect(none.message).toMatch(/asks for a certificate of ours/);
    expect(none.fix).toMatch(/--cert/);
    const unknown = await told(strange.sign("client"));
    expect(unknown.message).toMatch(/refuses our certificate/);
    expect(unknown.fix).toMatch(/its authority has signed with --cert/);
    const expired = await told(ours.sign("old", { days: -1 }));
    expect(expired.message).toMatch(/refuses our certificate: it has expired/);
    expect(expired.fix).toMatch(/renew it/);
  });
});

needs.describe("the page's relay", () => {
  it("trusts the same authority and lends our certificate", async () => {
    const url = await mosquitto({ mutual: true });
    const carry = relayTo(url, { caFile: ours.cert, certFile: client.cert, keyFile: client.key });
    const door = createServer(carry);
    await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => door.close());
    const page = connection({ url: `mqtt://127.0.0.1:${(door.address() as AddressInfo).port}` });
    await page.connect();
    expect(page.version).toBe(5);
  });
});

needs.describe("a broker's certificate", () => {
  it("of an authority that is not trusted is refused, whatever --ca says", async () => {
    const url = await mosquitto();
    for (const caFile of [undefined, strange.cert]) {
      const told = await refusal({ url, caFile });
      expect(told.message).toBe(
        `The broker at ${url} shows a certificate of an authority that is not trusted here`,
      );
      expect(told.fix).toMatch(/--ca/);
    }
  });

  it("that has expired or bears another name is refused", async () => {
    const expired = await refusal({
      url: await mosquitto({ certificate: ours.sign("expired", { days: -1 }) }),
      caFile: ours.cert,
    });
    expect(expired.message).toMatch(/has expired/);
    expect(expired.fix).toMatch(/clock/);
    const other = await refusal({
      url: await mosquitto({ certificate: ours.sign("other", { address: "192.0.2.1" }) }),
      caFile: ours.cert,
    });
    expect(other.message).toMatch(/another name/);
    expect(other.fix).toMatch(/--broker/);
  });

  it("is missing where the broker does not encrypt", async () => {
    const plain = await startMosquitto();
    cleanups.push(() => plain.stop());
    const told = await refusal({ url: `mqtts://127.0.0.1:${plain.port}`, caFile: ours.cert });
    expect(told.message).toMatch(/hangs up without an answer/);
    expect(told.fix).toMatch(/for mqtts:\/\/ or for mqtt:\/\//);
    const talker = createServer((socket) =>
      socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    );
    await new Promise<void>((resolve) => talker.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => talker.close());
    const { port } = talker.address() as AddressInfo;
    const talked = await refusal({ url: `mqtts://127.0.0.1:${port}` });
    expect(talked.message).toMatch(/does not speak TLS at this port/);
    expect(talked.fix).toMatch(/mqtt:\/\/ instead/);
  });

  it("is not looked at by whoever leaves out the s", async () => {
    const url = await mosquitto();
    const told = await refusal({ url: url.replace("mqtts", "mqtt") });
    expect(told.message).toMatch(/hangs up without an answer/);
  });

  it("that is changed for a stranger's keeps the bridge out, and is told once", async () => {
    const first = await startMosquitto({
      config: [`cafile ${ours.cert}`, `certfile ${server.cert}`, `keyfile ${server.key}`],
    });
    const mqtt = connection({ url: `mqtts://127.0.0.1:${first.port}`, caFile: ours.cert });
    await mqtt.connect();
    const troubles: string[] = [];
    mqtt.on("trouble", (trouble) => troubles.push(trouble));
    await first.stop();
    const foreign = strange.sign("server");
    const impostor = await startMosquitto({
      ports: first,
      config: [`cafile ${strange.cert}`, `certfile ${foreign.cert}`, `keyfile ${foreign.key}`],
    });
    const untrusted = () => troubles.filter((trouble) => /not trusted/.test(trouble));
    await until(() => untrusted().length > 0);
    await impostor.stop();
    const again = await startMosquitto({
      ports: first,
      config: [`cafile ${ours.cert}`, `certfile ${server.cert}`, `keyfile ${server.key}`],
    });
    cleanups.push(() => again.stop());
    await until(() => mqtt.connected);
    expect(untrusted()).toHaveLength(1);
  });
});

needs.describe("files", () => {
  it.each<[string, () => Parameters<typeof readTlsFiles>[0], RegExp, RegExp]>([
    ["that are not there", () => ({ caFile: "/no/such" }), /Cannot read \/no\/such: ENOENT/, /--ca/],
    ["without a certificate", () => ({ caFile: text }), /text holds no certificate/, /--ca/],
    ["of one half only", () => ({ certFile: client.cert }), /certificate was named without its key/, /--key/],
    ["of the other half", () => ({ keyFile: client.key }), /key was named without its cert/, /--cert/],
    ["no certificate", () => ({ certFile: text, keyFile: client.key }), /no certificate/, /--cert/],
    ["no key", () => ({ certFile: client.cert, keyFile: text }), /no private key/, /--key/],
    ["of two pairs", () => ({ certFile: client.cert, keyFile: server.key }), /is not the key of/, /one pair/],
  ])("%s are told by name", (_name, files, message, fix) => {
    const error = (() => {
      try {
        return readTlsFiles(files());
      } catch (it) {
        return it;
      }
    })() as OctomoteError;
    expect(error).toBeInstanceOf(OctomoteError);
    expect(error.message).toMatch(message);
    expect(error.fix).toMatch(fix);
    expect(() => relayTo("mqtts://localhost", files())).toThrow(error.message);
  });
});

describe("files for a connection that is not encrypted", () => {
  it.each([{ caFile: "ca.pem" }, { certFile: "c", keyFile: "k" }])("are refused: %j", (files) => {
    expect(() => new MqttConnection({ url: "mqtt://localhost", ...files })).toThrow(/is not encrypted/);
    expect(() => new MqttConnection({ url: "wss://localhost", ...files })).not.toThrow();
  });
});

needs.describe("the command line", () => {
  it("reaches an encrypted broker by flags and by the environment, in every verb that has a broker", async () => {
    const url = await mosquitto({ user: "me", mutual: true });
    const flags = ["--broker", url, "--ca", ours.cert, "--cert", client.cert, "--key", client.key];
    const bridge = octomote(["bridge", ...flags, "--user", "me", "--tcp-listen", "0"], {
      env: { OCTOMOTE_MQTT_PASSWORD: "secret" },
    });
    cleanups.push(() => bridge.child.kill("SIGKILL"));
    await bridge.sees(/may connect to/);
    const env = {
      OCTOMOTE_BROKER: url,
      OCTOMOTE_MQTT_USER: "me",
      OCTOMOTE_MQTT_PASSWORD: "secret",
      OCTOMOTE_MQTT_CA: ours.cert,
      OCTOMOTE_MQTT_CERT: client.cert,
      OCTOMOTE_MQTT_KEY: client.key,
    };
    const list = await run(["devices", "--json"], { env });
    expect([list.code, JSON.parse(list.stdout)]).toEqual([0, []]);
    const watched = await run(["monitor", "--json", "--seconds", "1"], { env });
    expect(watched.stdout).toMatch(/"kind":"bridge","online":true/);
    const wrong = await run(["devices"], { env: { ...env, OCTOMOTE_MQTT_CA: strange.cert } });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toMatch(/not trusted here[\s\S]*--ca/);
    process.kill(bridge.pid, "SIGTERM");
    expect((await bridge.ended).code).toBe(0);
  });
});
