type Params = Readonly<Record<string, number>>;

/** Parameters of tests/assembly/apps/residual.ts. */
const RESIDUAL: Readonly<Record<string, Params>> = {
  "residual blocks": { lr: 0.1 },
  "residual blocks, LAC": { lr: 0.1, layers: 1 },
  hinge: { lr: 0.02, loss: 1 },
  "mean squared error": { lr: 0.2, loss: 2 },
};

/** The app in tests/assembly/apps that a training is one of. */
export const appOf = (name: string): TrainingApp => {
  if (name in RESIDUAL) return "residual";
  return name === "RMSprop" ? "rms-prop" : "training";
};

export const TRAINING_APPS = ["training", "rms-prop", "residual"] as const;
export type TrainingApp = (typeof TRAINING_APPS)[number];

/** What training can be told, one at a time and together: parameters of tests/assembly/apps/training.ts, and the other layers. */
export const TRAININGS: Readonly<Record<string, Params>> = {
  ...RESIDUAL,
  LAC: { layers: 1 },
  PRC: { layers: 2 },
  "4 bits": { bits: 4 },
  "2 bits, LAC and PRC": { bits: 2, layers: 3 },
  momentum: { opt: 1, lr: 0.002 },
  RMSprop: { lr: 0.002 },
  "batches of 4": { batch: 4, lr: 0.05 },
  "weight decay": { options: 1 },
  cosine: { options: 2 },
  "step decay": { options: 4 },
  "early stop": { options: 8 },
  "the last layer": { options: 16, lr: 0.05 },
  "biases and compensation": { layers: 5 },
  "all at once": { bits: 4, layers: 3, opt: 1, batch: 4, options: 3, lr: 0.01 },
};
