// Names of all MQTT topics below one base (docs/mqtt.md): the only place that spells them.

import { DEVICE_ID } from "../protocol/messages.ts";
import { OctomoteError } from "./errors.ts";

/** Says why `id` cannot name a device's topics, or returns null when it can. */
export function refuseDeviceId(id: unknown): string | null {
  if (typeof id !== "string" || !DEVICE_ID.test(id)) {
    return "an id has 1 to 31 letters, digits, _, . or -, and begins with a letter or digit";
  }
  return id === "bridge" || id === "cloud" ? `"${id}" is reserved for topics that are no device's` : null;
}

/** Says whether `topic` may be published to: not empty, no wildcard, no zero byte, at most 65,535 bytes. */
export function isPublishable(topic: string): boolean {
  return topic.length > 0 && !/[+#\0]/.test(topic) && Buffer.byteLength(topic) <= 65_535;
}

/**
 * Whether an MQTT topic filter selects a topic (MQTT 5, section 4.7). Wildcards at the front do not select topics
 * that begin with `$`. A shared subscription (`$share/<group>/<filter>`) selects what its filter does.
 */
export function matchesFilter(filter: string, topic: string): boolean {
  const want = filter.replace(/^\$share\/[^/]+\//, "").split("/");
  const have = topic.split("/");
  if (topic.startsWith("$") && (want[0] === "+" || want[0] === "#")) return false;
  for (let i = 0; i < want.length; i++) {
    if (want[i] === "#") return i === want.length - 1;
    if (i >= have.length) return false;
    if (want[i] !== "+" && want[i] !== have[i]) return false;
  }
  return want.length === have.length;
}

/** Topics below a base such as `octomote` or `home/octomote`. */
export class Topics {
  readonly base: string;

  /** Throws `OctomoteError` when the base is not a plain topic. */
  constructor(base = "octomote") {
    if (!isPublishable(base) || base.startsWith("$") || base.startsWith("/") || base.endsWith("/")) {
      throw new OctomoteError(
        `"${base}" cannot be a base topic`,
        "use a plain topic such as octomote or home/octomote: no + or #, no / at either end",
      );
    }
    this.base = base;
  }

  get bridgeState(): string {
    return `${this.base}/bridge/state`;
  }
  get bridgeInfo(): string {
    return `${this.base}/bridge/info`;
  }
  get bridgeDevices(): string {
    return `${this.base}/bridge/devices`;
  }
  get bridgeHealth(): string {
    return `${this.base}/bridge/health`;
  }
  get bridgeLogging(): string {
    return `${this.base}/bridge/logging`;
  }
  /** `…/bridge/request/`, with the slash. */
  get requestPrefix(): string {
    return `${this.base}/bridge/request/`;
  }
  response(verb: string): string {
    return `${this.base}/bridge/response/${verb}`;
  }
  state(device: string): string {
    return `${this.base}/${device}`;
  }
  availability(device: string): string {
    return `${this.base}/${device}/availability`;
  }
  log(device: string): string {
    return `${this.base}/${device}/log`;
  }
  features(device: string): string {
    return `${this.base}/${device}/features`;
  }
  preview(device: string): string {
    return `${this.base}/${device}/preview`;
  }
  set(device: string): string {
    return `${this.base}/${device}/set`;
  }
  /** Filter of every device's features. */
  get anyFeatures(): string {
    return `${this.base}/+/features`;
  }
  /** Topic of the cloud half: `state`, `availability`, `codebook`, `half`, `decoded`, `kept` or `view`. */
  cloud(name: "state" | "availability" | "codebook" | "half" | "decoded" | "kept" | "view"): string {
    return `${this.base}/cloud/${name}`;
  }
  /** Filter of what belongs on every device: `codebook` and `half`. */
  get cloudDownloads(): string[] {
    return [this.cloud("codebook"), this.cloud("half")];
  }

  /** The device that a `features` topic names. */
  deviceOfFeatures(topic: string): string {
    return topic.slice(this.base.length + 1, -"/features".length);
  }
  /** Filter of every device's `set`. */
  get anySet(): string {
    return `${this.base}/+/set`;
  }

  /** The device that a `set` topic names. */
  deviceOfSet(topic: string): string {
    return topic.slice(this.base.length + 1, -"/set".length);
  }
}
