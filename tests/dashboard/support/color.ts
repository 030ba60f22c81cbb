// Contrast as WCAG 2 defines it, and how far apart two colours look, for people with full and with deficient colour vision:
// the simulation of Machado, Oliveira and Fernandes (2009, severity 1) and the distance in Oklab (Ottosson, 2020).

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

const IDENTITY: Matrix = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

/** Linear RGB → linear RGB as seen. */
export const VISIONS: Readonly<Record<string, Matrix>> = {
  full: IDENTITY,
  protanopic: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopic: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopic: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const LMS: Matrix = [
  [0.4122214708, 0.5363325363, 0.0514459929],
  [0.2119034982, 0.6806995451, 0.1073969566],
  [0.0883024619, 0.2817188376, 0.6299787005],
];

const LAB: Matrix = [
  [0.2104542553, 0.793617785, -0.0040720468],
  [1.9779984951, -2.428592205, 0.4505937099],
  [0.0259040371, 0.7827717662, -0.808675766],
];

/** #rrggbb → linear RGB, 0…1 each. */
function linear(color: string): Triple {
  const channel = (at: number) => {
    const value = Number.parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [channel(1), channel(3), channel(5)];
}

function times(matrix: Matrix, [a, b, c]: Triple): Triple {
  const row = ([x, y, z]: Triple) => x * a + y * b + z * c;
  return [row(matrix[0]), row(matrix[1]), row(matrix[2])];
}

function map([a, b, c]: Triple, change: (value: number) => number): Triple {
  return [change(a), change(b), change(c)];
}

function oklab(color: string, vision: Matrix): Triple {
  const seen = map(times(vision, linear(color)), (value) => Math.min(1, Math.max(0, value)));
  return times(LAB, map(times(LMS, seen), Math.cbrt));
}

/** Distance in Oklab, as a person with that vision sees two colours. About 0.02 is the least that can be told apart. */
export function distance(a: string, b: string, vision: string): number {
  const matrix = VISIONS[vision] ?? IDENTITY;
  const [x, y] = [oklab(a, matrix), oklab(b, matrix)];
  return Math.hypot(x[0] - y[0], x[1] - y[1], x[2] - y[2]);
}

/** Contrast ratio, 1…21. */
export function contrast(a: string, b: string): number {
  const luminance = (color: string) => {
    const [red, green, blue] = linear(color);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}
