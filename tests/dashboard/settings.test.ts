import { describe, expect, it } from "vitest";
import {
  checkBase,
  checkBroker,
  defaultBroker,
  readSettings,
  SettingsError,
  saveCredentials,
  settingsQuery,
} from "../../host/dashboard/settings.ts";

const page = (search = "", protocol = "http:") => ({ protocol, host: "box:8080", search });

function storage() {
  const map = new Map<string, string>();
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  };
}

describe("the broker", () => {
  it("is by default where the page came from", () => {
    expect(defaultBroker(page())).toBe("ws://box:8080/mqtt");
    expect(defaultBroker(page("", "https:"))).toBe("wss://box:8080/mqtt");
  });

  it("and the base topic can be named in the page's address, and lead back to it", () => {
    const { settings, problem } = readSettings(
      page("?broker=wss://other/mqtt&base=home/octomote"),
      storage(),
    );
    expect(settings).toMatchObject({ broker: "wss://other/mqtt", base: "home/octomote" });
    expect(problem).toBeUndefined();
    const query = settingsQuery(settings, page());
    expect(readSettings(page(query), storage()).settings).toEqual(settings);
  });

  it("needs no query when it is the default", () => {
    expect(settingsQuery(readSettings(page(), storage()).settings, page())).toBe("");
  });

  it.each(["http://x", "mqtt://x:1883", "javascript:alert(1)", "nothing", "ws://user:word@x/"])(
    "is not %s",
    (text) => {
      expect(() => checkBroker(text)).toThrow(SettingsError);
      const { settings, problem } = readSettings(page(`?broker=${encodeURIComponent(text)}`), storage());
      expect(settings.broker).toBe("ws://box:8080/mqtt");
      expect(problem).toBeTypeOf("string");
    },
  );
});

describe("the base topic", () => {
  it("loses slashes at its ends, and takes no wildcard", () => {
    expect(checkBase(" /a/b/ ")).toBe("a/b");
    for (const text of ["", "/", "a/+", "#"]) expect(() => checkBase(text)).toThrow(SettingsError);
  });
});

describe("user and password", () => {
  it("are kept for the broker that they were typed for, and no other", () => {
    const kept = storage();
    saveCredentials({ broker: "ws://a/", base: "x", username: "ann", password: "secret" }, kept);
    expect(readSettings(page("?broker=ws://a/"), kept).settings).toMatchObject({
      username: "ann",
      password: "secret",
    });
    expect(readSettings(page("?broker=ws://b/"), kept).settings).toMatchObject({
      username: "",
      password: "",
    });
  });

  it("are forgotten when emptied, and when what is stored makes no sense", () => {
    const kept = storage();
    const settings = { broker: "ws://a/", base: "x", username: "ann", password: "secret" };
    saveCredentials(settings, kept);
    saveCredentials({ ...settings, username: "", password: "" }, kept);
    expect(readSettings(page("?broker=ws://a/"), kept).settings.username).toBe("");
    kept.setItem("octomote.credentials ws://a/", "[]");
    expect(readSettings(page("?broker=ws://a/"), kept).settings.username).toBe("");
  });
});
