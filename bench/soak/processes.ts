/** Resident memory of processes and of all that they started, from /proc. */
import { readdirSync, readFileSync } from "node:fs";

/** Parents of all processes. */
function parents(): Map<number, number> {
  const found = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // the command stands in parentheses, and may hold any character
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      found.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    } catch {
      // it has ended meanwhile
    }
  }
  return found;
}

function residentOf(pid: number): number {
  try {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return 1024 * Number(line?.[1] ?? 0);
  } catch {
    return 0; // it has ended meanwhile
  }
}

/** Bytes of one process alone. */
export const resident = residentOf;

/** Bytes of a process and its descendants. */
export function residentTree(pid: number): number {
  const all = [...parents()];
  let sum = residentOf(pid);
  let above = [pid];
  while (above.length > 0) {
    above = all.filter(([, parent]) => above.includes(parent)).map(([child]) => child);
    for (const child of above) sum += residentOf(child);
  }
  return sum;
}
