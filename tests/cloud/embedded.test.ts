// The embedded broker keeps nothing when it ends: what a device sent is with the trainer all the same, once, though both went away.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { Bridge } from "../../host/bridge/bridge.ts";
import { EmbeddedBroker } from "../../host/bridge/broker/embedded-broker.ts";
import { buildCloudKernels } from "../../host/build/modules.ts";
import { CloudService } from "../../host/cli/cloud/service.ts";
import { Journal } from "../../host/cloud/ingest/journal.ts";
import { decodeRecord } from "../../host/cloud/ingest/record.ts";
import { decodeNumbered } from "../../host/protocol/numbered.ts";
import { receiptOf } from "../../host/protocol/receipts.ts";
import { fitContexts } from "../../host/sgq/fit.ts";
import { add, cleanups } from "../bridge/support/stage.ts";
import { until } from "../bridge/support/wait.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { freePort } from "../support/free-port.ts";
import { temporaryTree } from "../support/tree.ts";
import { FakeDevice } from "./support/device.ts";
import { CLASSES, SHAPE } from "./support/features.ts";

it("trainer and embedded broker end, one after the other and both: each sample is in the journal once", async () => {
  const codec = await loadCodec();
  const kernels = new Uint8Array(await readFile(await buildCloudKernels()));
  const port = await freePort();
  const folder = temporaryTree();
  const mqtt = { url: `mqtt://127.0.0.1:${port}`, reconnectPeriod: 20 };
  const broker = async () => {
    const one = new EmbeddedBroker({ port });
    await one.start();
    cleanups.push(() => one.stop());
    return one;
  };
  const trainer = async () => {
    const layers = [{ kind: "dense", units: CLASSES }] as const;
    const tools = { codec, fitContexts };
    const rest = { mode: "frozen", folder, calibration: 100_000 } as const;
    const service = await CloudService.create({
      mqtt,
      base: "octomote",
      from: "devices",
      id: "t",
      trainer: { tools, kernels, shape: SHAPE, layers, ...rest },
    });
    await service.start();
    cleanups.push(() => service.stop());
    return service;
  };
  let at = await broker();
  const bridge = new Bridge({ mqtt, facts: { version: "9.9.9" } });
  await bridge.start();
  cleanups.push(() => bridge.stop());
  let service = await trainer();
  const { endpoint } = add(bridge, "a");
  await until(() => bridge.devices.get("a")?.online);
  const device = new FakeDevice(codec);
  const receipts: string[] = [];
  const send = (count: number) => {
    for (const bytes of device.several(count)) {
      receipts.push(receiptOf("a", bytes));
      endpoint.features(bytes);
    }
  };
  const samples = () => service.metrics().samples;

  send(20);
  await until(() => samples() === 20);
  await at.stop();
  send(20);
  at = await broker();
  await until(() => samples() === 40);

  service.mqtt.destroy();
  send(20);
  service = await trainer();
  await until(() => samples() === 60);

  service.mqtt.destroy();
  await at.stop();
  send(20);
  at = await broker();
  send(20);
  service = await trainer();
  await until(() => samples() === 100);
  expect(service.metrics()).toMatchObject({ lost: 0, refused: 0 });

  const found: string[] = [];
  new Journal(join(folder, "samples.journal"), (record) => {
    const { device: id, payload } = decodeRecord(record);
    found.push(receiptOf(id, decodeNumbered(payload).payload));
  }).close();
  expect(found.sort()).toEqual(receipts.sort());
});
