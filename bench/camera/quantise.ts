/**
 * A trained FP32 net as an INT8 one (host/pass/net.ts): weights symmetric per output channel, activations symmetric per
 * tensor with ranges seen on training frames, ReLUs folded into the clamp below them.
 */
import { quantiseFilters } from "../../host/models/quantise.ts";
import type { Conv2d, Net } from "../../host/pass/net.ts";
import type { Layer } from "../fp32/layers.ts";
import { type NetSpec, planNet } from "../net.ts";
import { FastConv } from "./conv.ts";
import { forward, toInput } from "./train.ts";

/** Of the values of a tensor so large a share lies in its range; the rest saturates. */
const KEPT = 0.9999;
/** What one unit of the last layer's output is worth: logits of ±12.7. */
const LOGIT_SCALE = 0.1;

/** @param frames grey frames to find the ranges of activations from */
export function quantise(net: NetSpec, layers: readonly Layer[], frames: readonly Uint8Array[]): Net {
  const scales = activationScales(layers, frames);
  const plans = planNet(net);
  const quantised: Conv2d[] = [];
  // A pixel p enters as p − 128, worth (p − 128) / 128.
  let inputScale = 1 / 128;
  layers.forEach((layer, i) => {
    const { spec, input, output } = plans[i]!;
    if (spec.kind === "relu") return;
    if (spec.kind !== "conv2d" && spec.kind !== "depthwise")
      throw new TypeError(`${layer.name}: is not quantised here`);
    const depthwise = spec.kind === "depthwise";
    const rectified = plans[i + 1]?.spec.kind === "relu";
    const last = i === layers.length - 1;
    const outputScale = last ? LOGIT_SCALE : scales[rectified ? i + 1 : i]!;
    const { weights, bias } = layer instanceof FastConv ? layer.ohwi() : layer;
    quantised.push({
      kind: "conv2d",
      filters: output[2],
      kernel: spec.kernel,
      stride: spec.stride ?? 1,
      padding: typeof spec.padding === "number" ? spec.padding : 0,
      ...(depthwise && { groups: input[2] }),
      ...quantiseFilters(weights, bias, inputScale, outputScale),
      lo: rectified ? 0 : -128,
      hi: 127,
    });
    inputScale = outputScale;
  });
  return { input: net.input, layers: quantised };
}

/** What one unit of each layer's output is worth, so that `KEPT` of its magnitudes reach 127 at most. */
function activationScales(layers: readonly Layer[], frames: readonly Uint8Array[]): number[] {
  const seen: Float32Array[][] = layers.map(() => []);
  for (const frame of frames) {
    forward(layers, Float32Array.from(frame, toInput));
    layers.forEach((layer, i) => {
      seen[i]!.push(
        layer.output
          .map(Math.abs)
          .sort()
          .slice(-Math.ceil(layer.output.length / 100)),
      );
    });
  }
  return layers.map((layer, i) => {
    const largest = new Float32Array(seen[i]!.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of seen[i]!) {
      largest.set(part, at);
      at += part.length;
    }
    largest.sort();
    const beyond = Math.floor((1 - KEPT) * layer.output.length * frames.length);
    return Math.max(1e-6, largest.at(-1 - Math.min(beyond, largest.length - 1))!) / 127;
  });
}
