// What the cloud half of a split model tells (docs/mqtt.md), as typed values.

import { Fields, isDeviceId, PayloadError } from "./parse.ts";

/** `<base>/cloud/state`; what is not known is absent. */
export interface CloudState {
  samples?: number;
  samplesPerSecond?: number;
  steps?: number;
  loss?: number;
  /** 0…1 over held-out samples. */
  accuracy?: number;
  bytesRaw?: number;
  bytesSent?: number;
  /** Of the last samples that came with a codebook. */
  ratio?: number;
  bytesPerSample?: number;
  lost?: number;
  codebook?: number;
}

/** `<base>/cloud/view`: features of one sample. */
export interface CloudView {
  device: string;
  label?: number;
  seen?: number;
  height: number;
  width: number;
  channels: number;
  /** int8, NHWC. */
  features: Int8Array;
}

const COUNT = Number.MAX_SAFE_INTEGER;
const MAX_SIDE = 256;
const MAX_FEATURES = 1 << 16;

/** @throws PayloadError */
export function parseCloudState(value: unknown): CloudState {
  const fields = new Fields(value, "");
  return {
    samples: fields.count("samples"),
    samplesPerSecond: fields.number("samplesPerSecond", 0, 1e9),
    steps: fields.count("steps"),
    loss: fields.number("loss", 0, 1e6),
    accuracy: fields.number("accuracy", 0, 1),
    bytesRaw: fields.count("bytesRaw"),
    bytesSent: fields.count("bytesSent"),
    ratio: fields.number("ratio", 0, COUNT),
    bytesPerSample: fields.nested("bytesPerSample", (size) => size.number("mean", 0, COUNT)),
    lost: fields.count("lost"),
    codebook: fields.nested("codebook", (codebook) => codebook.count("version", 0xffff)),
  };
}

/** @throws PayloadError */
export function parseCloudView(value: unknown): CloudView {
  const fields = new Fields(value, "");
  const device = fields.text("device");
  if (device === undefined || !isDeviceId(device)) throw new PayloadError("device", "is not a device's name");
  const [height = 0, width = 0, channels = 0] = fields.sizes("shape", 3, MAX_SIDE) ?? [];
  const bytes = fields.bytes("features", MAX_FEATURES);
  if (bytes === undefined || bytes.length !== height * width * channels || bytes.length === 0)
    throw new PayloadError("features", "are not those of the shape");
  const label = fields.number("label", -1, 255);
  return {
    device,
    ...(label !== undefined && label >= 0 && { label }),
    seen: fields.count("seen", 255),
    height,
    width,
    channels,
    features: new Int8Array(bytes.buffer),
  };
}
