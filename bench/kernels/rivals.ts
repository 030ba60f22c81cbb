/**
 * One training step of a perceptron 64-32-10, batch 1, SGD, in other projects: counted once by the same plugin on the
 * same emulated Cortex-M4 (arm-none-eabi-gcc 12.2, -O3). Their code is not part of this one, so `npm run bench:kernels`
 * does not print them again.
 */
export interface Rival {
  name: string;
  instructions: number;
  /** RAM in KB, as its own report or its link map says. */
  ram: number;
}

export const RIVALS: readonly Rival[] = [
  { name: "AIfES 2.2.0, FP32 with FPU", instructions: 282_850, ram: 36.5 },
  { name: "PocketNN, integer, 32-bit storage", instructions: 276_551, ram: 32.0 },
  { name: "PULP-TrainLib (STM32 branch), FP32 with FPU", instructions: 45_012, ram: 20.1 },
];
