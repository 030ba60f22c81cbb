import { request as httpRequest } from "node:http";
import { createConnection, createServer, type Server } from "node:net";
import { join } from "node:path";
import mqtt from "mqtt";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { listen, urlHost } from "../../host/bridge/broker/listen.ts";
import { PageServer } from "../../host/bridge/broker/page-server.ts";
import { relayTo } from "../../host/bridge/broker/relay.ts";
import { OctomoteError } from "../../host/bridge/errors.ts";
import { requires } from "../support/requirements.ts";
import { temporaryTree } from "../support/tree.ts";
import { startMosquitto } from "./support/mosquitto.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (let cleanup = cleanups.pop(); cleanup; cleanup = cleanups.pop()) await cleanup();
});

/** A page of a few files, with an embedded broker behind its WebSocket. */
async function servePage(relay?: string): Promise<PageServer> {
  const tree = temporaryTree({
    "secret.txt": "outside",
    "page/index.html": "<h1>page</h1>",
    "page/assets/main-abc.js": "1",
    "page/.hidden": "hidden",
    "page/sub/index.html": "sub",
  });
  const broker = new EmbeddedBroker({ port: 0 });
  await broker.start();
  cleanups.push(() => broker.stop());
  const server = new PageServer({
    directory: join(tree, "page"),
    port: 0,
    mqtt: relay ? relayTo(relay) : (stream) => broker.handle(stream),
  });
  await server.start();
  cleanups.push(() => server.stop());
  return server;
}

/** A request whose path is sent as it is: fetch would tidy it up first. */
function get(server: PageServer, path: string, method = "GET") {
  const { port } = new URL(server.url);
  return new Promise<{ status?: number; headers: Record<string, unknown>; body: string }>(
    (resolve, reject) => {
      const request = httpRequest({ host: "127.0.0.1", port, path, method }, (response) => {
        let body = "";
        response.on("data", (chunk) => {
          body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
      });
      request.on("error", reject);
      request.end();
    },
  );
}

describe("the page server", () => {
  let server: PageServer;
  beforeEach(async () => {
    server = await servePage();
  });

  it.each([
    ["/", "<h1>page</h1>", "text/html; charset=utf-8", "no-cache"],
    ["/?base=x", "<h1>page</h1>", "text/html; charset=utf-8", "no-cache"],
    ["/sub/", "sub", "text/html; charset=utf-8", "no-cache"],
    ["/assets/main-abc.js", "1", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"],
  ])("GET %s", async (path, body, type, caching) => {
    const answer = await get(server, path);
    expect(answer).toMatchObject({ status: 200, body });
    expect(answer.headers).toMatchObject({
      "content-type": type,
      "cache-control": caching,
      "x-content-type-options": "nosniff",
    });
  });

  it("answers HEAD without a body, and takes nothing else", async () => {
    expect(await get(server, "/", "HEAD")).toMatchObject({ status: 200, body: "" });
    expect(await get(server, "/", "POST")).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  });

  it.each([
    "/none",
    "/sub",
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/sub/..%2f..%2fsecret.txt",
    "/.hidden",
    "/%",
    "/a%00b",
    "//secret.txt",
  ])("GET %s finds nothing", async (path) => {
    expect(await get(server, path)).toMatchObject({ status: 404 });
  });

  it("goes on after a client that sends rubbish", async () => {
    const { port } = new URL(server.url);
    const socket = createConnection({ host: "127.0.0.1", port: Number(port) });
    socket.on("error", () => {});
    socket.resume();
    socket.write("\x16\x03\x01\x02 rubbish\r\n\r\n");
    await new Promise((resolve) => socket.once("close", resolve));
    expect(await get(server, "/")).toMatchObject({ status: 200 });
  });
});

describe("MQTT over WebSocket", () => {
  const address = (server: PageServer, path = "mqtt") => `${server.url.replace("http", "ws")}${path}`;

  it("is the broker's", async () => {
    const server = await servePage();
    const client = await mqtt.connectAsync(address(server));
    cleanups.push(() => client.endAsync(true));
    const heard = new Promise((resolve) =>
      client.once("message", (_topic, payload) => resolve(payload.toString())),
    );
    await client.subscribeAsync("x");
    client.publish("x", "over WebSocket");
    expect(await heard).toBe("over WebSocket");
  });

  /** How the server answers an upgrade: 101, or the status of its refusal. */
  function upgrade(url: string, headers: Record<string, string>): Promise<number> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url, "mqtt", { headers });
      socket.once("open", () => {
        socket.terminate();
        resolve(101);
      });
      socket.once("unexpected-response", (request, response) => {
        request.destroy();
        resolve(response.statusCode ?? 0);
      });
      socket.once("error", reject);
    });
  }

  it("is for our own page only", async () => {
    const server = await servePage();
    const { host, port } = new URL(server.url);
    const open = (headers: Record<string, string>) => upgrade(address(server), headers);
    expect(await open({})).toBe(101);
    expect(await open({ Origin: `http://${host}` })).toBe(101);
    expect(await open({ Origin: `http://localhost:${port}`, Host: `localhost:${port}` })).toBe(101);
    expect(await open({ Origin: "https://evil.example" })).toBe(403);
    expect(await open({ Origin: "null" })).toBe(403);
    expect(await open({ Origin: `http://127.0.0.1:${Number(port) + 1}` })).toBe(403);
    // A foreign name that was made to point to this machine.
    expect(await open({ Origin: `http://evil.example:${port}`, Host: `evil.example:${port}` })).toBe(403);
    expect(await upgrade(address(server, "other"), {})).toBe(404);
  });

  it("survives clients that break off or send what is no MQTT", async () => {
    const server = await servePage();
    for (const rubbish of [
      Buffer.from("GET / HTTP/1.1"),
      Buffer.alloc(2000, 255),
      Buffer.from([0x10, 0xff, 0xff]),
    ]) {
      const socket = new WebSocket(address(server), "mqtt");
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("open", resolve));
      socket.send(rubbish);
      socket.terminate();
    }
    const client = await mqtt.connectAsync(address(server));
    await client.endAsync(true);
  });

  it("is carried to another broker, and ends when that is not there", async () => {
    const other = new EmbeddedBroker({ port: 0 });
    await other.start();
    const server = await servePage(other.url);
    const beside = await mqtt.connectAsync(other.url);
    cleanups.push(() => beside.endAsync(true));
    await beside.subscribeAsync("page/#");
    const heard = new Promise((resolve) => beside.once("message", (topic) => resolve(topic)));
    const page = await mqtt.connectAsync(address(server), { reconnectPeriod: 0 });
    page.publish("page/1", "x");
    expect(await heard).toBe("page/1");
    const closed = new Promise((resolve) => page.once("close", () => resolve("closed")));
    await beside.endAsync(true);
    await other.stop();
    expect(await closed).toBe("closed");
    const alone = mqtt.connect(address(server), { reconnectPeriod: 0 });
    alone.on("error", () => {});
    await new Promise<void>((resolve) => alone.once("close", () => resolve()));
    await alone.endAsync(true);
  });

  requires("mosquitto").describe("carried to Mosquitto", () => {
    it.each(["TCP", "WebSocket"])("over %s speaks MQTT 5", async (way) => {
      const broker = await startMosquitto();
      cleanups.push(() => broker.stop());
      const url = way === "TCP" ? broker.url : `ws://127.0.0.1:${broker.webSocketPort}/mqtt`;
      const server = await servePage(url);
      const page = await mqtt.connectAsync(address(server), { protocolVersion: 5, reconnectPeriod: 0 });
      cleanups.push(() => page.endAsync(true));
      const heard = new Promise((resolve) =>
        page.once("message", (_topic, _payload, packet) => resolve(packet.properties?.contentType)),
      );
      await page.subscribeAsync("x");
      page.publish("x", "{}", { properties: { contentType: "application/json" } });
      expect(await heard).toBe("application/json");
    });
  });
});

describe("ports", () => {
  const occupied: Server[] = [];
  afterEach(async () => {
    for (const server of occupied.splice(0)) await new Promise((resolve) => server.close(resolve));
  });

  const open = async (port: number) => {
    const server = createServer();
    const where = await listen(server, "127.0.0.1", port);
    occupied.push(server);
    return where;
  };

  it("that are taken are replaced, and the caller is told", async () => {
    const first = await open(0);
    expect(first.replaced).toBe(false);
    const second = await open(first.port);
    expect(second.replaced).toBe(true);
    expect(second.port).not.toBe(first.port);
    const third = await open(65_535);
    expect(await open(third.port)).toMatchObject({ replaced: true });
  });

  it("of an address that this machine has not are refused with a fix", async () => {
    const failure = listen(createServer(), "192.0.2.1", 0);
    await expect(failure).rejects.toThrow(OctomoteError);
    await expect(failure).rejects.toThrow("192.0.2.1");
  });

  it.each([
    ["0.0.0.0", "localhost"],
    ["::", "localhost"],
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "[::1]"],
  ])("on %s are reached as %s", (host, name) => {
    expect(urlHost(host)).toBe(name);
  });
});
