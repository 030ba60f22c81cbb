// The intrinsics by import module (docs/abi.md). A family's numbers start where no other family's reach, so that one
// number names an intrinsic wherever an error tells of it.

export interface IntrinsicFamily {
  /** Name of the import module, with its version. */
  readonly module: string;
  /** Number of the first intrinsic; the others follow. */
  readonly first: number;
  readonly names: readonly string[];
}

export const INTRINSIC_FAMILIES: readonly IntrinsicFamily[] = [
  {
    module: "octo_int8_1",
    first: 1,
    names: [
      "conv2d",
      "conv2dGradInput",
      "conv2dGradWeight",
      "absMaxS8",
      "absMaxS32",
      "requantize",
      "sgdUpdate",
      "maxPool2d",
      "maxPool2dGrad",
      "relu",
      "reluGrad",
      "requantize32",
      "sgdUpdate32",
      "conv2dLearn",
      "drawMasters",
      "weightsOf",
      "softmaxCrossEntropy",
      "averagePool2d",
      "averagePool2dGrad",
      "add",
      "addGrad",
      "rescale",
    ],
  },
  { module: "octo_sgq_1", first: 64, names: ["sgqQuantize", "sgqEncode", "sgqMix", "sgqCrc16"] },
  { module: "octo_pass_1", first: 96, names: ["patchStats", "merge"] },
];

/** Every intrinsic by its number: `where` of the codes 1–9. */
export const INTRINSICS: ReadonlyMap<number, string> = new Map(
  INTRINSIC_FAMILIES.flatMap(({ first, names }) => names.map((name, i) => [first + i, name] as const)),
);
