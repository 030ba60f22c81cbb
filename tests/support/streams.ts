// Sample files whose order a test chooses: which class each sample is of, and whether the sensor says so.
import type { Dataset } from "../../host/data/dataset.ts";
import { encodeSamples } from "../../host/data/sample-file.ts";

export interface Part {
  /** Classes in turn, over and over, until there are `count` samples. */
  classes: readonly number[];
  count: number;
  /** The sensor does not know what it sees. */
  unlabelled?: boolean;
}

const HEADER_BYTES = 32;
const NO_LABEL = 255;

/** The bytes of a sample file of training images, part after part; each class's images in the data set's order, then from its start again. */
export function streamOf(dataset: Dataset, parts: readonly Part[]): Uint8Array {
  const images = Array.from(dataset.classes, (_, label) =>
    [...dataset.train.labels.keys()].filter((i) => dataset.train.labels[i] === label),
  );
  const used = images.map(() => 0);
  const whole = encodeSamples(dataset, { test: 0 });
  const stride = new DataView(whole.buffer, whole.byteOffset).getUint32(20, true);
  const order = parts.flatMap(({ classes, count, unlabelled }) =>
    Array.from({ length: count }, (_, i) => {
      const label = classes[i % classes.length] as number;
      const from = images[label] as number[];
      return { image: from[(used[label] as number)++ % from.length] as number, unlabelled };
    }),
  );
  const bytes = new Uint8Array(HEADER_BYTES + order.length * stride);
  bytes.set(whole.subarray(0, HEADER_BYTES));
  new DataView(bytes.buffer).setUint32(8, order.length, true);
  order.forEach(({ image, unlabelled }, i) => {
    const at = HEADER_BYTES + i * stride;
    bytes.set(whole.subarray(HEADER_BYTES + image * stride, HEADER_BYTES + (image + 1) * stride), at);
    if (unlabelled) bytes[at] = NO_LABEL;
  });
  return bytes;
}
