// How a cloud half is doing, in one line.

import type { CloudMetrics } from "../../cloud/metrics.ts";
import { bytes, count, decimal, percent } from "../support/format.ts";

export function metricsLine(metrics: CloudMetrics): string {
  const size = metrics.bytesPerSample;
  return [
    `${count(metrics.samples)} samples`,
    `step ${count(metrics.steps)}`,
    `loss ${decimal(metrics.loss)}`,
    `accuracy ${percent(metrics.accuracy)}`,
    `${bytes(metrics.bytesSent)} of ${bytes(metrics.bytesRaw)}`,
    ...(size ? [`${size.mean} bytes a sample, ${metrics.ratio}×`] : []),
    ...(metrics.lost > 0 ? [`${metrics.lost} lost`] : []),
  ].join(" · ");
}
