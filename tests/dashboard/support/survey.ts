// Runs in the page: looks at every text that can be seen. It must not refer to anything outside of its own body.

export interface Survey {
  /** Texts looked at. */
  texts: number;
  /** Those with less than 4.5:1 against what is behind them. */
  faint: string[];
  /** Controls that a screen reader could not name. */
  nameless: string[];
}

export function surveyText(): Survey {
  // A canvas of one pixel makes any CSS colour four bytes. An object's methods keep their names to themselves, where a
  // compiler would wrap a function's in a helper that the page does not have.
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("no canvas");
  const tools = {
    paint(color: string, opacity: number) {
      context.globalAlpha = opacity;
      context.fillStyle = color;
      context.fillRect(0, 0, 1, 1);
    },
    luminance() {
      const [red = 0, green = 0, blue = 0] = [...context.getImageData(0, 0, 1, 1).data].map((byte) => {
        const value = byte / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    },
    /** Contrast of an element's text: all backgrounds from the page up, then the text at the opacity of all it lies in. */
    contrast(element: Element) {
      const chain: Element[] = [];
      for (let at: Element | null = element; at !== null; at = at.parentElement) chain.unshift(at);
      let opacity = 1;
      tools.paint("white", 1);
      for (const one of chain) {
        const style = getComputedStyle(one);
        opacity *= Number(style.opacity);
        tools.paint(style.backgroundColor, opacity);
      }
      const behind = tools.luminance();
      tools.paint(getComputedStyle(element).color, opacity);
      const text = tools.luminance();
      return (Math.max(behind, text) + 0.05) / (Math.min(behind, text) + 0.05);
    },
  };
  const survey: Survey = { texts: 0, faint: [], nameless: [] };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { parentElement, data } = walker.currentNode as Text;
    if (parentElement === null || data.trim() === "" || !parentElement.checkVisibility()) continue;
    if (parentElement.closest(":disabled, .unseen, option, script") !== null) continue;
    survey.texts++;
    const ratio = tools.contrast(parentElement);
    if (ratio < 4.5) survey.faint.push(`${data.trim()} (${parentElement.className}): ${ratio.toFixed(2)}`);
  }
  for (const control of document.querySelectorAll<HTMLElement>("button, input, select")) {
    const labels = "labels" in control ? [...((control as HTMLInputElement).labels ?? [])] : [];
    const name = [control.ariaLabel, control.textContent, ...labels.map((label) => label.textContent)];
    if (!name.some((text) => text !== null && text.trim() !== "")) survey.nameless.push(control.outerHTML);
  }
  return survey;
}
