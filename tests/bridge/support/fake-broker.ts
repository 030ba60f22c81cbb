// A broker of a few lines whose manners a test decides: it records what it is sent, and acknowledges when told to.

import { createServer, type Socket } from "node:net";
import mqttPacket, { type IConnectPacket, type Packet } from "mqtt-packet";

export interface FakeBroker {
  url: string;
  /** Versions that were offered, in order. */
  offered: number[];
  /** Everything but pings, on all connections. */
  packets: Packet[];
  /** QoS 1 messages that were not acknowledged yet, oldest first. */
  unacknowledged: { topic: string; messageId: number }[];
  acknowledge(): void;
  /** Breaks all connections. */
  cut(): void;
  close(): Promise<void>;
}

export interface Manners {
  /** How a CONNECT is answered; 0 accepts, null never answers, "close" hangs up. */
  connack(packet: IConnectPacket): number | null | "close";
  receiveMaximum?: number;
}

export async function startFakeBroker(manners: Manners): Promise<FakeBroker> {
  const sockets = new Set<Socket>();
  const waiting: { topic: string; messageId: number; write(): void }[] = [];
  const fake: Omit<FakeBroker, "url" | "close"> = {
    offered: [],
    packets: [],
    unacknowledged: waiting,
    acknowledge: () => waiting.shift()?.write(),
    cut: () => {
      for (const socket of sockets) socket.destroy();
      waiting.length = 0;
    },
  };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    let version = 4;
    const parser = mqttPacket.parser();
    const write = (packet: Packet) => socket.write(mqttPacket.generate(packet, { protocolVersion: version }));
    parser.on("packet", (packet: Packet) => {
      if (packet.cmd === "pingreq") return write({ cmd: "pingresp" });
      fake.packets.push(packet);
      if (packet.cmd === "connect") {
        version = packet.protocolVersion ?? 4;
        fake.offered.push(version);
        const code = manners.connack(packet);
        if (code === "close") socket.destroy();
        if (typeof code !== "number") return;
        write({
          cmd: "connack",
          sessionPresent: false,
          ...(version === 5 ? { reasonCode: code } : { returnCode: code }),
          properties: version === 5 ? { receiveMaximum: manners.receiveMaximum } : undefined,
        });
      } else if (packet.cmd === "subscribe") {
        write({ cmd: "suback", messageId: packet.messageId, granted: packet.subscriptions.map(() => 0) });
      } else if (packet.cmd === "publish" && packet.qos === 1) {
        const messageId = packet.messageId as number;
        waiting.push({ topic: packet.topic, messageId, write: () => write({ cmd: "puback", messageId }) });
      }
    });
    socket.on("data", (chunk) => parser.parse(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return Object.assign(fake, {
    url: `mqtt://127.0.0.1:${port}`,
    close: () => {
      fake.cut();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  });
}
