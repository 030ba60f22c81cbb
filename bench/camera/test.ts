/** How good a net is before and after it was quantised. */
import type { Net } from "../../host/pass/net.ts";
import type { Layer } from "../fp32/layers.ts";
import { ScoreHistogram } from "../pass/average-precision.ts";
import { WindowNet } from "../pass/windows.ts";
import { type Example, forward, toInput } from "./train.ts";

/** Average precision over all cells of all examples; FP32 logits are put into the steps of the INT8 ones, 1/10. */
export async function averagePrecisionOf(
  layers: readonly Layer[],
  net: Net,
  examples: readonly Example[],
): Promise<{ fp32: number; int8: number }> {
  const windows = await WindowNet.create(net);
  const [fp32, int8] = [new ScoreHistogram(), new ScoreHistogram()];
  for (const { frame, cells } of examples) {
    const logits = forward(layers, Float32Array.from(frame, toInput));
    fp32.add(
      Array.from(logits, (logit) => Math.max(-128, Math.min(127, Math.round(10 * logit)))),
      cells,
    );
    int8.add(windows.dense(Int8Array.from(frame, (pixel) => pixel - 128)), cells);
  }
  return { fp32: fp32.averagePrecision(), int8: int8.averagePrecision() };
}
