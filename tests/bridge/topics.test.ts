import { describe, expect, it } from "vitest";
import { OctomoteError } from "../../host/bridge/errors.ts";
import { normaliseBrokerUrl, withoutCredentials } from "../../host/bridge/mqtt/broker-url.ts";
import { isPublishable, matchesFilter, refuseDeviceId, Topics } from "../../host/bridge/topics.ts";

describe("topic filters select as MQTT says", () => {
  it.each([
    ["a/b", "a/b", true],
    ["a/b", "a/b/c", false],
    ["a/+", "a/b", true],
    ["a/+", "a/", true],
    ["a/+", "a", false],
    ["a/+/c", "a/b/c", true],
    ["+/+", "/finance", true],
    ["/+", "/finance", true],
    ["+", "/finance", false],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["a/#", "ab", false],
    ["#", "a/b", true],
    ["#", "$SYS/x", false],
    ["+/x", "$SYS/x", false],
    ["$SYS/#", "$SYS/x", true],
  ])("%s and %s: %s", (filter, topic, expected) => {
    expect(matchesFilter(filter, topic)).toBe(expected);
  });
});

describe("names", () => {
  it.each(["kitchen", "a", "esp32-c3_2", "0.1", "x".repeat(31)])("%s can be a device", (id) => {
    expect(refuseDeviceId(id)).toBeNull();
  });

  it.each([
    "",
    "bridge",
    "a/b",
    "+",
    "#",
    "a b",
    "-a",
    "\u0000",
    "x".repeat(32),
    "küche",
    7,
    null,
    undefined,
  ])("%j cannot", (id) => {
    expect(refuseDeviceId(id)).toEqual(expect.any(String));
  });

  it.each(["octomote", "home/octomote"])("%s can be the base", (base) => {
    const topics = new Topics(base);
    expect(topics.deviceOfSet(topics.set("kitchen"))).toBe("kitchen");
    expect(topics.bridgeState).toBe(`${base}/bridge/state`);
  });

  it.each(["", "a/#", "+", "/a", "a/", "$SYS", "\u0000"])("%j cannot", (base) => {
    expect(() => new Topics(base)).toThrow(OctomoteError);
  });

  it.each(["", "a+", "a/#", "a\u0000b", "x".repeat(65_536)])("nothing is published to %j", (topic) => {
    expect(isPublishable(topic)).toBe(false);
  });
});

describe("broker addresses", () => {
  it.each([
    ["localhost", "mqtt://localhost"],
    ["localhost:1884", "mqtt://localhost:1884"],
    ["mqtts://a.b:8883", "mqtts://a.b:8883"],
    ["ws://[::1]:9001/mqtt", "ws://[::1]:9001/mqtt"],
  ])("%s means %s", (text, url) => {
    expect(normaliseBrokerUrl(text)).toBe(url);
  });

  it.each(["http://a", "mqtt://", "mqtt://a:99999", "tcp://a", "file:///etc/passwd"])(
    "%s is refused",
    (text) => {
      expect(() => normaliseBrokerUrl(text)).toThrow(OctomoteError);
    },
  );

  it("prints no password", () => {
    const shown = withoutCredentials("ws://me:secret@broker:9001/mqtt?token=secret#secret");
    expect(shown).toBe("ws://broker:9001/mqtt");
    expect(withoutCredentials("mqtt://me:secret@broker")).toBe("mqtt://broker");
  });
});
