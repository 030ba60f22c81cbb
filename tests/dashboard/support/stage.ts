// A broker, the page served beside it, and headless Chromium: what a test of the page needs, and what ends with it.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { EmbeddedBroker } from "../../../host/bridge/broker/embedded-broker.ts";
import { PageServer } from "../../../host/bridge/broker/page-server.ts";
import { buildDashboard } from "../../../host/build/dashboard.ts";
import { findProgram } from "../../support/requirements.ts";

/** Without these, Chromium looks for Google's hosts, and tells the console that it cannot reach them. */
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser as a visitor has it: one profile, its pages, and what their consoles said. */
export class Browser {
  readonly context: BrowserContext;
  /** Errors of the console, of scripts, and requests to another host than the page's. */
  readonly complaints: string[] = [];
  readonly #profile: string;

  private constructor(context: BrowserContext, profile: string) {
    this.context = context;
    this.#profile = profile;
  }

  static async start(options: BrowserContextOptions = {}): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), "octomote-chromium-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? findProgram("chromium"),
      headless: true,
      // Chromium has no sandbox for root.
      chromiumSandbox: process.getuid?.() !== 0,
      args: FLAGS,
      viewport: { width: 1440, height: 900 },
      ...options,
    });
    return new Browser(context, profile);
  }

  /** Opens a page and watches it. */
  async open(url: string): Promise<Page> {
    const page = await this.context.newPage();
    const host = new URL(url).host;
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(`uncaught: ${error.message}`));
    page.on("request", (request) => {
      const target = new URL(request.url());
      if (target.protocol.startsWith("http") && target.host !== host)
        this.complaints.push(`asked ${target.host}`);
    });
    await page.goto(url);
    return page;
  }

  async stop(): Promise<void> {
    await this.context.close();
    await rm(this.#profile, { recursive: true, force: true });
  }
}

/** Broker and page server on free ports of this machine. */
export class Stage {
  readonly broker: EmbeddedBroker;
  readonly server: PageServer;
  /** Where the built page lies. */
  readonly directory: string;

  private constructor(broker: EmbeddedBroker, server: PageServer, directory: string) {
    this.broker = broker;
    this.server = server;
    this.directory = directory;
  }

  /** @param port of the page; any free one without it */
  static async start(port = 0): Promise<Stage> {
    const directory = await buildDashboard();
    const broker = new EmbeddedBroker({ port: 0 });
    await broker.start();
    const server = new PageServer({ directory, port, mqtt: (stream) => broker.handle(stream) });
    await server.start();
    return new Stage(broker, server, directory);
  }

  /** Address of the page. */
  get page(): string {
    return this.server.url;
  }

  /** Address of the broker for MQTT over TCP. */
  get mqtt(): string {
    return this.broker.url;
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.broker.stop();
  }
}
