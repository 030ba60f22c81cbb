// Loss and accuracy of all devices, drawn by uPlot on one x axis: the cursor, the zoom and the highlighted device are shared.

import uPlot from "uplot";
import { formatAccuracy, formatClock, formatCount, formatLoss } from "../model/format.ts";
import type { Axis, Device, Metric, Store } from "../model/store.ts";
import { type Point, valueAt } from "../model/timeline.ts";
import { byId, setAttribute, show } from "./dom.ts";
import { CHART, type Scheme, seriesStyle } from "./palette.ts";

const METRICS: readonly Metric[] = ["loss", "accuracy"];
const FONT = '12px Inter, "Segoe UI", system-ui, sans-serif';
const SYNC = "octomote";
/** Share of the main thread that drawing may take. */
const DRAW_SHARE = 0.15;
const FASTEST_MS = 120;
/** Until the next frame, when nothing is late. */
const FRAME_MS = 17;

interface Zoom {
  min: number;
  max: number;
}

export class Charts {
  readonly #store: Store;
  readonly #hidden: ReadonlySet<string>;
  readonly #onCursor: () => void;
  readonly #redraw: () => void;
  readonly #hosts: Record<Metric, HTMLElement> = {
    loss: byId("chart-loss", HTMLElement),
    accuracy: byId("chart-accuracy", HTMLElement),
  };
  readonly #reset = byId("zoom-reset", HTMLButtonElement);
  readonly #empty = METRICS.map((metric) => byId(`empty-${metric}`, HTMLElement));
  #plots: uPlot[] = [];
  #order: Device[] = [];
  #axis: Axis = "all";
  #scheme: Scheme = "light";
  #zoom: Zoom | undefined;
  #stale = true;
  #cost = 0;
  #highlighted: string | undefined;
  /** The plot under the pointer: it decides which line is in front; the other one follows. */
  #pointed: uPlot | undefined;
  #nearest: number | undefined;
  /** Bucket under the cursor; undefined when the cursor is elsewhere. */
  cursor: number | undefined;
  /** The device whose line is nearest to the pointer. */
  nearest: string | undefined;

  /** @param hidden devices not to draw @param onCursor the cursor moved to another bucket */
  constructor(store: Store, hidden: ReadonlySet<string>, onCursor: () => void, redraw: () => void) {
    this.#store = store;
    this.#hidden = hidden;
    this.#redraw = redraw;
    this.#onCursor = onCursor;
    const resized = new ResizeObserver(() => this.#resize());
    for (const host of Object.values(this.#hosts)) resized.observe(host);
    this.#reset.addEventListener("click", () => {
      this.#zoom = undefined;
      redraw();
    });
  }

  /** ms between two draws that keep drawing within its share of the time. */
  get interval(): number {
    return Math.max(FASTEST_MS, this.#cost / DRAW_SHARE);
  }

  get axis(): Axis {
    return this.#axis;
  }

  set axis(axis: Axis) {
    this.#axis = axis;
    this.#zoom = undefined;
    this.rebuild();
  }

  /** Devices came, went, or were hidden: the next draw makes the charts anew. */
  rebuild(): void {
    this.#stale = true;
  }

  /** Brings one device's lines to the front; undefined for none. */
  highlight(id: string | undefined): void {
    if (id === this.#highlighted) return;
    this.#highlighted = id;
    this.#bringForward();
  }

  #bringForward(): void {
    const index = this.#order.findIndex(({ id }) => id === this.#highlighted);
    for (const plot of this.#plots) plot.setSeries(index < 0 ? null : index + 1, { focus: true });
  }

  draw(scheme: Scheme): void {
    const started = performance.now();
    if (this.#stale || scheme !== this.#scheme) this.#build(scheme);
    const { x } = this.#timeline;
    METRICS.forEach((metric, m) => {
      const columns = this.#order.map(({ id }) => this.#timeline.column(id, metric) ?? []);
      // In a batch uPlot draws at once, instead of after this function has measured.
      this.#plots[m]?.batch(() => this.#plots[m]?.setData([x, ...columns], true));
      const empty = this.#empty[m];
      if (empty !== undefined) show(empty, !columns.some((column) => column.length > 0));
    });
    // uPlot lets go of it with each draw while the pointer is elsewhere.
    if (this.#highlighted !== undefined) this.#bringForward();
    show(this.#reset, this.#zoom !== undefined);
    this.#describe();
    const scripted = performance.now() - started;
    this.#cost = scripted;
    // Painting what was drawn may take longer than drawing it; then the next frame comes late.
    requestAnimationFrame(() => {
      this.#cost = Math.max(scripted, performance.now() - started - FRAME_MS);
    });
  }

  /** What the cursor points at, for the table's heading; "latest" without a cursor. */
  cursorLabel(): string {
    const at = this.cursor === undefined ? undefined : this.#timeline.x[this.cursor];
    if (at === undefined) return "latest";
    return this.#axis === "steps" ? `at step ${formatCount(Math.round(at))}` : `at ${formatClock(at * 1000)}`;
  }

  /** A device's value under the cursor. */
  cursorValue(id: string, metric: Metric): number | undefined {
    return this.cursor === undefined ? undefined : valueAt(this.#timeline.column(id, metric), this.cursor);
  }

  get #timeline() {
    return this.#store.timelines[this.#axis];
  }

  #build(scheme: Scheme): void {
    for (const plot of this.#plots) plot.destroy();
    this.#stale = false;
    this.#scheme = scheme;
    this.cursor = undefined;
    this.#order = [...this.#store.devices.values()].filter(({ id }) => !this.#hidden.has(id));
    this.#plots = METRICS.map((metric) => {
      const host = this.#hosts[metric];
      const plot = new uPlot(this.#options(metric, host), [[], ...this.#order.map(() => [])], host);
      setAttribute(plot.root, "aria-hidden", "true");
      return plot;
    });
    this.#pointed = undefined;
    this.#nearest = undefined;
    this.nearest = undefined;
  }

  #options(metric: Metric, host: HTMLElement): uPlot.Options {
    const colors = CHART[this.#scheme];
    const format =
      metric === "loss" ? (v: number) => v.toFixed(2) : (v: number) => `${+(v * 100).toFixed(1)} %`;
    const dense = this.#order.length > 24;
    return {
      width: Math.max(host.clientWidth, 120),
      height: Math.max(host.clientHeight, 120),
      padding: [12, 18, 0, 0],
      legend: { show: false },
      focus: { alpha: 0.22 },
      cursor: {
        sync: { key: SYNC, setSeries: false },
        focus: {
          prox: 24,
          dist: (plot, series, _index, at, pointer) => this.#distance(plot, series, at, pointer),
        },
        points: { one: true, size: 7 },
        drag: { x: true, y: false, setScale: false },
        y: false,
      },
      scales: {
        x: {
          time: false,
          range: (_plot, min, max) => {
            if (this.#zoom !== undefined) return [this.#zoom.min, this.#zoom.max];
            return min === max ? [min - 0.5, max + 0.5] : [min, max];
          },
        },
        y: {
          range:
            metric === "loss"
              ? { min: { pad: 0.08, hard: 0 }, max: { pad: 0.08 } }
              : { min: { pad: 0.08, hard: 0 }, max: { pad: 0.08, hard: 1 } },
        },
      },
      axes: [
        {
          stroke: colors.text,
          font: FONT,
          grid: { show: false },
          ticks: { stroke: colors.grid, size: 5 },
          border: { show: true, stroke: colors.grid, width: 1 },
          size: 30,
          space: 76,
          ...this.#xAxis(),
        },
        {
          stroke: colors.text,
          font: FONT,
          grid: { stroke: colors.grid, width: 1 },
          ticks: { show: false },
          size: 52,
          gap: 8,
          space: 38,
          values: (_plot, splits) => splits.map(format),
        },
      ],
      series: [
        {},
        ...this.#order.map(({ id, slot }) => {
          const { color, dash } = seriesStyle(slot, this.#scheme);
          return {
            label: id,
            stroke: color,
            dash: [...dash],
            width: dense ? 1.25 : 2,
            points: { show: alone, fill: color, stroke: color, size: 5 },
          };
        }),
      ],
      hooks: {
        setCursor: [(plot) => this.#moved(plot)],
        setSeries: [(plot, series) => this.#brought(plot, series)],
        setSelect: [(plot) => this.#select(plot)],
        ready: [(plot) => this.#listen(plot)],
      },
    };
  }

  #xAxis(): Partial<uPlot.Axis> {
    if (this.#axis === "steps") {
      return { incrs: wholeSteps(), values: (_plot, splits) => splits.map((v) => formatCount(v)) };
    }
    return {
      incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400],
      // Whole minutes of the person's own clock, whatever the time zone's offset.
      splits: (_plot, _axis, min, max, increment) => {
        const offset = new Date(min * 1000).getTimezoneOffset() * 60;
        const first = Math.ceil((min - offset) / increment) * increment + offset;
        const splits: number[] = [];
        for (let v = first; v <= max; v += increment) splits.push(v);
        return splits;
      },
      values: (_plot, splits, _axis, _space, increment) =>
        splits.map((v) => formatClock(v * 1000, increment < 60)),
    };
  }

  #listen(plot: uPlot): void {
    plot.over.addEventListener("pointerenter", () => {
      this.#pointed = plot;
    });
    plot.over.addEventListener("dblclick", () => this.#reset.click());
  }

  /** How far a line is from the pointer, in pixels; in the other plot only the same device's line counts. */
  #distance(plot: uPlot, series: number, at: number, pointer: number): number {
    if (plot === this.#pointed) return at - pointer;
    return series === this.#nearest ? 0 : Number.POSITIVE_INFINITY;
  }

  #brought(plot: uPlot, series: number | null): void {
    if (plot !== this.#pointed || this.#highlighted !== undefined) return;
    this.#nearest = series ?? undefined;
    const id = series === null ? undefined : this.#order[series - 1]?.id;
    if (id === this.nearest) return;
    this.nearest = id;
    this.#onCursor();
  }

  #moved(plot: uPlot): void {
    const { idx, left } = plot.cursor;
    const index = idx === null || idx === undefined || (left ?? -1) < 0 ? undefined : idx;
    if (index === this.cursor) return;
    this.cursor = index;
    this.#onCursor();
  }

  #select(plot: uPlot): void {
    const { left, width } = plot.select;
    if (width < 6) return;
    this.#zoom = { min: plot.posToVal(left, "x"), max: plot.posToVal(left + width, "x") };
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#redraw();
  }

  #resize(): void {
    METRICS.forEach((metric, m) => {
      const { clientWidth: width, clientHeight: height } = this.#hosts[metric];
      const plot = this.#plots[m];
      if (plot === undefined || width === 0 || (plot.width === width && plot.height === height)) return;
      plot.setSize({ width, height });
    });
  }

  /** The charts in words, for who cannot see them; the table beside them has every value. */
  #describe(): void {
    for (const metric of METRICS) {
      const format = metric === "loss" ? formatLoss : formatAccuracy;
      const told = this.#order.flatMap(({ id, state }) => {
        const value = state?.[metric];
        return value === undefined ? [] : `${id} ${format(value)}`;
      });
      const more = told.length > 8 ? `, and ${told.length - 8} more` : "";
      const text = `${metric === "loss" ? "Loss" : "Accuracy"} over time. Latest: ${told.slice(0, 8).join(", ") || "nothing yet"}${more}`;
      setAttribute(this.#hosts[metric], "aria-label", text);
    }
  }
}

/** A line needs two points; a series that has one shows it as a dot. */
function alone(plot: uPlot, series: number): boolean {
  let numbers = 0;
  for (const point of plot.data[series] as Point[]) {
    if (typeof point === "number" && ++numbers > 1) return false;
  }
  return numbers === 1;
}

function wholeSteps(): number[] {
  return Array.from({ length: 10 }, (_, power) => [1, 2, 5].map((factor) => factor * 10 ** power)).flat();
}
