// Which topic means what (docs/mqtt.md), and which of them the page listens to.

export type BridgeTopic = "state" | "info" | "devices" | "health" | "logging";
export type DeviceTopic = "state" | "availability" | "log" | "preview";

export type CloudTopic = "state" | "availability" | "view";

export type Route =
  | { of: "cloud"; topic: CloudTopic }
  | { of: "bridge"; topic: BridgeTopic }
  | { of: "device"; id: string; topic: DeviceTopic };

const CLOUD_TOPICS: readonly CloudTopic[] = ["state", "availability", "view"];
const BRIDGE_TOPICS: readonly BridgeTopic[] = ["state", "info", "devices", "health", "logging"];

/** The page's subscriptions: all but features, requests and responses, which it would only throw away. */
export function subscriptions(base: string): string[] {
  return [
    ...BRIDGE_TOPICS.map((topic) => `${base}/bridge/${topic}`),
    `${base}/cloud/state`,
    `${base}/cloud/view`,
    `${base}/+`,
    `${base}/+/availability`,
    `${base}/+/log`,
    `${base}/+/preview`,
  ];
}

/** Where a message belongs; null for a topic that the page does not know. */
export function route(base: string, topic: string): Route | null {
  if (!topic.startsWith(`${base}/`)) return null;
  const [first = "", second, ...more] = topic.slice(base.length + 1).split("/");
  if (more.length > 0 || first === "") return null;
  if (first === "bridge") {
    const known = BRIDGE_TOPICS.find((name) => name === second);
    return known === undefined ? null : { of: "bridge", topic: known };
  }
  if (first === "cloud") {
    const known = CLOUD_TOPICS.find((name) => name === second);
    return known === undefined ? null : { of: "cloud", topic: known };
  }
  if (second === undefined) return { of: "device", id: first, topic: "state" };
  if (second === "availability" || second === "log" || second === "preview")
    return { of: "device", id: first, topic: second };
  return null;
}

/** The topic that switches a device. */
export function setTopic(base: string, id: string): string {
  return `${base}/${id}/set`;
}
