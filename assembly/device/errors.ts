// Error codes that a module raises (docs/errors.md; the host names them from host/protocol's table).

/** Argument checks of intrinsics (1–9): `where` is the intrinsic's number. */
export const BAD_STRUCT = 1;
export const BAD_SHAPE = 2;
export const BAD_WINDOW = 3;
export const ACCUMULATOR = 4;
export const BAD_QUANT = 5;
export const SCRATCH_SMALL = 6;
export const MISALIGNED = 7;
export const OUT_OF_RANGE = 8;
export const OVERLAP = 9;

/** Model errors (20–39): `where` is layer index << 8 | layer kind. */
export const LAYER_SHAPE = 20;
export const MODEL_EMPTY = 21;
export const OUT_OF_ARENA = 22;
export const SENSOR_SHAPE = 23;
export const BAD_LABEL = 24;
export const TOO_MANY = 25;
export const NEEDS_DENSE = 26;
export const ALLOCATION_SEALED = 27;
export const STATE_MISMATCH = 28;

/** PASS (29–31): a network's description, its memory, and options. */
export const NET_FORMAT = 29;
export const NET_TOO_LARGE = 30;
export const PASS_OPTION = 31;

/** A model whose error comes from outside ends in features. */
export const NEEDS_FEATURES = 36;

/** Replay (37): a buffer that holds not one sample. */
export const BUFFER_SMALL = 37;

/** An option of a layer or a trainer. */
export const TRAINING_OPTION = 38;
