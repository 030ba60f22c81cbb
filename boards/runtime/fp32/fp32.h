// The nets of the benchmarks in FP32: forward, softmax with cross-entropy, backward, SGD with batch 1, in plain C. It is what INT8
// on a device is compared with; no firmware has it. bench/fp32 is the same in TypeScript, and the judge of this one.
#ifndef OM_FP32_H
#define OM_FP32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Fp32Kind { FP32_CONV2D, FP32_RELU, FP32_MAX_POOL, FP32_RESIDUAL } Fp32Kind;

/** A layer as a plan has it: h·w·c in, outH·outW·outC out. A dense layer is a 1×1 convolution over one pixel. */
typedef struct Fp32Plan {
  uint32_t kind, h, w, c, outH, outW, outC, kernel, stride, top, left;
  /** Of a residual: the layer whose output is added, counted from 0. */
  uint32_t from;
} Fp32Plan;

typedef struct Fp32Layer {
  const Fp32Plan *plan;
  /** Weights OHWI, then a bias for each filter. */
  float *weights, *bias;
  /** NHWC; a rectifier works in place. */
  float *output, *error;
  /** Of a max pool: where each output came from. */
  uint32_t *origin;
} Fp32Layer;

enum { FP32_MAX_LAYERS = 24 };

typedef struct Fp32Net {
  uint32_t layers, lowest;
  Fp32Layer layer[FP32_MAX_LAYERS];
  /** Of the largest convolution: a dense layer needs none. */
  float *gradient;
  /** What it took of the arena. */
  size_t bytes;
} Fp32Net;

/**
 * Lays a net out.
 *
 * @param words the number of layers, a Fp32Plan of each, then weights and bias of each convolution, which are copied
 * @param end where the words end, as far as they were read
 * @return false if the arena is too small, or there are too many layers
 */
bool fp32Open(Fp32Net *net, const uint32_t *words, void *arena, size_t bytes, const uint32_t **end);

/** Logits of one sample, until the next call. */
const float *fp32Forward(Fp32Net *net, const float *x);

/** The class of the largest logit; the first one wins a tie. */
uint32_t fp32Classify(Fp32Net *net, const float *x);

/** One step of SGD; returns the loss before it, in nats. */
float fp32Step(Fp32Net *net, const float *x, uint32_t label, float rate);

#endif
