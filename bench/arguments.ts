// The options of a bench's command line, with --help, and one line where something is wrong with them.
import { basename } from "node:path";
import { parseArgs as parse } from "node:util";

type Options = NonNullable<NonNullable<Parameters<typeof parse>[0]>["options"]>;

/** As node:util's, of `npm run <script>`; ends the process with 0 after --help, and with 2 where the options are wrong. */
export function parseArgs<const T extends Options>(
  config: { options: T },
  script = `bench:${basename(process.argv[1] ?? "", ".ts")}`,
) {
  const list = Object.entries(config.options).map(([name, { type, default: value }]) => {
    const usual = type === "string" && value !== undefined ? `   (${value})` : "";
    return `  --${name}${type === "string" ? " VALUE" : ""}${usual}`;
  });
  const usage = `npm run ${script} -- [options]\n${list.join("\n")}`;
  if (process.argv.slice(2).includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parse(config);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
}

/** The whole number of an option that may not be given. @throws Error that names the option */
export function whole(name: string, text: string | undefined, otherwise = 0): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() === "" || !Number.isInteger(value) || value < 0)
    throw new Error(`--${name} ${text}: not a whole number`);
  return value;
}
