// The legend of both charts and the comparison in numbers: one row for each device, values under the cursor or the latest,
// sortable; a row's box hides its lines, pointing at it brings them to the front.

import { formatAccuracy, formatLoss } from "../model/format.ts";
import type { Device, Metric, Store } from "../model/store.ts";
import type { Charts } from "./charts.ts";
import { arrange, byId, element, Swatch, setAttribute, Text } from "./dom.ts";
import { type Scheme, seriesStyle } from "./palette.ts";

type Key = "device" | Metric;

interface Row {
  readonly node: HTMLTableRowElement;
  readonly box: HTMLInputElement;
  readonly swatch: Swatch;
  readonly values: Readonly<Record<Metric, Text>>;
}

export class Table {
  readonly #store: Store;
  readonly #charts: Charts;
  readonly #hidden: Set<string>;
  readonly #changed: () => void;
  readonly #body = byId("compare-rows", HTMLTableSectionElement);
  readonly #scroller = byId("compare-table", HTMLTableElement);
  readonly #heading = new Text();
  readonly #all = byId("show-all", HTMLInputElement);
  readonly #headers: Readonly<Record<Key, HTMLElement>> = {
    device: byId("sort-device", HTMLElement),
    loss: byId("sort-loss", HTMLElement),
    accuracy: byId("sort-accuracy", HTMLElement),
  };
  readonly #rows = new Map<string, Row>();
  #revealed: string | undefined;
  #sort: { key: Key; descending: boolean } = { key: "device", descending: false };

  /** @param hidden ids of the devices whose lines are not drawn; changed here @param changed it was */
  constructor(store: Store, charts: Charts, hidden: Set<string>, changed: () => void) {
    this.#store = store;
    this.#charts = charts;
    this.#hidden = hidden;
    this.#changed = changed;
    byId("compare-when", HTMLElement).append(this.#heading.node);
    for (const [key, header] of Object.entries(this.#headers) as [Key, HTMLElement][]) {
      header.querySelector("button")?.addEventListener("click", () => {
        const again = this.#sort.key === key;
        this.#sort = { key, descending: again ? !this.#sort.descending : key === "accuracy" };
        changed();
      });
    }
    this.#all.addEventListener("change", () => {
      hidden.clear();
      if (!this.#all.checked) for (const id of store.devices.keys()) hidden.add(id);
      changed();
    });
    this.#body.addEventListener("pointerleave", () => charts.highlight(undefined));
  }

  draw(scheme: Scheme): void {
    this.#heading.set(this.#charts.cursorLabel());
    const devices = [...this.#store.devices.values()];
    for (const id of this.#rows.keys()) if (!this.#store.devices.has(id)) this.#rows.delete(id);
    const values = new Map(devices.map((device) => [device.id, this.#values(device)]));
    for (const device of devices) {
      const row = this.#row(device);
      const { color, dash } = seriesStyle(device.slot, scheme);
      row.swatch.paint(color, dash);
      row.box.checked = !this.#hidden.has(device.id);
      setAttribute(row.node, "data-presence", this.#store.presence(device));
      setAttribute(row.node, "data-nearest", String(this.#charts.nearest === device.id));
      row.values.loss.set(formatLoss(values.get(device.id)?.loss));
      row.values.accuracy.set(formatAccuracy(values.get(device.id)?.accuracy));
    }
    this.#reveal(this.#charts.nearest);
    // The order holds still while the cursor moves over the charts: rows that jump cannot be read.
    if (this.#charts.cursor === undefined) this.#order(devices, values);
    const hidden = devices.filter(({ id }) => this.#hidden.has(id)).length;
    this.#all.checked = hidden === 0;
    this.#all.indeterminate = hidden > 0 && hidden < devices.length;
  }

  /** Scrolls the table, and nothing else, to the row of the line under the pointer. */
  #reveal(id: string | undefined): void {
    if (id === this.#revealed) return;
    this.#revealed = id;
    const row = id === undefined ? undefined : this.#rows.get(id)?.node;
    if (row === undefined) return;
    const head = this.#body.offsetTop;
    const { scrollTop, clientHeight } = this.#scroller;
    const top = row.offsetTop - head;
    if (top < scrollTop) this.#scroller.scrollTop = top;
    else if (row.offsetTop + row.offsetHeight > scrollTop + clientHeight) {
      this.#scroller.scrollTop = row.offsetTop + row.offsetHeight - clientHeight;
    }
  }

  #values({ id, state }: Device): Record<Metric, number | undefined> {
    if (this.#charts.cursor === undefined) return { loss: state?.loss, accuracy: state?.accuracy };
    return { loss: this.#charts.cursorValue(id, "loss"), accuracy: this.#charts.cursorValue(id, "accuracy") };
  }

  #order(devices: Device[], values: ReadonlyMap<string, Record<Metric, number | undefined>>): void {
    const { key, descending } = this.#sort;
    const sign = descending ? -1 : 1;
    const sorted = devices.sort((a, b) => {
      const byName = a.id.localeCompare(b.id, undefined, { numeric: true });
      if (key === "device") return sign * byName;
      const [x, y] = [values.get(a.id)?.[key], values.get(b.id)?.[key]];
      // Who has told nothing comes last, whichever the order.
      if (x === undefined || y === undefined) return x === y ? byName : x === undefined ? 1 : -1;
      return sign * (x - y) || byName;
    });
    for (const [name, header] of Object.entries(this.#headers)) {
      setAttribute(header, "aria-sort", name === key ? (descending ? "descending" : "ascending") : "none");
    }
    arrange(
      this.#body,
      sorted.flatMap(({ id }) => this.#rows.get(id)?.node ?? []),
    );
  }

  #row(device: Device): Row {
    const known = this.#rows.get(device.id);
    if (known !== undefined) return known;
    const { id } = device;
    const box = element("input", "", { type: "checkbox" });
    const swatch = new Swatch();
    const values = { loss: new Text(), accuracy: new Text() };
    const label = element("label", "", { title: id }, box, swatch.node, element("span", "row-name", {}, id));
    const node = element(
      "tr",
      "",
      { "data-device": id },
      element("th", "", { scope: "row" }, label),
      element("td", "", {}, values.loss.node),
      element("td", "", {}, values.accuracy.node),
    );
    box.addEventListener("change", () => {
      if (box.checked) this.#hidden.delete(id);
      else this.#hidden.add(id);
      this.#changed();
    });
    node.addEventListener("pointerenter", () => this.#charts.highlight(id));
    box.addEventListener("focus", () => this.#charts.highlight(id));
    box.addEventListener("blur", () => this.#charts.highlight(undefined));
    const row = { node, box, swatch, values };
    this.#rows.set(id, row);
    return row;
  }
}
