// The cloud half of a split model: what it has learned, how few bytes it learns from, and what came of each device last, channel by
// channel.

import { formatAccuracy, formatBytes, formatCount, formatLoss, formatRate } from "../model/format.ts";
import type { CloudView } from "../model/parse-cloud.ts";
import type { Store } from "../model/store.ts";
import { arrange, byId, element, Swatch, setAttribute, show, Text } from "./dom.ts";
import { HEAT, type Scheme, seriesStyle } from "./palette.ts";

const METRICS = ["Accuracy", "Bytes per sample", "Smaller by"] as const;
const FIGURES = [
  "Loss",
  "Samples",
  "Per second",
  "Steps",
  "Features as int8",
  "Sent",
  "Lost",
  "Codebook",
] as const;
/** Pixels of the canvas for each element, and between the maps of channels. */
const ZOOM = 6;
const GAP = 4;

class Features {
  readonly node: HTMLElement;
  readonly #swatch = new Swatch();
  readonly #seen = new Text();
  readonly #canvas = element("canvas", "cloud-maps", { role: "img", "aria-label": "No sample yet" });
  #drawn: CloudView | undefined;
  #scheme: Scheme | undefined;

  constructor(device: string) {
    this.node = element(
      "figure",
      "cloud-device",
      { "data-device": device },
      element(
        "figcaption",
        "",
        {},
        this.#swatch.node,
        element("b", "", { title: device }, device),
        element("span", "", {}, this.#seen.node),
      ),
      this.#canvas,
    );
  }

  draw(view: CloudView, slot: number, scheme: Scheme): void {
    const { color, dash } = seriesStyle(slot, scheme);
    this.#swatch.paint(color, dash);
    if (view === this.#drawn && scheme === this.#scheme) return;
    this.#drawn = view;
    this.#scheme = scheme;
    const seen = formatCount(view.seen);
    const right = view.label === undefined ? "" : view.label === view.seen ? ", right" : `, is ${view.label}`;
    this.#seen.set(`class ${seen}${right}`);
    drawMaps(this.#canvas, view, scheme);
    setAttribute(
      this.#canvas,
      "aria-label",
      `${view.channels} maps of ${view.width}×${view.height} features, taken for class ${seen}${right}`,
    );
  }
}

/** The maps of all channels in rows of the same length, the brightest element of the sample in full colour. */
function drawMaps(canvas: HTMLCanvasElement, view: CloudView, scheme: Scheme): void {
  const { height, width, channels, features } = view;
  const across = Math.ceil(Math.sqrt(channels));
  const down = Math.ceil(channels / across);
  const [stepX, stepY] = [width * ZOOM + GAP, height * ZOOM + GAP];
  canvas.width = across * stepX - GAP;
  canvas.height = down * stepY - GAP;
  const context = canvas.getContext("2d");
  if (context === null) return;
  const { low, high } = HEAT[scheme];
  const most = Math.max(1, ...features);
  for (let channel = 0; channel < channels; channel++) {
    const [left, top] = [(channel % across) * stepX, Math.floor(channel / across) * stepY];
    context.globalAlpha = 1;
    context.fillStyle = low;
    context.fillRect(left, top, width * ZOOM, height * ZOOM);
    context.fillStyle = high;
    for (let i = 0; i < width * height; i++) {
      const value = features[i * channels + channel] ?? 0;
      if (value <= 0) continue;
      context.globalAlpha = value / most;
      context.fillRect(left + (i % width) * ZOOM, top + Math.floor(i / width) * ZOOM, ZOOM, ZOOM);
    }
  }
}

export class Cloud {
  readonly #store: Store;
  readonly #section = byId("cloud-view", HTMLElement);
  readonly #phase = new Text();
  readonly #metrics = METRICS.map(() => new Text());
  readonly #figures = FIGURES.map(() => new Text());
  readonly #list = byId("cloud-devices", HTMLElement);
  readonly #features = new Map<string, Features>();

  constructor(store: Store) {
    this.#store = store;
    const term = (label: string, text: Text) =>
      element("div", "metric", {}, element("dt", "", {}, label), element("dd", "", {}, text.node));
    byId("cloud-phase", HTMLElement).append(this.#phase.node);
    byId("cloud-facts", HTMLElement).append(
      element("dl", "metrics", {}, ...METRICS.map((label, i) => term(label, this.#metrics[i] ?? new Text()))),
      element("dl", "figures", {}, ...FIGURES.map((label, i) => term(label, this.#figures[i] ?? new Text()))),
    );
  }

  draw(scheme: Scheme): void {
    const { cloud, cloudOnline, views, devices } = this.#store;
    show(this.#section, cloud !== undefined);
    if (cloud === undefined) return;
    this.#phase.set(cloudOnline === false ? "offline" : "");
    const size = cloud.bytesPerSample;
    const metrics = [
      formatAccuracy(cloud.accuracy),
      size === undefined ? "–" : size.toFixed(1),
      cloud.ratio === undefined ? "–" : `${cloud.ratio.toFixed(1)}×`,
    ];
    metrics.forEach((text, i) => {
      this.#metrics[i]?.set(text);
    });
    const figures = [
      formatLoss(cloud.loss),
      formatCount(cloud.samples),
      formatRate(cloud.samplesPerSecond),
      formatCount(cloud.steps),
      formatBytes(cloud.bytesRaw),
      formatBytes(cloud.bytesSent),
      formatCount(cloud.lost),
      cloud.codebook === undefined ? "none yet" : `version ${cloud.codebook}`,
    ];
    figures.forEach((text, i) => {
      this.#figures[i]?.set(text);
    });
    // of devices that are gone nothing is shown
    const shown = [...views.values()].filter(({ device }) => devices.has(device));
    shown.sort((a, b) => a.device.localeCompare(b.device, undefined, { numeric: true }));
    for (const id of this.#features.keys()) if (!devices.has(id)) this.#features.delete(id);
    const nodes = shown.map((view) => {
      const features = this.#features.get(view.device) ?? new Features(view.device);
      this.#features.set(view.device, features);
      features.draw(view, devices.get(view.device)?.slot ?? 0, scheme);
      return features.node;
    });
    arrange(this.#list, nodes);
  }
}
