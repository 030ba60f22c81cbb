// Transports over real processes and sockets.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import {
  ChildProcessTransport,
  listenTcp,
  TcpTransport,
  type Transport,
  type TransportEvents,
} from "../../host/link/transport.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const LOCAL = "127.0.0.1";

/** Collects data until `length` bytes have come. */
async function read(transport: Transport, length: number): Promise<string> {
  let text = "";
  const decoder = new TextDecoder();
  await new Promise<void>((resolve) => {
    transport.on("data", (bytes) => {
      text += decoder.decode(bytes, { stream: true });
      if (text.length >= length) resolve();
    });
  });
  return text;
}

function event<K extends keyof TransportEvents>(transport: Transport, name: K): Promise<unknown[]> {
  // Not events.once: an error is awaited as any other event.
  const emitter: NodeJS.EventEmitter = transport as never;
  return new Promise((resolve) => emitter.once(name, (...values: unknown[]) => resolve(values)));
}

describe("ChildProcessTransport", () => {
  test("carries bytes both ways and closes with the process", async () => {
    const child = spawn("cat", { stdio: ["pipe", "pipe", "inherit"] });
    const transport = new ChildProcessTransport(child);
    expect(transport.name).toBe(`process ${child.pid}`);
    expect(transport.send(utf8("hello"))).toBe(true);
    expect(await read(transport, 5)).toBe("hello");
    const closed = event(transport, "close");
    await transport.close();
    await closed;
    expect(child.exitCode).toBe(0);
    expect(transport.send(utf8("x"))).toBe(false);
  });

  test("a process that does not read is not flooded", async () => {
    const child = spawn("sleep", ["60"], { stdio: ["pipe", "pipe", "inherit"] });
    const transport = new ChildProcessTransport(child);
    const block = new Uint8Array(8192);
    let taken = 0;
    while (transport.send(block)) taken++;
    // The system's own buffer takes some of it.
    expect(taken).toBeLessThan(100);
    expect(child.stdin.writableLength).toBeLessThanOrEqual(64 * 1024);
    child.kill();
    await event(transport, "close");
  });

  test("a program that does not exist is an error and a close", async () => {
    const child = spawn("octomote-no-such-program", { stdio: "pipe" });
    const transport = new ChildProcessTransport(child);
    const closed = event(transport, "close");
    const [error] = (await event(transport, "error")) as [Error];
    expect(error.message).toMatch(/ENOENT/);
    await closed;
  });

  test("needs pipes", () => {
    const child = spawn("true", { stdio: "ignore" });
    expect(() => new ChildProcessTransport(child)).toThrow(/must be pipes/);
  });
});

describe("TcpTransport", () => {
  /** A listener and the transports it has accepted. */
  async function listener() {
    const accepted: TcpTransport[] = [];
    let wake = () => {};
    const listening = await listenTcp({ host: LOCAL, port: 0 }, (transport) => {
      accepted.push(transport);
      wake();
    });
    const next = async () => {
      while (accepted.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return accepted.shift() as TcpTransport;
    };
    return { ...listening, next };
  }

  test("dials, carries bytes both ways, and ends for good when it is closed", async () => {
    const server = await listener();
    const client = new TcpTransport({ host: LOCAL, port: server.port });
    expect(client.send(utf8("too early"))).toBe(false);
    await event(client, "open");
    const device = await server.next();
    expect(client.send(utf8("to device"))).toBe(true);
    expect(await read(device, 9)).toBe("to device");
    device.send(utf8("to host"));
    expect(await read(client, 7)).toBe("to host");
    const gone = event(device, "close");
    const closed = event(client, "close");
    await client.close();
    await Promise.all([gone, closed]);
    await client.close();
    await server.close();
  });

  test("a connection that is lost is dialled again", async () => {
    const server = await listener();
    const client = new TcpTransport({ host: LOCAL, port: server.port });
    await event(client, "open");
    const lost = event(client, "lost");
    await (await server.next()).close();
    await lost;
    expect(client.send(utf8("x"))).toBe(false);
    await event(client, "open");
    const again = await server.next();
    client.send(utf8("again"));
    expect(await read(again, 5)).toBe("again");
    await client.close();
    await server.close();
  });

  test("an address where nobody listens is an error, and is tried again", async () => {
    const probe = createServer();
    probe.listen(0, LOCAL);
    await once(probe, "listening");
    const { port } = probe.address() as { port: number };
    probe.close();
    await once(probe, "close");
    const client = new TcpTransport({ host: LOCAL, port });
    const [error] = (await event(client, "error")) as [Error];
    expect(error.message).toMatch(/ECONNREFUSED/);
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    server.listen(port, LOCAL);
    await event(client, "open");
    await client.close();
    server.close();
    await once(server, "close");
  });

  test("a port that is taken is the system's error", async () => {
    const server = await listener();
    await expect(listenTcp({ host: LOCAL, port: server.port }, () => {})).rejects.toThrow(/EADDRINUSE/);
    await server.close();
  });

  test("closing a listener closes what it has accepted", async () => {
    const server = await listener();
    const client = new TcpTransport({ host: LOCAL, port: server.port });
    await event(client, "open");
    await server.next();
    const lost = event(client, "lost");
    await server.close();
    await lost;
    await client.close();
  });
});
