// A device that has gone mad: says hello, then states, logs, features and text without end, as fast as it is read.

import { once } from "node:events";
import { encodeFrame, FrameType } from "../../../host/protocol/frame.ts";
import { encodeFeatures, encodeHello, encodeLog, encodeState } from "../../../host/protocol/messages.ts";

const EPOCH = 7;
const hello = encodeHello({
  protocol: 1,
  epoch: EPOCH,
  id: "flood",
  board: "posix",
  firmware: "0",
  engine: "none",
  abi: 1,
  imports: [],
  moduleBytes: 0,
  memory: {},
  running: true,
});

let sequence = 0;
function frame(type: number, payload: Uint8Array): Uint8Array {
  return encodeFrame({ type, reliable: false, epoch: EPOCH, sequence: sequence++ & 0xffff, payload });
}

process.stdin.on("end", () => process.exit(0)).resume();
process.stdout.write(
  encodeFrame({ type: FrameType.hello, reliable: false, epoch: EPOCH, sequence: 0, payload: hello }),
);
for (let steps = 1; ; steps++) {
  const wires = [
    frame(FrameType.log, encodeLog({ level: 2, text: `step ${steps}` })),
    frame(FrameType.features, encodeFeatures(new Uint8Array(64))),
    frame(FrameType.state, encodeState({ uptime: steps, steps, bytesSent: 0, dropped: 0, running: true })),
    Buffer.from("and text between frames\n"),
  ];
  if (!process.stdout.write(Buffer.concat(wires))) await once(process.stdout, "drain");
}
