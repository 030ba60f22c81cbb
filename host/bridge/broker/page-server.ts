// Serves the page over HTTP and its MQTT over WebSocket, from one port: `/mqtt` is the broker, all else are files.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP, type Socket } from "node:net";
import { extname, join, normalize, sep } from "node:path";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";
import { type Listening, listen, urlHost } from "./listen.ts";

const TYPES: Record<string, string> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

/** Largest WebSocket message taken from a page, in bytes. */
const MAX_MESSAGE = 1 << 20;

export interface PageServerOptions {
  /** Directory with the built page. */
  directory: string;
  /** Takes the byte stream of each page that opens `/mqtt`. */
  mqtt: (stream: Duplex) => void;
  /** Address to listen on; 127.0.0.1. */
  host?: string;
  /** Port to listen on; 8080, and another when that is taken. */
  port?: number;
}

export class PageServer {
  readonly #options: PageServerOptions;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #webSockets: WebSocketServer | null = null;
  #listening: Listening | null = null;

  /** Does nothing. */
  constructor(options: PageServerOptions) {
    this.#options = options;
  }

  async start(): Promise<Listening> {
    const server = createServer((request, response) => {
      this.#serve(request, response).catch(() => refuse(response, 500, "internal error"));
    });
    this.#server = server;
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    const webSockets = new WebSocketServer({
      noServer: true,
      maxPayload: MAX_MESSAGE,
      handleProtocols: (offered) => (offered.has("mqtt") ? "mqtt" : false),
    });
    this.#webSockets = webSockets;
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      if (pathOf(request) !== "/mqtt") socket.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
      else if (!this.#isOurOrigin(request)) socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
      else {
        webSockets.handleUpgrade(request, socket, head, (webSocket) => {
          this.#options.mqtt(createWebSocketStream(webSocket));
        });
      }
    });
    this.#listening = await listen(server, this.#options.host ?? "127.0.0.1", this.#options.port ?? 8080);
    return this.#listening;
  }

  /** Address of the page on this machine; call after `start`. */
  get url(): string {
    const { host = "127.0.0.1", port = 8080 } = this.#listening ?? {};
    return `http://${urlHost(host)}:${port}/`;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const client of this.#webSockets?.clients ?? []) client.terminate();
    this.#webSockets?.close();
    if (!server) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /**
   * Browsers let any web site open a WebSocket to this machine. Only our own page may: its origin is the host it was
   * loaded from, by an address or as localhost (a foreign name that was made to point here is neither).
   */
  #isOurOrigin(request: IncomingMessage): boolean {
    const { origin, host } = request.headers;
    if (origin === undefined) return true; // not a browser
    try {
      const page = new URL(origin);
      const name = page.hostname.replace(/^\[|\]$/g, "");
      const trusted = isIP(name) > 0 || name === "localhost" || name === this.#options.host;
      return page.host === host && trusted;
    } catch {
      return false;
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      return refuse(response, 405, "only GET and HEAD");
    }
    const file = await this.#find(pathOf(request));
    if (!file) return refuse(response, 404, "no such page");
    response.writeHead(200, {
      "Content-Type": TYPES[extname(file.path)] ?? "application/octet-stream",
      "Content-Length": file.size,
      // Vite puts a digest into the names of what lies in assets/, so these never change.
      "Cache-Control": file.path.includes(`${sep}assets${sep}`)
        ? "public, max-age=31536000, immutable"
        : "no-cache",
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
    });
    if (request.method === "HEAD") response.end();
    else
      createReadStream(file.path)
        .on("error", () => response.destroy())
        .pipe(response);
  }

  async #find(path: string | null): Promise<{ path: string; size: number } | null> {
    if (!path?.startsWith("/") || path.includes("\0")) return null;
    const relative = normalize(path.endsWith("/") ? `${path}index.html` : path);
    if (relative.split(sep).some((part) => part === ".." || (part.startsWith(".") && part !== ".")))
      return null;
    const full = join(this.#options.directory, relative);
    const info = await stat(full).catch(() => null);
    return info?.isFile() ? { path: full, size: info.size } : null;
  }
}

/** The path that a request asks for, decoded; null when it cannot be. */
function pathOf(request: IncomingMessage): string | null {
  try {
    return decodeURIComponent((request.url ?? "/").split(/[?#]/, 1)[0] as string);
  } catch {
    return null;
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${status} ${text}\n`);
}
