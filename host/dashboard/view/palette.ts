// Colours of the series. Eight hues that stay apart for people with protanopia, deuteranopia and tritanopia, at least 3:1
// against the panel they are drawn on (a test computes both); past eight devices the dash tells them apart as well.

export type Scheme = "dark" | "light";

export interface SeriesStyle {
  readonly color: string;
  /** Lengths of dash and gap in CSS pixels; empty for a solid line. */
  readonly dash: readonly number[];
}

export interface ChartColors {
  readonly text: string;
  readonly grid: string;
  readonly cursor: string;
}

export const PANEL: Readonly<Record<Scheme, string>> = { dark: "#151a21", light: "#ffffff" };

export const SERIES: Readonly<Record<Scheme, readonly string[]>> = {
  dark: ["#65acfa", "#eeb414", "#45ead4", "#c0708a", "#f8dc90", "#657def", "#eb642c", "#a6abb0"],
  light: ["#2447b6", "#a14a0a", "#109e8f", "#622a56", "#ad882c", "#9972ea", "#810208", "#6d6670"],
};

const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];

export const CHART: Readonly<Record<Scheme, ChartColors>> = {
  dark: { text: "#94a3b3", grid: "#232b35", cursor: "#5c6b7b" },
  light: { text: "#5a6877", grid: "#e7ebef", cursor: "#8e9baa" },
};

/** What lies over a camera's frame, and the lines beside it; the same as in style/tokens.css. */
export const OVERLAY: Readonly<Record<Scheme, { computed: string; occupied: string; work: string }>> = {
  dark: { computed: "#3fd0bf", occupied: "#f2b84b", work: "#94a3b3" },
  light: { computed: "#0b8f84", occupied: "#f0a020", work: "#566373" },
};

/** Maps of features: what is zero, and what is largest. */
export const HEAT: Readonly<Record<Scheme, { low: string; high: string }>> = {
  dark: { low: "#0b0f14", high: "#3fd0bf" },
  light: { low: "#eef1f4", high: "#0b6b63" },
};

/** The style of a device's lines; slots count from 0 and repeat after 32. */
export function seriesStyle(slot: number, scheme: Scheme): SeriesStyle {
  const colors = SERIES[scheme];
  const color = colors[slot % colors.length] ?? "";
  const dash = DASHES[Math.floor(slot / colors.length) % DASHES.length] ?? [];
  return { color, dash };
}
