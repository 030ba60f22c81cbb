// The cloud half on the page, in a real browser.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { requires } from "../support/requirements.ts";
import { Browser, Stage } from "./support/stage.ts";
import { SyntheticBridge, threeDevices } from "./support/synthetic.ts";

/** Asks until it is as expected; the limit only ends what would never be. */
const eventually = <T>(read: () => Promise<T> | T) => expect.poll(read, { timeout: 60_000, interval: 40 });

requires("chromium").describe("a split model on the page", () => {
  let browser: Browser;
  let stage: Stage;
  let bridge: SyntheticBridge;
  let page: Page;

  beforeAll(async () => {
    browser = await Browser.start();
    stage = await Stage.start();
    bridge = await SyntheticBridge.connect(stage.mqtt, threeDevices());
    page = await browser.open(stage.page);
    await page.locator('.card[data-device="posix-1"]').waitFor();
  });
  afterAll(async () => {
    await page?.close();
    await bridge?.stop();
    await stage?.stop();
    await browser?.stop();
  });

  it("shows how a cloud half is doing, and the features of each device channel by channel", async () => {
    const section = page.locator("#cloud-view");
    expect(await section.isHidden()).toBe(true);
    const state = { accuracy: 0.842, loss: 0.187, samples: 4923, bytesRaw: 14_700_000, bytesSent: 3_700_000 };
    const size = {
      ratio: 29.4,
      bytesPerSample: { mean: 106.6, p95: 150 },
      codebook: { version: 2, bytes: 836 },
    };
    await bridge.publish("cloud/state", { ...state, ...size }, true);
    await bridge.publish("cloud/availability", { state: "online" }, true);
    // one element of the second channel is lit
    const features = Buffer.from(Uint8Array.from({ length: 36 }, (_, i) => (i === 1 ? 100 : 0)));
    const view = { device: "posix-1", label: 4, seen: 4, codebook: 2, shape: [3, 3, 4] };
    await bridge.publish("cloud/view", { ...view, features: features.toString("base64") }, false);
    await eventually(() => section.locator(".metrics").textContent()).toContain("84.2 %");
    expect(await section.locator(".metrics").textContent()).toContain("29.4×");
    expect(await section.locator(".figures").textContent()).toContain("version 2");
    const maps = section.locator('.cloud-device[data-device="posix-1"]');
    await eventually(() => maps.locator("canvas").getAttribute("aria-label")).toBe(
      "4 maps of 3×3 features, taken for class 4, right",
    );
    const [lit, dark] = await maps.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext("2d", {
        willReadFrequently: true,
      }) as OffscreenCanvasRenderingContext2D;
      context.drawImage(canvas, 0, 0);
      // the second map begins behind three elements of six pixels and a gap of four
      return [24, 2].map((x) => context.getImageData(x, 2, 1, 1).data[1] ?? 0);
    });
    expect(Math.abs((lit ?? 0) - (dark ?? 0))).toBeGreaterThan(60);
    // what only sends features has nothing to compare
    const sends = { loss: undefined, accuracy: undefined, featureBytes: 9000, featureBytesRaw: 90_000 };
    for (const one of bridge.devices) await bridge.state(one, sends);
    await eventually(() => page.locator("#compare").isHidden()).toBe(true);
    // its card tells what becomes of what it sends: of late, and in all
    const card = page.locator('.card[data-device="posix-1"]');
    await eventually(() => card.locator(".metrics").textContent()).toContain("Smaller by10.0×");
    const [device] = bridge.devices;
    if (device) await bridge.state(device, { ...sends, featureBytes: 19_000, featureBytesRaw: 390_000 });
    await eventually(() => card.locator(".metrics").textContent()).toContain("Smaller by30.0×");
    expect(await card.locator(".metrics").textContent()).toContain("Cloud accuracy84.2 %Cloud loss0.187");
    expect(await card.locator(".figures").textContent()).toContain("Features as int8390 kBSent19.0 kB");
    expect(await page.locator("#tiles").textContent()).toMatch(/84\.2 %cloud half.*0\.187cloud half/);
    expect(browser.complaints).toEqual([]);
  });
});
