// The page in a real browser, against a real broker, with devices that exist in MQTT only.
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { PAGE_BUDGET, pageSize } from "../../host/build/dashboard.ts";
import { encodePreview } from "../../host/protocol/preview.ts";
import { requires } from "../support/requirements.ts";
import { Browser, Stage } from "./support/stage.ts";
import { surveyText } from "./support/survey.ts";
import { manyDevices, SyntheticBridge, threeDevices } from "./support/synthetic.ts";

const chromium = requires("chromium");

/** Asks until it is as expected; the limit only ends what would never be. */
const eventually = <T>(read: () => Promise<T> | T) => expect.poll(read, { timeout: 60_000, interval: 40 });

chromium.describe("the dashboard in Chromium", () => {
  let browser: Browser;
  let stage: Stage;
  let bridge: SyntheticBridge;
  let page: Page;

  const card = (id: string) => page.locator(`.card[data-device="${id}"]`);
  const row = (id: string) => page.locator(`#compare-rows tr[data-device="${id}"]`);
  const figure = (id: string, label: string) => card(id).locator(".metric", { hasText: label }).locator("dd");
  const device = (id: string) => {
    const found = bridge.devices.find((candidate) => candidate.id === id);
    if (found === undefined) throw new Error(`no synthetic device ${id}`);
    return found;
  };

  beforeAll(async () => {
    browser = await Browser.start();
  });
  afterAll(async () => {
    await browser?.stop();
  });

  beforeEach(async () => {
    browser.complaints.length = 0;
    stage = await Stage.start();
    bridge = await SyntheticBridge.connect(stage.mqtt, threeDevices());
    page = await browser.open(stage.page);
    await card("posix-1").waitFor();
  });
  afterEach(async () => {
    await page.close();
    await bridge.stop();
    await stage.stop();
  });

  /** Publishes a few steps of every device, so that there is a line to draw. */
  async function train(rounds = 12): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      for (const one of bridge.devices) {
        one.step += 120;
        await bridge.state(one);
      }
      await page.waitForTimeout(60);
    }
  }

  /** How many pixels of a chart are a series' colour rather than grid, text or nothing: those of saturated hue. */
  async function inkOf(metric: string): Promise<number> {
    return page.evaluate((id) => {
      const canvas = document.querySelector<HTMLCanvasElement>(`#chart-${id} canvas`);
      if (canvas === null || canvas.width === 0) return -1;
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", { willReadFrequently: true });
      if (context === null) return -1;
      context.drawImage(canvas, 0, 0);
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      let ink = 0;
      for (let i = 0; i < data.length; i += 4) {
        const [r = 0, g = 0, b = 0, a = 0] = data.slice(i, i + 4);
        if (a > 200 && Math.max(r, g, b) - Math.min(r, g, b) > 60) ink++;
      }
      return ink;
    }, metric);
  }

  it("shows broker, data set and a card for each device", async () => {
    await eventually(() => page.locator("#facts").textContent()).toMatch(
      /mqtt:\/\/.*3\.1\.1.*fashion-mnist/s,
    );
    await eventually(() => page.locator(".card").count()).toBe(3);
    expect(await card("mps2-an386").locator(".card-about").textContent()).toContain("wasm3-0.5.0");
    await eventually(() => card("mps2-an386").getAttribute("data-presence")).toBe("online");
    expect(await page.locator("#connection-phase").textContent()).toBe("Connected");
    expect(await page.locator("#empty").isHidden()).toBe(true);
    expect(browser.complaints).toEqual([]);
  });

  it("draws loss and accuracy as they arrive", async () => {
    expect(await inkOf("loss")).toBeLessThanOrEqual(0);
    await train();
    await eventually(() => inkOf("loss")).toBeGreaterThan(200);
    await eventually(() => inkOf("accuracy")).toBeGreaterThan(200);
    expect(await page.locator("#empty-loss").isHidden()).toBe(true);
    expect(await page.locator("#chart-loss").getAttribute("aria-label")).toContain("posix-1");
    expect(browser.complaints).toEqual([]);
  });

  it("updates numbers on the card, in the table and in the summary", async () => {
    await bridge.state(device("posix-1"), {
      step: 12_345,
      loss: 0.4821,
      accuracy: 0.8637,
      bytesOut: 1_240_000,
    });
    await eventually(() => figure("posix-1", "Step").textContent()).toBe("12,345");
    expect(await figure("posix-1", "Loss").textContent()).toBe("0.482");
    expect(await figure("posix-1", "Bytes out").textContent()).toBe("1.24 MB");
    expect(await card("posix-1").locator(".memory-head").textContent()).toContain("74.6 KiB");
    await eventually(() => row("posix-1").textContent()).toContain("0.48286.4 %");
    await expect
      .poll(() => page.locator(".tile", { hasText: "Best accuracy" }).textContent())
      .toContain("86.4 %");
    await bridge.state(device("posix-1"), { step: 12_346, loss: 0.25 });
    await eventually(() => figure("posix-1", "Loss").textContent()).toBe("0.250");
    await bridge.state(device("posix-1"), { personal: { due: true, doubt: 1.25, kept: 120, labelsLeft: 0 } });
    await eventually(() => figure("posix-1", "Labels").textContent()).toBe("wanted");
    expect(await figure("posix-1", "Samples kept").textContent()).toBe("120");
    expect(await figure("posix-1", "Doubt").textContent()).toBe("1.250");
  });

  /** A camera's frame with one patch computed and one cell occupied. */
  async function watch(id: string, sequence: number): Promise<void> {
    const one = (length: number, at: number) => Uint8Array.from({ length }, (_, i) => (i === at ? 1 : 0));
    const pass = { dirty: 0.056, macs: 0.17, refreshAge: 60, harmful: 0.012, noise: 1.14, denseFrames: 1 };
    await bridge.state(device(id), { loss: undefined, accuracy: undefined, occupied: 1, pass });
    const preview = encodePreview({
      ...{ sequence, width: 96, height: 72, columns: 48, rows: 36, patch: 8, cellColumns: 12, cellRows: 9 },
      grey: new Uint8Array(48 * 36).fill(96),
      computed: one(108, 30),
      occupied: one(108, 42),
    });
    await bridge.raw(`${id}/preview`, Buffer.from(preview));
  }

  it("draws what a camera sees, what of it was computed, and what that saves", async () => {
    const camera = page.locator('.camera[data-device="posix-2"]');
    expect(await page.locator("#cameras-view").isHidden()).toBe(true);
    for (let sequence = 0; sequence < 4; sequence++) {
      await watch("posix-2", sequence);
      await page.waitForTimeout(300);
    }
    const frame = camera.locator("canvas.camera-frame");
    await eventually(() => frame.getAttribute("aria-label")).toBe(
      "Frame 3: 0.9 % of the patches computed, 1 cells occupied",
    );
    await eventually(() => camera.locator(".metrics").textContent()).toContain("5.6 %");
    expect(await camera.locator(".metrics").textContent()).toContain("83.0 %");
    expect(await camera.locator(".figures").textContent()).toContain("60 frames");
    expect(await camera.locator(".camera-trend canvas").count()).toBe(1);
    // A patch that was computed is tinted, one that was not is dimmed; a frame's grey is neither.
    const [computed, skipped] = await frame.evaluate((canvas: HTMLCanvasElement) => {
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", {
        willReadFrequently: true,
      }) as OffscreenCanvasRenderingContext2D;
      context.drawImage(canvas, 0, 0);
      const at = (x: number, y: number) => [...context.getImageData(x * 6, y * 6, 1, 1).data];
      return [at(6 * 8 + 4, 2 * 8 + 4), at(4, 4)];
    });
    expect(computed?.[1]).toBeGreaterThan((computed?.[0] ?? 0) + 15);
    expect(Math.abs((skipped?.[1] ?? 0) - (skipped?.[0] ?? 0))).toBeLessThan(6);
    expect(skipped?.[0]).toBeLessThan(80);
    await eventually(() => figure("posix-2", "Saved").textContent()).toBe("83.0 %");
    // The others may learn: there is something to compare.
    expect(await page.locator("#compare").isHidden()).toBe(false);
    for (const id of ["posix-1", "mps2-an386"]) await watch(id, 1);
    await eventually(() => page.locator("#compare").isHidden()).toBe(true);
    expect(await page.locator(".camera").count()).toBe(3);
    expect(browser.complaints).toEqual([]);
  });

  it("counts a preview that is none", async () => {
    await bridge.raw("posix-1/preview", Buffer.from("OMPV and nothing else"));
    await eventually(() => page.locator("#warnings summary").textContent()).toBe("1 malformed message");
    expect(await page.locator(".camera").count()).toBe(0);
  });

  it("tells who is offline, and that the bridge is", async () => {
    device("posix-2").online = false;
    await bridge.announce();
    await eventually(() => card("posix-2").getAttribute("data-presence")).toBe("offline");
    expect(await card("posix-2").getByRole("switch").isHidden()).toBe(true);
    expect(await card("posix-1").getAttribute("data-presence")).toBe("online");
    await bridge.publish("bridge/state", { state: "offline" }, true);
    await eventually(() => page.locator("#banner").textContent()).toContain("bridge is offline");
    await eventually(() => card("posix-1").getAttribute("data-presence")).toBe("offline");
  });

  it("switches a device, and shows what the device confirmed", async () => {
    await bridge.state(device("posix-1"));
    const control = card("posix-1").getByRole("switch");
    await eventually(() => control.getAttribute("aria-checked")).toBe("true");
    await control.click();
    await eventually(() => device("posix-1").running).toBe(false);
    await eventually(() => control.textContent()).toBe("paused");
    expect(await control.getAttribute("aria-checked")).toBe("false");
    await control.press("Space");
    await eventually(() => device("posix-1").running).toBe(true);
    await eventually(() => page.locator("#log-lines").textContent()).toContain("training resumed");
  });

  it("shows a device's error with its message", async () => {
    const error = { code: 12, name: "accumulator-bound", message: "conv2d: 140,000 products" };
    await bridge.state(device("posix-1"), { running: false, error });
    await expect
      .poll(() => card("posix-1").locator(".card-error").textContent())
      .toContain("conv2d: 140,000 products");
    await bridge.state(device("posix-1"));
    await eventually(() => card("posix-1").locator(".card-error").isHidden()).toBe(true);
  });

  it("treats hostile payloads as text or as nothing, and counts them", async () => {
    const attack = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>';
    await bridge.publish("posix-1/log", { level: "error", message: attack });
    await bridge.publish("bridge/info", { version: attack, broker: attack, mqtt: 5, dataset: attack }, true);
    await bridge.state(device("posix-1"), { error: { code: 1, name: attack, message: attack } });
    const list = [{ id: "posix-1", board: attack, engine: attack, online: true }];
    await bridge.publish("bridge/devices", list, true);
    await bridge.raw("posix-2", "{nope", true);
    await bridge.raw("posix-2", Buffer.from([0xff, 0xfe]), true);
    await bridge.publish("posix-2", { loss: 1e308, step: -1 }, true);
    await bridge.publish("bridge/devices", [{ id: attack }], true);
    await bridge.raw(attack.replaceAll(/[#+/]/g, ""), '{"loss":1}', true);
    await eventually(() => page.locator("#warnings summary").textContent()).toBe("5 malformed messages");
    await eventually(() => page.locator("#log-lines").textContent()).toContain("<img src=x");
    await eventually(() => card("posix-1").locator(".card-error").textContent()).toContain("<script>");
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    // A retained malformed message meets every visitor; the page still comes up for a new one.
    await page.reload();
    await card("posix-1").waitFor();
    await eventually(() => page.locator("#warnings summary").textContent()).toContain("malformed");
    expect(browser.complaints).toEqual([]);
  });

  it("hides a line, sorts the table, and changes the axis", async () => {
    await train();
    await eventually(() => inkOf("loss")).toBeGreaterThan(200);
    await page.getByRole("checkbox", { name: "Show all" }).uncheck();
    await eventually(() => inkOf("loss")).toBe(0);
    await row("posix-1").getByRole("checkbox").check();
    await eventually(() => inkOf("loss")).toBeGreaterThan(50);
    await page.getByRole("button", { name: "Loss" }).click();
    await eventually(() => page.locator("#sort-loss").getAttribute("aria-sort")).toBe("ascending");
    const losses = await page.locator("#compare-rows td:nth-child(2)").allTextContents();
    expect(losses.map(Number)).toEqual(losses.map(Number).sort((a, b) => a - b));
    await page.getByRole("radio", { name: "By step" }).check();
    await eventually(() => inkOf("loss")).toBeGreaterThan(50);
  });

  it("reads all devices under the cursor", async () => {
    await train();
    await eventually(() => inkOf("loss")).toBeGreaterThan(200);
    await page.getByRole("radio", { name: "By step" }).check();
    await page.locator("#chart-loss .u-over").hover({ position: { x: 120, y: 60 } });
    await eventually(() => page.locator("#compare-when").textContent()).toMatch(/^at step [\d,]+$/);
    await page.mouse.move(2, 2);
    await eventually(() => page.locator("#compare-when").textContent()).toBe("latest");
  });

  it("comes back by itself when the broker does", async () => {
    await train(2);
    const port = Number(new URL(stage.page).port);
    await stage.stop();
    await eventually(() => page.locator("#banner").textContent()).toContain("was lost");
    expect(await card("posix-1").locator(".presence").textContent()).toBe("was online");
    await bridge.stop();
    stage = await Stage.start(port);
    bridge = await SyntheticBridge.connect(stage.mqtt, threeDevices());
    await page.locator("#banner-retry").click();
    await eventually(() => page.locator("#connection-phase").textContent()).toBe("Connected");
    await eventually(() => page.locator("#banner").isHidden()).toBe(true);
    await eventually(() => card("posix-1").locator(".presence").textContent()).toBe("online");
  });

  it("says what to do where no broker answers, and takes another address", async () => {
    await page.goto(`${stage.page}?broker=ws://127.0.0.1:9/mqtt`);
    await expect
      .poll(() => page.locator("#banner").textContent())
      .toContain("No broker answers at ws://127.0.0.1:9/mqtt");
    await page.locator("#banner-change").click();
    await page.getByLabel("Broker").fill("http://wrong");
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await eventually(() => page.locator("#connect-problem").textContent()).toContain("over WebSocket only");
    await page.getByLabel("Broker").fill(`${stage.page.replace("http", "ws")}mqtt`);
    await page.getByRole("button", { name: "Connect", exact: true }).click();
    await card("posix-1").waitFor();
    expect(new URL(page.url()).search).toBe("");
  });

  it("explains how to start a device while there is none", async () => {
    await page.goto(`${stage.page}?base=nowhere`);
    await eventually(() => page.locator("#empty").textContent()).toContain("npm start");
    await bridge.stop();
    bridge = await SyntheticBridge.connect(stage.mqtt, threeDevices(), "nowhere");
    await card("posix-1").waitFor();
    expect(await page.locator("#empty").isHidden()).toBe(true);
  });

  it.each([320, 390, 768, 1440, 2560])("has no horizontal scroll at %d pixels", async (width) => {
    await page.setViewportSize({ width, height: 800 });
    await bridge.state(device("posix-1"), {
      error: { code: 1, name: "x".repeat(120), message: "y".repeat(300) },
    });
    await train(3);
    await watch("posix-2", 1);
    await bridge.publish("posix-1/log", { level: "info", message: "z".repeat(400) });
    await eventually(() => page.locator("#log-lines").textContent()).toContain("zzz");
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    );
    expect(overflow).toBe(0);
    await page.setViewportSize({ width: 1440, height: 900 });
  });

  it("follows the system's scheme, and a choice against it", async () => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({ colorScheme: "dark" });
    await eventually(background).toBe("rgb(14, 18, 23)");
    await page.locator("#theme").click();
    await eventually(background).toBe("rgb(244, 246, 248)");
    expect(await page.locator("#theme").getAttribute("aria-label")).toBe("Theme: light");
    await page.reload();
    await eventually(background).toBe("rgb(244, 246, 248)");
    await page.evaluate(() => localStorage.clear());
    await page.emulateMedia({ colorScheme: null });
  });

  it.each(["dark", "light"] as const)(
    "has readable text and named controls in the %s scheme",
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme });
      device("posix-2").online = false;
      await bridge.announce();
      await bridge.state(device("posix-1"), { error: { code: 1, name: "error", message: "message" } });
      await bridge.publish("posix-1/log", { level: "error", message: "an error" });
      await bridge.publish("bridge/logging", { level: "warning", message: "a warning" });
      await bridge.raw("posix-1", "{nope");
      await watch("mps2-an386", 1);
      await bridge.publish("bridge/state", { state: "offline" }, true);
      await eventually(() => page.locator("#warnings summary").textContent()).toContain("malformed");
      await eventually(() => page.locator("#banner").textContent()).toContain("offline");
      await eventually(() => page.locator("#log-lines").textContent()).toContain("a warning");
      // a change of scheme fades colours in: what is between two of them is not what is read
      await page.evaluate(async () => {
        const fades = document.getAnimations().filter((it) => it instanceof CSSTransition);
        await Promise.allSettled(fades.map((it) => it.finished));
      });
      const found = await page.evaluate(surveyText);
      expect(found.texts).toBeGreaterThan(80);
      expect(found.faint).toEqual([]);
      expect(found.nameless).toEqual([]);
      await page.emulateMedia({ colorScheme: null });
    },
  );

  it("keeps up with a hundred devices, drawing far less often than messages arrive", async () => {
    await bridge.stop();
    bridge = await SyntheticBridge.connect(stage.mqtt, manyDevices(100));
    await eventually(() => page.locator(".card[data-device^=sensor-]").count()).toBe(100);
    await page.evaluate(() => {
      const counted = window as unknown as { changes: number };
      counted.changes = 0;
      new MutationObserver((list) => {
        counted.changes += list.length;
      }).observe(document.body, { subtree: true, characterData: true, childList: true, attributes: true });
    });
    for (let round = 0; round < 20; round++) {
      for (const one of bridge.devices) {
        one.step += 20;
        void bridge.state(one);
      }
      await page.waitForTimeout(50);
    }
    const last = { step: 99_999, loss: 0.111, accuracy: 0.5 };
    await bridge.state(device("sensor-100"), last);
    await eventually(() => row("sensor-100").textContent()).toContain("0.111");
    // Of 2,000 messages with twelve shown values each, a card that cannot be seen takes none.
    const changes = await page.evaluate(() => (window as unknown as { changes: number }).changes);
    expect(changes).toBeLessThan(2000 * 12);
    await card("sensor-100").scrollIntoViewIfNeeded();
    await eventually(() => figure("sensor-100", "Step").textContent()).toBe("99,999");
    await page.getByPlaceholder("Filter by name").fill("sensor-04");
    await eventually(() => page.locator(".card").count()).toBe(10);
    expect(browser.complaints).toEqual([]);
  });

  it("asks nobody else for anything, and stays within its budget", () => {
    const { gzip, files } = pageSize(stage.directory);
    expect(gzip).toBeLessThanOrEqual(PAGE_BUDGET);
    expect(files.some(({ name }) => name.endsWith(".html"))).toBe(true);
    expect(browser.complaints).toEqual([]);
  });
});
