// Serial ports of this machine, by the package serialport: which there are, opening one, and what keeps it from being
// opened, in words.

import { readdir } from "node:fs/promises";
import type { SerialPort } from "serialport";
import { TransportError } from "./errors.ts";

export interface SerialPortInfo {
  path: string;
  /** The USB device's own; stays the same wherever it is plugged in. */
  serialNumber?: string | undefined;
}

/** Names of ports that a board may be behind, where nothing tells more of them. */
const PORT_NAME = /^(tty(ACM|USB|AMA)\d+|cu\..+)$/;

/** The package is optional: it brings native code, which not every machine has. */
export async function loadSerialPort(): Promise<typeof SerialPort> {
  try {
    return (await import("serialport")).SerialPort;
  } catch (cause) {
    throw new TransportError(
      "Serial ports need the package serialport, which could not be loaded",
      "npm install serialport",
      { cause },
    );
  }
}

/** The ports of this machine; without udev, which tells of them on Linux, names alone. */
export async function listSerialPorts(): Promise<SerialPortInfo[]> {
  try {
    return await (await loadSerialPort()).list();
  } catch {
    const names = await readdir("/dev").catch(() => []);
    return names.filter((name) => PORT_NAME.test(name)).map((name) => ({ path: `/dev/${name}` }));
  }
}

/** Opens a port for nobody else to open; throws the package's error. */
export async function openSerialPort(path: string, baudRate: number): Promise<SerialPort> {
  const Port = await loadSerialPort();
  const port = new Port({ path, baudRate, lock: true, autoOpen: false });
  await new Promise<void>((resolve, reject) =>
    port.open((error) => {
      if (error) reject(error);
      else resolve();
    }),
  );
  return port;
}

/** The package tells errors as text only, in the words of the operating system. */
export function explainSerialError(
  path: string,
  baud: number,
  cause: unknown,
  ports: readonly SerialPortInfo[],
): TransportError {
  if (cause instanceof TransportError) return cause;
  const text = cause instanceof Error ? cause.message : String(cause);
  const error = (message: string, fix: string) => new TransportError(message, fix, { cause });
  if (/no such (file|device)|file not found/i.test(text)) {
    const others = ports.map((port) => port.path).filter((other) => other !== path);
    const which = others.length > 0 ? `there are ${others.join(", ")}` : "there is none on this machine";
    return error(`There is no serial port ${path}`, `${which}; it is opened as soon as it appears`);
  }
  if (/permission denied/i.test(text)) {
    return error(
      `No permission to open ${path}`,
      "add yourself to the group that owns it (sudo usermod -aG dialout $USER), then log in again",
    );
  }
  if (/cannot lock port|resource busy|access (is )?denied/i.test(text)) {
    return error(
      `${path} is in use by another program`,
      "close that program: another octomote bridge, a serial monitor, ModemManager",
    );
  }
  if (/inappropriate ioctl|baud rate/i.test(text)) {
    return error(`${path} is no serial port, or cannot do ${baud} baud`, "check the path and the rate");
  }
  return error(`${path} could not be opened: ${text}`, "unplug the board and plug it in again");
}
