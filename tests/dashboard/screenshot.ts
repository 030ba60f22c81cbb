// Takes docs/images/dashboard.png from a real run: starts Octomote on free ports, lets its devices learn, and pictures the
// page. `npm run docs:screenshot [-- seconds [app [options of octomote start …]]]`; 45 seconds of training without it. Of another app than
// the trainer it is docs/images/<app>.png.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Browser } from "./support/stage.ts";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const app = process.argv[3] ?? "trainer";
const FILE = join(ROOT, `docs/images/${app === "trainer" ? "dashboard" : app}.png`);
const MAX_BYTES = 300_000;
const WIDTH = 1440;
/** Compiling firmware and modules on a small machine. */
const START_MS = 300_000;

const seconds = Number(process.argv[2] ?? 45);
if (!(seconds > 0)) throw new Error(`"${process.argv[2]}" is not a number of seconds`);

const started = spawn(
  process.execPath,
  [
    join(ROOT, "host/cli/octomote.mjs"),
    "start",
    "--app",
    app,
    "--seconds",
    String(seconds + 60),
    "--port",
    "0",
    "--mqtt-port",
    "0",
    ...process.argv.slice(4),
  ],
  { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] },
);
const ended = new Promise<never>((_, reject) => {
  started.once("exit", (code) =>
    reject(new Error(`octomote start ended with code ${code} before the picture was taken`)),
  );
});
ended.catch(() => {}); // raced below; after the picture it may end as it likes
const browser = await Browser.start({ colorScheme: "dark", viewport: { width: WIDTH, height: 900 } });
try {
  const page = await browser.open(await Promise.race([pageAddress(started), ended]));
  const learning = page
    .locator(".card .metrics dd, .cloud .metrics dd")
    .filter({ hasText: /^[0-9]/ })
    .first();
  await Promise.race([learning.waitFor({ timeout: START_MS }), ended]);
  console.log(`devices learn; the picture is taken in ${seconds} s`);
  await page.waitForTimeout(seconds * 1000);
  // Down to the last card; charts grow with the window, so it takes two rounds to fit.
  let height = 0;
  for (let round = 0; round < 2; round++) {
    height = await page.evaluate(
      () => scrollY + (document.getElementById("cards")?.getBoundingClientRect().bottom ?? 0) + 20,
    );
    await page.setViewportSize({ width: WIDTH, height: Math.ceil(height) });
    await page.waitForTimeout(1000);
  }
  mkdirSync(dirname(FILE), { recursive: true });
  await page.screenshot({ path: FILE });
} finally {
  await browser.stop();
  started.kill("SIGINT");
}
const { size } = statSync(FILE);
if (size > MAX_BYTES) throw new Error(`${FILE} takes ${size} bytes; at most ${MAX_BYTES} are wanted`);
console.log(`${FILE}: ${size} bytes`);

/** The address that `octomote start` prints once it serves the page. */
function pageAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      const address = /http:\/\/\S+/.exec(output)?.[0];
      if (address !== undefined) resolve(address);
    });
  });
}
