// A disk that is full, where a file is written: /dev/full takes nothing.

import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import { OctomoteError } from "../../host/bridge/errors.ts";
import { writeReport } from "../../host/cli/start/report.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { writeSampleFile } from "../../host/data/sample-file.ts";

const full = it.runIf(existsSync("/dev/full"));

full("the report of a run names the file and the way out", () => {
  const report = {
    dataset: "generated" as const,
    broker: "mqtt://localhost",
    page: "",
    devices: [],
    mqttMessages: 0,
  };
  const write = () => writeReport("/dev/full", report);
  expect(write).toThrow(OctomoteError);
  expect(write).toThrow(/Cannot write \/dev\/full: ENOSPC/);
});

full("a sample file that was not written whole is an error", async () => {
  const dataset = await loadDataset("generated", { limit: { train: 4, test: 1 } });
  await expect(writeSampleFile("/dev/full", dataset, { seed: 1 })).rejects.toThrow(/ENOSPC/);
});
