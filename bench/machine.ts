/** What a figure was measured on, as far as it can matter. */
import { cpus } from "node:os";

export interface Machine {
  cpu: string;
  cores: number;
  node: string;
}

export function thisMachine(): Machine {
  const all = cpus();
  return { cpu: all[0]?.model.trim() || process.arch, cores: all.length, node: process.version };
}

export const machineText = ({ cpu, cores, node }: Machine): string => `${cpu}, ${cores} cores, Node ${node}`;
