// The few DOM helpers of the page. Foreign text reaches the document through text nodes only; there is no innerHTML here.

type Attributes = Readonly<Record<string, string>>;

/** An element with a class, attributes and children; texts become text nodes. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (className !== "") node.className = className;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** The element that index.html must have; one with another id is a mistake of ours, told at once. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const node = document.getElementById(id);
  if (!(node instanceof type)) throw new Error(`index.html has no ${type.name} with the id ${id}`);
  return node;
}

/** A text that writes to the document only when it changes: most numbers of a hundred cards do not, most of the time. */
export class Text {
  readonly node = document.createTextNode("");

  set(text: string): void {
    if (this.node.data !== text) this.node.data = text;
  }
}

/** Sets an attribute only when it changes. */
export function setAttribute(node: Element, name: string, value: string): void {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** Shows or hides, only when that changes. */
export function show(node: HTMLElement, visible: boolean): void {
  if (node.hidden === visible) node.hidden = !visible;
}

/** Makes the children of `parent` exactly `wanted`, in that order, moving as little as possible. */
export function arrange(parent: Element, wanted: readonly Element[]): void {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of wanted) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

const SVG = "http://www.w3.org/2000/svg";

/** A short piece of a device's line: colour and dash, as the charts draw it. */
export class Swatch {
  readonly node = document.createElementNS(SVG, "svg");
  readonly #line = document.createElementNS(SVG, "line");

  constructor() {
    this.node.setAttribute("viewBox", "0 0 22 8");
    this.node.setAttribute("aria-hidden", "true");
    this.node.setAttribute("class", "swatch");
    for (const [name, value] of Object.entries({ x1: "1.5", x2: "20.5", y1: "4", y2: "4" })) {
      this.#line.setAttribute(name, value);
    }
    this.node.append(this.#line);
  }

  paint(color: string, dash: readonly number[]): void {
    setAttribute(this.#line, "stroke", color);
    setAttribute(this.#line, "stroke-dasharray", dash.map((length) => length * 0.7).join(" "));
  }
}
