// A device half that was trained beside a cloud half: as a learned state it computes on a device what the network computed.
import { readFile } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuiltModule, buildCloudKernels, buildModules } from "../../host/build/modules.ts";
import { type HalfOptions, thresholdQuantiser, trainDeviceHalf } from "../../host/cloud/half.ts";
import { writeHalfState } from "../../host/cloud/half-state.ts";
import type { LayerSpec } from "../../host/cloud/layers.ts";
import { Network } from "../../host/cloud/network.ts";
import { loadDataset } from "../../host/data/dataset.ts";
import { decodeLabelled, SELF_CUTS } from "../../host/protocol/labelled.ts";
import type { SgqCodec } from "../../host/sgq/codec.ts";
import { glyphs } from "../assembly/support.ts";
import { loadCodec } from "../sgq/support/codec.ts";
import { splitHost } from "../support/split-host.ts";

const DEVICE: LayerSpec[] = [{ kind: "conv2d", filters: 16, kernel: 3, padding: 1 }, { kind: "maxPool" }];
const CLOUD: LayerSpec[] = [
  { kind: "dense", units: 16 },
  { kind: "dense", units: 10 },
];

let kernels: Uint8Array<ArrayBuffer>;
let module: string;
let codec: SgqCodec;

beforeAll(async () => {
  kernels = new Uint8Array(await readFile(await buildCloudKernels()));
  const built = await buildModules();
  module = (built.find(({ app, target }) => app === "split" && target === "portable") as BuiltModule).path;
  codec = await loadCodec();
});

const train = async (over: Partial<HalfOptions> = {}) => {
  const { train: images } = await loadDataset("generated", { limit: { train: 256 }, seed: 7 });
  const options = { kernels, device: DEVICE, cloud: CLOUD, epochs: 1, seed: 3, ...over };
  return { images, layers: await trainDeviceHalf({ ...images, height: 28, width: 28 }, options) };
};

describe("a device half", () => {
  it("is the same for the same seed, and another for another", async () => {
    const [one, two, other] = [await train(), await train(), await train({ seed: 4 })];
    expect(one.layers).toEqual(two.layers);
    expect(one.layers).not.toEqual(other.layers);
  });

  it("gives on a device the features that the network had, to its 8 bits", async () => {
    const samples = await glyphs(8);
    const { layers } = await train();
    const [layer] = layers as [(typeof layers)[0]];
    const device = await splitHost(module, samples);
    device.host.restore(writeHalfState(device.host.state(), layers));
    for (let i = 0; i < 8; i++) device.host.step();
    const network = await Network.create(kernels, {
      input: [28, 28, 1],
      layers: [...DEVICE, ...CLOUD],
      batch: 8,
    });
    network.weights(0).weights.set(layer.weights);
    network.weights(0).biases.set(layer.biases);
    for (let i = 0; i < 8; i++) network.sample(i).set(Array.from(samples.at(i).data, (x) => x / 128));
    network.forward(8);
    const want = network.activations(1, 8);
    // what a self-contained frame says: which side of its thresholds a feature lies on
    let wrong = 0;
    device.published.slice(1).forEach((bytes, i) => {
      const { samples: found } = codec.decode(decodeLabelled(bytes).frame, { find: () => undefined });
      const levels = found[0]?.levels as Uint8Array;
      levels.forEach((level, k) => {
        const x = Math.max(0, (want[i * 3136 + k] as number) * (127 / layer.range));
        const sure = SELF_CUTS.every((cut) => Math.abs(x - cut - 0.5) > 2);
        if (sure && level !== SELF_CUTS.filter((cut) => x > cut + 0.5).length) wrong++;
      });
    });
    expect(wrong).toBe(0);
  });

  it("that learned with a threshold has it right behind a cut of self-contained frames", async () => {
    const threshold = 0.12;
    const { layers } = await train({ thresholds: [threshold] });
    expect((threshold * 127) / (layers[0]?.range as number)).toBeCloseTo(SELF_CUTS[1] + 0.5, 6);
  });

  it("does not fit the state of another model", async () => {
    const { layers } = await train();
    expect(() => writeHalfState(new Uint8Array(100), layers)).toThrow(RangeError);
    expect(() => writeHalfState(new Uint8Array(4000), layers)).toThrow(
      /the layers need .* but the state has 4000/,
    );
  });
});

describe("a threshold quantiser", () => {
  it("gives levels between 0 and 1, and passes errors on up to 1", () => {
    const { forward, backward } = thresholdQuantiser([0.125, 0.5]);
    const x = Float32Array.of(-1, 0.125, 0.25, 0.6, 3);
    const y = new Float32Array(5);
    forward(x, y, 1);
    expect([...y]).toEqual([0, 0, 0.5, 1, 1]);
    const error = Float32Array.of(1, 2, 3, 4, 5);
    backward(x, error, 1);
    expect([...error]).toEqual([1, 2, 3, 4, 0]);
  });
});
