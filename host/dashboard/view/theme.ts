// Light, dark, or as the system has it. CSS does the colours; the charts ask here which scheme is in force.

import { byId } from "./dom.ts";
import type { Scheme } from "./palette.ts";

type Choice = Scheme | "auto";
const KEY = "octomote.theme";
const NEXT: Readonly<Record<Choice, Choice>> = { auto: "light", light: "dark", dark: "auto" };
const LABEL: Readonly<Record<Choice, string>> = { auto: "as the system", light: "light", dark: "dark" };

export class Theme {
  readonly #system = matchMedia("(prefers-color-scheme: dark)");
  readonly #button = byId("theme", HTMLButtonElement);
  #choice: Choice;

  /** @param changed called whenever another scheme comes into force */
  constructor(changed: () => void) {
    const stored = localStorage.getItem(KEY);
    this.#choice = stored === "light" || stored === "dark" ? stored : "auto";
    this.#apply();
    this.#system.addEventListener("change", changed);
    this.#button.addEventListener("click", () => {
      this.#choice = NEXT[this.#choice];
      if (this.#choice === "auto") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, this.#choice);
      this.#apply();
      changed();
    });
  }

  get scheme(): Scheme {
    if (this.#choice !== "auto") return this.#choice;
    return this.#system.matches ? "dark" : "light";
  }

  #apply(): void {
    if (this.#choice === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = this.#choice;
    this.#button.dataset.choice = this.#choice;
    const label = `Theme: ${LABEL[this.#choice]}`;
    this.#button.setAttribute("aria-label", label);
    this.#button.title = label;
  }
}
