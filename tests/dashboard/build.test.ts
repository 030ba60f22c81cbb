import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildDashboard, PAGE_BUDGET, pageSize } from "../../host/build/dashboard.ts";

let folder: string;
let output: string;
const lines: string[] = [];
const build = () => buildDashboard({ output, log: (line) => lines.push(line) });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "octomote-page-"));
  output = join(folder, "page");
  await build();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("states the page's size, which is within its budget", () => {
  const { gzip, files } = pageSize(output);
  expect(gzip).toBeLessThanOrEqual(PAGE_BUDGET);
  expect(files.map(({ name }) => name)).toContain("index.html");
  expect(lines[0]).toContain(`${(gzip / 1000).toFixed(1)} kB compressed`);
});

it("leaves nothing else behind", () => {
  expect(readdirSync(folder).sort()).toEqual(["page", "page.sha256"]);
});

it("builds again only when something has changed", async () => {
  const made = () => statSync(join(output, "index.html")).ino;
  const before = made();
  const told = lines.length;
  expect(await build()).toBe(output);
  expect([made(), lines.length]).toEqual([before, told]);
  writeFileSync(`${output}.sha256`, "of other sources");
  await build();
  expect(lines.length).toBe(told + 1);
  rmSync(join(output, "index.html"));
  await build();
  expect(statSync(join(output, "index.html")).isFile()).toBe(true);
});

it("refers to nothing outside of the page, and allows nothing inline", () => {
  const html = readFileSync(join(output, "index.html"), "utf8");
  expect(html).toContain("default-src 'none'");
  expect(html).not.toMatch(/(?:src|href)="(?!\.\/)/);
  expect(html).not.toMatch(/<style|<script(?![^>]* src=)|\son\w+=/);
  for (const { name } of pageSize(output).files.filter(({ name }) => name.endsWith(".css"))) {
    expect(readFileSync(join(output, name), "utf8")).not.toMatch(/url\(|@import/);
  }
});
