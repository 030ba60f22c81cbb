// Sources of a module that does each integer operation of WebAssembly with its operands wherever an engine can have them
// (locals, what was just computed, constants), over values at the edges; and programs drawn from a seed.
import { Random } from "../../../host/data/random.ts";

const VALUES: readonly bigint[] = [
  ...[0n, 1n, 2n, 31n, 32n, 33n, 42n, 63n, 64n, 127n, 128n, 0xffffn],
  ...[0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, 0x123456789abcdefn, 2n ** 63n - 1n],
  ...[-1n, -2n, -32768n, -0x80000000n, -0x80000001n, -(2n ** 63n)],
];

const SIGNED = ["+", "-", "*", "<<", ">>", "<", ">", "<=", ">=", "==", "!="];
const UNSIGNED = ["&", "|", "^", ">>", "<", ">", "<=", ">="];
const TYPES = ["i32", "u32", "i64", "u64"] as const;

/** One expression of a and b, which are of `type`; `p` and `q` are where they lie in memory. */
interface Form {
  type: (typeof TYPES)[number];
  /** Type of what it gives; `type` if absent. */
  result?: "i32";
  text: string;
}

function forms(): Form[] {
  const all: Form[] = [];
  for (const type of TYPES) {
    const a = "a";
    const b = "b";
    const [la, lb] = [`load<${type}>(p)`, `load<${type}>(q)`];
    for (const op of type.startsWith("i") ? SIGNED : UNSIGNED) {
      const truth = ["<", ">", "<=", ">=", "==", "!="].includes(op);
      for (const [x, y] of [
        [a, b],
        [a, lb],
        [la, b],
        [la, lb],
        [a, `<${type}>21`],
        [`<${type}>21`, b],
        [la, `<${type}>33`],
      ]) {
        const text = `${x} ${op} ${y}`;
        all.push(truth ? { type, result: "i32", text: `i32(${text})` } : { type, text });
      }
    }
    for (const [x, y, c] of [
      ["a", "b", "i32(a < b)"],
      [la, "b", "i32(a < b)"],
      ["a", lb, "c"],
      [la, "b", "c"],
      ["a", "b", "c"],
    ]) {
      all.push({ type, text: `select<${type}>(${x}, ${y}, ${c})` });
    }
    for (const x of [a, la]) {
      for (const call of ["clz", "ctz", "popcnt"]) all.push({ type, text: `${call}<${type}>(${x})` });
      all.push({ type, result: "i32", text: `i32(!${x})` });
      for (const to of [...TYPES, "i8", "i16", "u8", "u16"]) all.push({ type, text: `<${type}><${to}>${x}` });
      all.push({ type, text: `rotl<${type}>(${x}, b)` }, { type, text: `rotr<${type}>(b, ${x})` });
    }
    const divisor = type.startsWith("i") ? "(b == 0 || b == -1 ? 3 : b)" : "(b == 0 ? 3 : b)";
    all.push({ type, text: `a / ${divisor}` }, { type, text: `a % ${divisor}` });
    all.push(
      { type, text: `(g_${type} = a, g_${type} + b)` },
      { type, text: `(g_${type} = ${la} + 1, g_${type})` },
    );
    all.push({ type, text: `(c ? a + b : a - b)` }, { type, text: `swapped_${type}(a, b)` });
  }
  return all;
}

/** Expressions of some depth, whose values wait in slots while others are computed. */
function drawn(count: number): Form[] {
  const random = new Random(11);
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)] as T;
  const expression = (type: "i32" | "i64", depth: number): string => {
    if (depth === 0)
      return pick(["a", "b", `load<${type}>(p)`, `load<${type}>(q)`, `<${type}>5`, `<${type}>-77`]);
    const [x, y] = [expression(type, depth - 1), expression(type, depth - 1)];
    switch (random.below(8)) {
      case 0:
        return `(i32(${x} < ${y}) ? ${x} : ${y})`;
      case 1:
        return type === "i64" ? `<i64><i32>(${x})` : `<i32>(<i64>(${x}) * <i64>(${y}) >> 7)`;
      case 2:
        return `select<${type}>(${x}, ${y}, i32(${x} > ${y}))`;
      case 3:
        return `(a = ${x}, b = a ^ b, ${y})`;
      default:
        return `(${x} ${pick(["+", "-", "*", "&", "|", "^", "<<", ">>"])} ${y})`;
    }
  };
  return Array.from({ length: count }, (_, i) => {
    const type = i % 2 ? "i64" : "i32";
    return { type, text: expression(type, 3) };
  });
}

const ACCESSES: readonly [type: string, load: string, bytes: number][] = [
  ...(["i32", "i64"] as const).flatMap((type): [string, string, number][] => [
    [type, "i8", 1],
    [type, "u8", 1],
    [type, "i16", 2],
    [type, "u16", 2],
    [type, "i32", 4],
  ]),
  ["i64", "u32", 4],
  ["i64", "i64", 8],
];

const PAGE = 65536;
/** As `place` in the source has them. */
const PLACES = 8;

/** A source, and what its export `run` is called with: 16 times the number of a function, and its argument. */
export function operationsModule(): { source: string; calls: number[] } {
  const functions: { body: string; variants: number }[] = [];
  const add = (body: string, variants = 1) => functions.push({ body, variants });
  for (const { type, result = type, text } of [...forms(), ...drawn(60)]) {
    const wide = result.endsWith("64");
    add(`{
  let h = 0;
  for (let p: usize = VALUES; p < END; p += 8) for (let q: usize = VALUES; q < END; q += 8) {
    let a = load<${type}>(p), b = load<${type}>(q);
    const c = i32(p < q);
    const r: ${result} = ${text};
    h = h * 31 + <i32>r${wide ? ";\n    h = h * 31 + <i32>(r >> 32)" : ""} + <i32>a + c;
  }
  return h;
}`);
  }
  for (const [type, access, bytes] of ACCESSES) {
    for (const offset of [0, 3, 2 ** 31, 2 ** 32 - 1]) {
      const base = `place(i, ${bytes}, ${offset})`;
      const loaded = `<i32>load<${access}>(base, ${offset})`;
      const value = `<${type}>(base ^ 0x5a5a5a5a)`;
      add(`{ const base = ${base}; return ${loaded}; }`, PLACES);
      add(`{ return <i32>(<${type}>load<${access}>(${base} + 0, ${offset}) >> 1); }`, PLACES);
      add(
        `{ const base = ${base}, v = ${value}; store<${access}>(base, v, ${offset}); return ${loaded}; }`,
        PLACES,
      );
      add(
        `{ const base = ${base}; store<${access}>(base, ${value} + 1, ${offset}); return ${loaded}; }`,
        PLACES,
      );
      add(
        `{ const v = <${type}>i * 0x1234567; store<${access}>(${base} + 0, v, ${offset}); return i; }`,
        PLACES,
      );
    }
  }
  for (const size of [0, 1, 3, 4, 5, 15, 16, 63, 64, 65, 200]) {
    for (const [to, from] of [
      ...[
        [4096, 6000],
        [4096, 4097],
        [4097, 4096],
        [4100, 4096],
        [4096, 4100],
        [5000, 5000],
      ],
      ...[
        [PAGE - size, 4096],
        [PAGE - size + 1, 4096],
        [4096, PAGE - size + 1],
        [2 ** 32 - 1, 0],
      ],
    ]) {
      add(`{ memory.copy(${to}, ${from}, ${size}); return sum(); }`);
    }
    add(`{ memory.fill(${4096 + size}, ${size}, ${size}); return sum(); }`);
  }
  add("{ return deeper(i); }");
  add(
    "{ let n = 0; for (let k = 0; k < 50; k++) { if (k == 31) break; if (k % 3 == 1) continue; n += k; } return n; }",
  );
  add(`{
  let n = 0;
  for (let k = 0; k < 9; k++) {
    switch (k) { case 0: n += 1; case 1: n += 2; break; case 5: n *= 3; break; default: n -= 1; }
  }
  return n;
}`);
  add("{ if (i) unreachable(); return 0; }", 2);
  add("{ return 7 / i; }", 2);
  const source = `
const VALUES: usize = 1024;
const END: usize = VALUES + 8 * ${VALUES.length};
${TYPES.map(
  (type) => `let g_${type}: ${type} = 0;
function swapped_${type}(a: ${type}, b: ${type}): ${type} { const t = a; a = b; b = t; return a - b * 3; }`,
).join("\n")}
function fill(): void {
${VALUES.map((value, i) => `  store<i64>(VALUES, ${value === -(2n ** 63n) ? "i64.MIN_VALUE" : value}, ${8 * i});`).join("\n")}
  for (let at: usize = 4096; at < 8192; at++) store<u8>(at, <u32>at * 37 >> 3);
}
function sum(): i32 { let h = 0; for (let at: usize = 4096; at < 6400; at++) h = h * 31 + load<u8>(at); return h; }
function deeper(n: i32): i32 { return n > 1 << 30 ? n : deeper(n + 1) + deeper(n + 2); }
/** The last places of an access within memory, the first that are not, and sums that do not fit 32 bits. */
function place(i: i32, bytes: i32, offset: u32): usize {
  let at: usize = 4097 + i;
  if (i == 0) at = 0;
  if (i == 1) at = ${PAGE} - bytes;
  if (i == 2) at = ${PAGE} - bytes + 1;
  if (i == 3) at = ${PAGE};
  if (i == 4) at = 0x80000000;
  if (i == 5) at = 0xffffffff;
  return offset < 4 ? at - offset : at;
}
${functions.map(({ body }, i) => `function f${i}(i: i32): i32 ${body}`).join("\n")}
const TABLE: StaticArray<(i: i32) => i32> = [${functions.map((_, i) => `f${i}`).join(", ")}];
export function run(call: i32): i32 {
  fill();
  return TABLE[call >> 4](call & 15);
}
`;
  const calls = functions.flatMap(({ variants }, f) =>
    Array.from({ length: variants }, (_, i) => 16 * f + i),
  );
  return { source, calls };
}
