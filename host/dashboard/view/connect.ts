// What a person sees and does about the connection: the banner that says what is wrong and what helps, and the dialog for
// address, base topic, user and password.

import type { ConnectionState } from "../connection.ts";
import { checkBase, checkBroker, type Settings, SettingsError } from "../settings.ts";
import { byId, setAttribute, show, Text } from "./dom.ts";

export interface ConnectHandlers {
  /** New settings, checked. */
  apply(settings: Settings): void;
  retry(): void;
}

interface Notice {
  tone: "error" | "note";
  title: string;
  advice: string;
  retry: boolean;
}

export class Connect {
  readonly #settings: Settings;
  readonly #banner = byId("banner", HTMLElement);
  readonly #title = new Text();
  readonly #advice = new Text();
  readonly #countdown = new Text();
  readonly #retry = byId("banner-retry", HTMLButtonElement);
  readonly #dialog = byId("connect", HTMLDialogElement);
  readonly #problem = byId("connect-problem", HTMLElement);
  readonly #fields = {
    broker: byId("field-broker", HTMLInputElement),
    base: byId("field-base", HTMLInputElement),
    username: byId("field-username", HTMLInputElement),
    password: byId("field-password", HTMLInputElement),
  };

  constructor(settings: Settings, handlers: ConnectHandlers) {
    this.#settings = settings;
    byId("banner-title", HTMLElement).append(this.#title.node);
    byId("banner-advice", HTMLElement).append(this.#advice.node);
    byId("banner-countdown", HTMLElement).append(this.#countdown.node);
    this.#retry.addEventListener("click", () => handlers.retry());
    byId("banner-change", HTMLButtonElement).addEventListener("click", () => this.ask());
    byId("connection", HTMLButtonElement).addEventListener("click", () => this.ask());
    byId("connect-cancel", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
    byId("connect-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      try {
        const { broker, base, username, password } = this.#fields;
        const checked = { broker: checkBroker(broker.value), base: checkBase(base.value) };
        handlers.apply({ ...checked, username: username.value, password: password.value });
        this.#dialog.close();
      } catch (error) {
        if (!(error instanceof SettingsError)) throw error;
        this.#complain(error.message);
      }
    });
  }

  /** Opens the dialog with the settings in force. */
  ask(problem = ""): void {
    if (this.#dialog.open) return;
    for (const [name, field] of Object.entries(this.#fields))
      field.value = this.#settings[name as keyof Settings];
    this.#complain(problem);
    this.#dialog.showModal();
  }

  /** @param now ms since 1970 @param bridgeOnline what the bridge says of itself, undefined while unknown */
  draw(
    connection: ConnectionState,
    bridgeOnline: boolean | undefined,
    problem: string | undefined,
    now: number,
  ): void {
    const notice = this.#notice(connection, bridgeOnline, problem);
    show(this.#banner, notice !== undefined);
    if (notice === undefined) return;
    setAttribute(this.#banner, "data-tone", notice.tone);
    this.#title.set(notice.title);
    this.#advice.set(notice.advice);
    show(this.#retry, notice.retry);
    const seconds =
      connection.phase === "waiting" ? Math.max(0, Math.ceil((connection.retryAt - now) / 1000)) : 0;
    this.#countdown.set(connection.phase === "waiting" ? `Next try in ${seconds} s.` : "");
  }

  #complain(text: string): void {
    this.#problem.textContent = text;
    show(this.#problem, text !== "");
  }

  #notice(
    connection: ConnectionState,
    bridgeOnline: boolean | undefined,
    problem: string | undefined,
  ): Notice | undefined {
    const { broker } = this.#settings;
    if (connection.phase === "refused") {
      const advice = connection.credentials
        ? "Enter a user and a password that may read and write below the base topic."
        : mixedContent(broker)
          ? "A page that came over https may only open wss:// addresses: give the broker a certificate, or open the page over http."
          : "Check the broker's log, then change the connection.";
      return { tone: "error", title: connection.reason, advice, retry: false };
    }
    if (connection.phase === "waiting" && connection.reached) {
      const advice =
        "The values below are the last ones received. Is the broker, or npm start, still running?";
      return { tone: "error", title: `The connection to ${broker} was lost.`, advice, retry: true };
    }
    if (connection.phase === "waiting") {
      const advice =
        "Start one with npm start, or check the address: the broker must listen for WebSocket there " +
        "(in Mosquitto: listener 9001 and protocol websockets).";
      return { tone: "error", title: `No broker answers at ${broker}.`, advice, retry: true };
    }
    if (problem !== undefined) {
      return {
        tone: "error",
        title: "Part of this page's address was not used.",
        advice: problem,
        retry: false,
      };
    }
    if (connection.phase === "online" && bridgeOnline === false) {
      const advice =
        "The broker is there, but no bridge feeds it: devices count as offline until octomote bridge or npm start runs again.";
      return { tone: "note", title: "The bridge is offline.", advice, retry: false };
    }
    return undefined;
  }
}

function mixedContent(broker: string): boolean {
  return location.protocol === "https:" && broker.startsWith("ws:");
}
