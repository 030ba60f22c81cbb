// A process that starts a virtual device and says so: `parent.ts BOARD MODULE SAMPLES`. The test kills it.

import { startVirtualDevice, type VirtualBoard } from "../../host/devices/virtual-device.ts";

const [board, module, samples] = process.argv.slice(2) as [VirtualBoard, string, string];
const device = await startVirtualDevice({ id: "orphan", board, module, samples });
await device.link.request("start", { seed: 1 });
process.stdout.write(`${device.pid}\n`);
