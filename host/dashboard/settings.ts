// Where the broker is and who asks. The address is part of the page's own, so that it can be bookmarked and shared; user
// and password stay in this tab (sessionStorage), each set under the broker it was typed for, so that a link to another
// broker never gets them.

export interface Settings {
  /** ws:// or wss:// */
  broker: string;
  /** Base topic, without slashes at its ends. */
  base: string;
  username: string;
  password: string;
}

/** An address or base topic that cannot work, in words for the person who typed it. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

export const DEFAULT_BASE = "octomote";

type PageAddress = Pick<Location, "protocol" | "host" | "search">;
type KeyValue = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/** The server that serves the page carries the broker's WebSocket, too. */
export function defaultBroker(page: PageAddress): string {
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}/mqtt`;
}

/** @throws SettingsError when it is not a WebSocket address. */
export function checkBroker(text: string): string {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    throw new SettingsError(`"${text}" is not an address; write it as ws://host:port/mqtt`);
  }
  if (url.protocol !== "ws:" && url.protocol !== "wss:") {
    throw new SettingsError(
      `A page reaches a broker over WebSocket only: ws:// or wss://, not ${url.protocol}//`,
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new SettingsError("Leave user and password out of the address; they have fields of their own");
  }
  url.hash = "";
  return url.href;
}

/** @throws SettingsError when it cannot be part of a topic. */
export function checkBase(text: string): string {
  const base = text.trim().replace(/^\/+|\/+$/g, "");
  if (base === "" || base.length > 200 || /[+#]/.test(base)) {
    throw new SettingsError("A base topic is a text without + and #, for example octomote");
  }
  return base;
}

/** What `?broker=…&base=…` says, else the defaults; a wrong one falls back to its default and is told in `problem`. */
export function readSettings(page: PageAddress, storage: KeyValue): { settings: Settings; problem?: string } {
  const query = new URLSearchParams(page.search);
  const problems: string[] = [];
  const attempt = (check: (text: string) => string, given: string | null, fallback: string): string => {
    if (given === null) return fallback;
    try {
      return check(given);
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
      return fallback;
    }
  };
  const broker = attempt(checkBroker, query.get("broker"), defaultBroker(page));
  const base = attempt(checkBase, query.get("base"), DEFAULT_BASE);
  const settings = { broker, base, ...readCredentials(broker, storage) };
  return problems.length === 0 ? { settings } : { settings, problem: problems.join(" ") };
}

/** The query string that leads back to these settings; empty for the defaults. */
export function settingsQuery(settings: Settings, page: PageAddress): string {
  const query = new URLSearchParams();
  if (settings.broker !== defaultBroker(page)) query.set("broker", settings.broker);
  if (settings.base !== DEFAULT_BASE) query.set("base", settings.base);
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

export function saveCredentials({ broker, username, password }: Settings, storage: KeyValue): void {
  const key = credentialsKey(broker);
  if (username === "" && password === "") storage.removeItem(key);
  else storage.setItem(key, JSON.stringify({ username, password }));
}

function readCredentials(broker: string, storage: KeyValue): { username: string; password: string } {
  const none = { username: "", password: "" };
  const stored = storage.getItem(credentialsKey(broker));
  if (stored === null) return none;
  try {
    const { username, password } = JSON.parse(stored) as Record<string, unknown>;
    return typeof username === "string" && typeof password === "string" ? { username, password } : none;
  } catch {
    return none;
  }
}

function credentialsKey(broker: string): string {
  return `octomote.credentials ${broker}`;
}
