// Cameras that skip what did not change: the frame with the patches that were computed again and the cells in which
// something is, and what that saves, now and over the last minutes.

import uPlot from "uplot";
import type { Preview } from "../../protocol/preview.ts";
import { formatAccuracy, formatClock, formatCount } from "../model/format.ts";
import type { Device, Store } from "../model/store.ts";
import { arrange, byId, element, Swatch, setAttribute, show, Text } from "./dom.ts";
import { CHART, OVERLAY, type Scheme, seriesStyle } from "./palette.ts";

const FIGURES = [
  "Occupied cells",
  "Oldest patch",
  "Harmful skips",
  "Noise",
  "Whole frames",
  "Frame",
] as const;
/** Pixels of the canvas for each pixel of the frame: enough for thin lines. */
const ZOOM = 6;
const TREND_HEIGHT = 112;
const FONT = '11px Inter, "Segoe UI", system-ui, sans-serif';

class Camera {
  readonly node: HTMLElement;
  readonly device: Device;
  readonly #swatch = new Swatch();
  readonly #canvas = element("canvas", "camera-frame", { role: "img", "aria-label": "No frame yet" });
  readonly #changed = new Text();
  readonly #saved = new Text();
  readonly #figures = FIGURES.map(() => new Text());
  readonly #trend = element("div", "camera-trend", { "aria-hidden": "true" });
  #plot: uPlot | undefined;
  #plotScheme: Scheme | undefined;
  #drawn: Preview | undefined;
  #drawnScheme: Scheme | undefined;

  constructor(device: Device) {
    this.device = device;
    const metric = (label: string, text: Text) =>
      element("div", "metric", {}, element("dt", "", {}, label), element("dd", "", {}, text.node));
    this.node = element(
      "article",
      "camera",
      { "data-device": device.id },
      element(
        "figure",
        "camera-picture",
        {},
        element("figcaption", "", {}, this.#swatch.node, element("b", "", { title: device.id }, device.id)),
        this.#canvas,
      ),
      element(
        "div",
        "camera-facts",
        {},
        element(
          "dl",
          "metrics",
          {},
          metric("Patches changed", this.#changed),
          metric("Multiplications saved", this.#saved),
        ),
        this.#trend,
        element(
          "dl",
          "figures",
          {},
          ...FIGURES.map((label, i) => metric(label, this.#figures[i] ?? new Text())),
        ),
      ),
    );
  }

  draw(store: Store, scheme: Scheme): void {
    const { state, preview, slot } = this.device;
    const { color, dash } = seriesStyle(slot, scheme);
    this.#swatch.paint(color, dash);
    const pass = state?.pass;
    this.#changed.set(formatAccuracy(pass?.dirty));
    // A dense frame may cost a little more than none skipped: nothing was saved then.
    this.#saved.set(formatAccuracy(pass?.macs === undefined ? undefined : Math.max(0, 1 - pass.macs)));
    const figures = [
      formatCount(state?.occupied),
      pass?.refreshAge === undefined ? "–" : `${formatCount(pass.refreshAge)} frames`,
      formatAccuracy(pass?.harmful),
      pass?.noise === undefined ? "–" : `±${pass.noise.toFixed(1)}`,
      formatCount(pass?.denseFrames),
      preview === undefined ? "–" : `${preview.width}×${preview.height}`,
    ];
    figures.forEach((text, i) => {
      this.#figures[i]?.set(text);
    });
    if (preview !== undefined && (preview !== this.#drawn || scheme !== this.#drawnScheme)) {
      this.#drawn = preview;
      this.#drawnScheme = scheme;
      drawPreview(this.#canvas, preview, scheme);
    }
    this.#drawTrend(store, scheme);
  }

  remove(): void {
    this.#plot?.destroy();
    this.#plot = undefined;
  }

  #drawTrend({ skipped }: Store, scheme: Scheme): void {
    const width = this.#trend.clientWidth;
    if (width < 40) return;
    if (this.#plot === undefined || this.#plotScheme !== scheme) {
      this.remove();
      this.#plotScheme = scheme;
      this.#plot = new uPlot(trendOptions(width, scheme), [[], [], []], this.#trend);
    }
    if (this.#plot.width !== width) this.#plot.setSize({ width, height: TREND_HEIGHT });
    const { id } = this.device;
    this.#plot.setData([skipped.x, skipped.column(id, "dirty") ?? [], skipped.column(id, "macs") ?? []]);
  }
}

function trendOptions(width: number, scheme: Scheme): uPlot.Options {
  const colors = CHART[scheme];
  const overlay = OVERLAY[scheme];
  const axis: uPlot.Axis = { stroke: colors.text, font: FONT, ticks: { show: false } };
  return {
    width,
    height: TREND_HEIGHT,
    padding: [8, 6, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false },
      // Round heights only, so that the line moves and the axis does not.
      y: { range: (_plot, _min, max) => [0, [0.1, 0.25, 0.5].find((top) => max <= top) ?? Math.max(1, max)] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 22,
        space: 70,
        values: (_plot, splits) => splits.map((seconds) => formatClock(seconds * 1000)),
      },
      {
        ...axis,
        grid: { stroke: colors.grid, width: 1 },
        size: 44,
        space: 22,
        values: (_plot, splits) => splits.map((share) => `${Math.round(share * 100)} %`),
      },
    ],
    series: [
      {},
      { label: "patches changed", stroke: overlay.computed, width: 1.75, points: { show: false } },
      { label: "multiplications", stroke: overlay.work, width: 1.75, points: { show: false } },
    ],
  };
}

/** The frame, dimmed where nothing was computed; lines around cells in which something is. */
function drawPreview(canvas: HTMLCanvasElement, preview: Preview, scheme: Scheme): void {
  const { width, height, columns, rows, patch } = preview;
  if (canvas.width !== width * ZOOM || canvas.height !== height * ZOOM) {
    canvas.width = width * ZOOM;
    canvas.height = height * ZOOM;
  }
  const context = canvas.getContext("2d");
  const small = new OffscreenCanvas(columns, rows);
  const pixels = small.getContext("2d");
  if (context === null || pixels === null) return;
  const image = pixels.createImageData(columns, rows);
  preview.grey.forEach((grey, i) => {
    image.data.set([grey, grey, grey, 255], 4 * i);
  });
  pixels.putImageData(image, 0, 0);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);

  const { computed: tint, occupied: line } = OVERLAY[scheme];
  const across = Math.ceil(width / patch);
  const side = patch * ZOOM;
  preview.computed.forEach((computed, i) => {
    context.globalAlpha = computed ? 0.22 : 0.42;
    context.fillStyle = computed ? tint : "#0b0f14";
    context.fillRect((i % across) * side, Math.floor(i / across) * side, side, side);
  });
  context.globalAlpha = 1;
  outline(context, preview.computed, across, side, side, tint, 2);
  const cellColumns = preview.cellColumns;
  if (cellColumns > 0) {
    const cellWidth = canvas.width / cellColumns;
    outline(context, preview.occupied, cellColumns, cellWidth, canvas.height / preview.cellRows, line, 4);
  }
  const share = preview.computed.reduce((sum, one) => sum + one, 0) / preview.computed.length;
  const cells = preview.occupied.reduce((sum, one) => sum + one, 0);
  setAttribute(
    canvas,
    "aria-label",
    `Frame ${formatCount(preview.sequence)}: ${formatAccuracy(share)} of the patches computed, ${cells} cells occupied`,
  );
}

/** Lines between squares that are set and those that are not. */
function outline(
  context: CanvasRenderingContext2D,
  set: Uint8Array,
  across: number,
  width: number,
  height: number,
  color: string,
  thick: number,
): void {
  context.strokeStyle = color;
  context.lineWidth = thick;
  context.lineCap = "square";
  context.beginPath();
  set.forEach((one, i) => {
    if (!one) return;
    const column = i % across;
    const [x, y] = [column * width, Math.floor(i / across) * height];
    const line = (x0: number, y0: number, x1: number, y1: number) => {
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
    };
    if (column === 0 || !set[i - 1]) line(x, y, x, y + height);
    if (column === across - 1 || !set[i + 1]) line(x + width, y, x + width, y + height);
    if (!set[i - across]) line(x, y, x + width, y);
    if (!set[i + across]) line(x, y + height, x + width, y + height);
  });
  context.stroke();
}

/** Whether a device is a camera, as far as it has told. */
export const isCamera = ({ state, preview }: Device): boolean =>
  preview !== undefined || state?.pass !== undefined;

export class Cameras {
  readonly #store: Store;
  readonly #section = byId("cameras-view", HTMLElement);
  readonly #list = byId("cameras", HTMLElement);
  readonly #cameras = new Map<string, Camera>();

  constructor(store: Store) {
    this.#store = store;
  }

  draw(scheme: Scheme): void {
    const devices = [...this.#store.devices.values()].filter(isCamera);
    for (const [id, camera] of this.#cameras) {
      if (devices.includes(camera.device)) continue;
      camera.remove();
      this.#cameras.delete(id);
    }
    devices.sort((a, b) => a.id.localeCompare(b.id, undefined, { numeric: true }));
    const nodes = devices.map((device) => {
      const camera = this.#cameras.get(device.id) ?? new Camera(device);
      this.#cameras.set(device.id, camera);
      return camera.node;
    });
    show(this.#section, nodes.length > 0);
    arrange(this.#list, nodes);
    for (const camera of this.#cameras.values()) camera.draw(this.#store, scheme);
  }
}
