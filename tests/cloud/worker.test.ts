// A worker at a broker that cannot share a subscription says so.
import { expect, it } from "vitest";
import { CloudWorker } from "../../host/cli/cloud/worker.ts";
import { broker } from "../bridge/support/stage.ts";
import { loadCodec } from "../sgq/support/codec.ts";

it("a worker needs MQTT 5, and names what to do without", async () => {
  const url = await broker("aedes");
  const worker = new CloudWorker({ mqtt: { url }, base: "octomote", codec: await loadCodec(), id: "a" });
  await expect(worker.start()).rejects.toThrow(/speaks MQTT 3\.1\.1, which has no shared subscriptions/);
  await worker.stop();
});
