// The page's connection, without a page: against real brokers over WebSocket.
import { Aedes } from "aedes";
import { afterEach, expect, it } from "vitest";
import { PageServer } from "../../host/bridge/broker/page-server.ts";
import { Connection, type ConnectionState } from "../../host/dashboard/connection.ts";
import type { Settings } from "../../host/dashboard/settings.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const eventually = <T>(read: () => T) => expect.poll(read, { timeout: 60_000, interval: 20 });

/** A broker that speaks 3.1.1 and takes only ann, secret; served over WebSocket. */
async function broker(port = 0) {
  const aedes = await Aedes.createBroker();
  aedes.authenticate = (_client, username, password, done) => {
    const welcome = username === "ann" && password?.toString() === "secret";
    if (welcome) done(null, true);
    else done(Object.assign(new Error("refused"), { returnCode: 4 }), false);
  };
  const server = new PageServer({ directory: ".", port, mqtt: (stream) => aedes.handle(stream) });
  await server.start();
  const stop = async () => {
    await server.stop();
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
  };
  return { aedes, server, stop };
}

function settings(page: string, changes: Partial<Settings> = {}): Settings {
  return {
    broker: `${page.replace("http", "ws")}mqtt`,
    base: "octomote",
    username: "ann",
    password: "secret",
    ...changes,
  };
}

/** A connection that remembers what it was told. */
function watched() {
  const states: ConnectionState[] = [];
  const messages: { topic: string; text: string; retained: boolean }[] = [];
  const connection = new Connection({
    state: (state) => states.push(state),
    message: (topic, payload, retained) =>
      messages.push({ topic, text: new TextDecoder().decode(payload), retained }),
  });
  cleanups.push(() => connection.close());
  return { connection, states, messages, last: () => states.at(-1)?.phase };
}

it("falls back to MQTT 3.1.1, subscribes, hears and publishes", async () => {
  const { aedes, server, stop } = await broker();
  cleanups.push(stop);
  const { connection, states, messages, last } = watched();
  expect(connection.publish("octomote/a/set", {})).toBe(false);
  connection.open(settings(server.url), ["octomote/+"]);
  await eventually(last).toBe("online");
  expect(states.at(-1)).toEqual({ phase: "online", mqtt: 4 });
  expect(states.some(({ phase }) => phase === "waiting")).toBe(false);
  const received: string[] = [];
  aedes.on("publish", ({ topic, payload }) => {
    if (topic === "octomote/a/set") received.push(payload.toString());
  });
  expect(connection.publish("octomote/a/set", { running: false })).toBe(true);
  await eventually(() => received).toEqual(['{"running":false}']);
  const packet = {
    cmd: "publish",
    topic: "octomote/a",
    payload: "x",
    qos: 0,
    dup: false,
    retain: false,
  } as const;
  await eventually(() => {
    aedes.publish(packet, () => {});
    return messages[0];
  }).toEqual({ topic: "octomote/a", text: "x", retained: false });
});

it("asks for user and password when they are refused, and does not try them again", async () => {
  const { aedes, server, stop } = await broker();
  cleanups.push(stop);
  let attempts = 0;
  const authenticate = aedes.authenticate;
  aedes.authenticate = (...args) => {
    attempts++;
    authenticate.call(aedes, ...args);
  };
  const { connection, states, last } = watched();
  connection.open(settings(server.url, { password: "guess" }), ["octomote/+"]);
  await eventually(last).toBe("refused");
  expect(states.at(-1)).toMatchObject({ credentials: true, reason: expect.stringContaining('"ann"') });
  connection.retry();
  expect(attempts).toBe(1);
  connection.open(settings(server.url), ["octomote/+"]);
  await eventually(last).toBe("online");
});

it("waits for a broker that went, and is back with it", async () => {
  const first = await broker();
  const { connection, states, last } = watched();
  connection.open(settings(first.server.url), ["octomote/+"]);
  await eventually(last).toBe("online");
  await first.stop();
  await eventually(last).toBe("waiting");
  expect(states.at(-1)).toMatchObject({ reached: true });
  const second = await broker(Number(new URL(first.server.url).port));
  cleanups.push(second.stop);
  await eventually(() => {
    connection.retry();
    return last();
  }).toBe("online");
});

it("says that it never reached a broker", async () => {
  const { stop, server } = await broker();
  const address = server.url;
  await stop();
  const { connection, states, last } = watched();
  connection.open(settings(address), ["octomote/+"]);
  await eventually(last).toBe("waiting");
  expect(states.at(-1)).toMatchObject({ reached: false });
});

it("tells nobody anything after it was closed", async () => {
  const { server, stop } = await broker();
  cleanups.push(stop);
  const { connection, states, last } = watched();
  connection.open(settings(server.url), ["octomote/+"]);
  await eventually(last).toBe("online");
  connection.close();
  const told = states.length;
  connection.retry();
  await stop();
  expect(states.length).toBe(told);
});
