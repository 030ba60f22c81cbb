#include "fp32/fp32.h"

#include <math.h>
#include <string.h>

static size_t outputs(const Fp32Plan *plan) { return (size_t)plan->outH * plan->outW * plan->outC; }
static size_t fanIn(const Fp32Plan *plan) { return (size_t)plan->kernel * plan->kernel * plan->c; }
static size_t weights(const Fp32Plan *plan) { return plan->outC * fanIn(plan); }
/** One position, and nothing else than a product: no gradient needs to be kept. */
static bool dense(const Fp32Plan *plan) { return plan->h == 1 && plan->w == 1 && plan->kernel == 1; }

typedef struct Arena {
  char *at;
  size_t left, used;
} Arena;

static void *take(Arena *arena, size_t count) {
  size_t bytes = count * 4;
  if (bytes > arena->left) return NULL;
  void *at = arena->at;
  memset(at, 0, bytes);
  arena->at += bytes, arena->left -= bytes, arena->used += bytes;
  return at;
}

bool fp32Open(Fp32Net *net, const uint32_t *words, void *memory, size_t bytes, const uint32_t **end) {
  Arena arena = {memory, bytes, 0};
  memset(net, 0, sizeof *net);
  net->layers = *words++;
  if (net->layers == 0 || net->layers > FP32_MAX_LAYERS) return false;
  const Fp32Plan *plans = (const Fp32Plan *)words;
  words = (const uint32_t *)(plans + net->layers);
  net->lowest = net->layers;
  size_t most = 0;
  for (uint32_t i = 0; i < net->layers; i++) {
    Fp32Layer *layer = &net->layer[i];
    const Fp32Plan *plan = layer->plan = &plans[i];
    size_t n = outputs(plan);
    if (plan->kind == FP32_RELU && i > 0) {
      layer->output = net->layer[i - 1].output;
      layer->error = net->layer[i - 1].error;
    } else {
      layer->output = take(&arena, n);
      layer->error = take(&arena, n);
    }
    if (layer->output == NULL || layer->error == NULL) return false;
    if (plan->kind == FP32_MAX_POOL && (layer->origin = take(&arena, n)) == NULL) return false;
    if (plan->kind != FP32_CONV2D) continue;
    if (net->lowest == net->layers) net->lowest = i;
    size_t count = weights(plan);
    if (!dense(plan) && count > most) most = count;
    layer->weights = take(&arena, count + plan->outC);
    if (layer->weights == NULL) return false;
    layer->bias = layer->weights + count;
    memcpy(layer->weights, words, (count + plan->outC) * 4);
    words += count + plan->outC;
  }
  net->gradient = take(&arena, most);
  net->bytes = arena.used;
  if (end != NULL) *end = words;
  return net->gradient != NULL || most == 0;
}

/** The part of a window that lies within the input: rows y0 … y1, and bytes of a row. */
typedef struct Part {
  uint32_t y0, y1, run;
  /** Offset of its first element in the input, and in a filter. */
  size_t input, filter;
} Part;

static Part partOf(const Fp32Plan *plan, uint32_t oy, uint32_t ox) {
  int32_t y = (int32_t)(oy * plan->stride) - (int32_t)plan->top;
  int32_t x = (int32_t)(ox * plan->stride) - (int32_t)plan->left;
  int32_t y0 = y < 0 ? -y : 0, x0 = x < 0 ? -x : 0;
  int32_t y1 = (int32_t)plan->h - y, x1 = (int32_t)plan->w - x, k = (int32_t)plan->kernel;
  if (y1 > k) y1 = k;
  if (x1 > k) x1 = k;
  return (Part){(uint32_t)y0, (uint32_t)y1, (uint32_t)(x1 - x0) * plan->c,
                ((size_t)(y + y0) * plan->w + (size_t)(x + x0)) * plan->c,
                ((size_t)y0 * plan->kernel + (size_t)x0) * plan->c};
}

static void convolve(const Fp32Layer *layer, const float *restrict x) {
  const Fp32Plan *plan = layer->plan;
  size_t fan = fanIn(plan), pitch = (size_t)plan->w * plan->c, row = (size_t)plan->kernel * plan->c;
  float *to = layer->output;
  for (uint32_t oy = 0; oy < plan->outH; oy++) {
    for (uint32_t ox = 0; ox < plan->outW; ox++) {
      Part part = partOf(plan, oy, ox);
      uint32_t o = 0;
      // four filters share each input
      for (; o + 4 <= plan->outC; o += 4) {
        float a0 = layer->bias[o], a1 = layer->bias[o + 1], a2 = layer->bias[o + 2], a3 = layer->bias[o + 3];
        const float *in = x + part.input, *w = layer->weights + o * fan + part.filter;
        for (uint32_t ky = part.y0; ky < part.y1; ky++, in += pitch, w += row) {
          const float *w1 = w + fan, *w2 = w1 + fan, *w3 = w2 + fan;
          for (uint32_t i = 0; i < part.run; i++) {
            float v = in[i];
            a0 += v * w[i], a1 += v * w1[i], a2 += v * w2[i], a3 += v * w3[i];
          }
        }
        to[0] = a0, to[1] = a1, to[2] = a2, to[3] = a3;
        to += 4;
      }
      for (; o < plan->outC; o++) {
        float a = layer->bias[o];
        const float *in = x + part.input, *w = layer->weights + o * fan + part.filter;
        for (uint32_t ky = part.y0; ky < part.y1; ky++, in += pitch, w += row)
          for (uint32_t i = 0; i < part.run; i++) a += in[i] * w[i];
        *to++ = a;
      }
    }
  }
}

static void pool(const Fp32Layer *layer, const float *restrict x) {
  const Fp32Plan *plan = layer->plan;
  size_t at = 0;
  for (uint32_t oy = 0; oy < plan->outH; oy++) {
    for (uint32_t ox = 0; ox < plan->outW; ox++) {
      for (uint32_t c = 0; c < plan->c; c++, at++) {
        size_t best = ((size_t)(oy * plan->stride) * plan->w + ox * plan->stride) * plan->c + c,
               corner = best;
        for (uint32_t ky = 0; ky < plan->kernel; ky++) {
          for (uint32_t kx = 0; kx < plan->kernel; kx++) {
            size_t from = corner + ((size_t)ky * plan->w + kx) * plan->c;
            if (x[from] > x[best]) best = from;
          }
        }
        layer->output[at] = x[best];
        layer->origin[at] = (uint32_t)best;
      }
    }
  }
}

const float *fp32Forward(Fp32Net *net, const float *x) {
  for (uint32_t i = 0; i < net->layers; i++) {
    const Fp32Layer *layer = &net->layer[i];
    const Fp32Plan *plan = layer->plan;
    size_t n = outputs(plan);
    if (plan->kind == FP32_CONV2D) convolve(layer, x);
    if (plan->kind == FP32_MAX_POOL) pool(layer, x);
    if (plan->kind == FP32_RELU)
      for (size_t k = 0; k < n; k++) layer->output[k] = x[k] > 0 ? x[k] : 0;
    if (plan->kind == FP32_RESIDUAL) {
      const float *other = net->layer[plan->from].output;
      for (size_t k = 0; k < n; k++) layer->output[k] = x[k] + other[k];
    }
    x = layer->output;
  }
  return x;
}

/** Errors to the layer below (`below`; none: NULL), then a step of the layer itself. */
static void learnDense(const Fp32Layer *layer, const float *restrict x, float *restrict below, float rate) {
  const Fp32Plan *plan = layer->plan;
  if (below != NULL) memset(below, 0, plan->c * sizeof *below);
  for (uint32_t o = 0; o < plan->outC; o++) {
    float e = layer->error[o], step = rate * e;
    if (e == 0) continue;
    float *restrict w = layer->weights + (size_t)o * plan->c;
    if (below != NULL)
      for (uint32_t i = 0; i < plan->c; i++) below[i] += e * w[i];
    for (uint32_t i = 0; i < plan->c; i++) w[i] -= step * x[i];
    layer->bias[o] -= step;
  }
}

static void learnConvolution(const Fp32Layer *layer, const float *restrict x, float *restrict below,
                             float rate, float *restrict gradient) {
  const Fp32Plan *plan = layer->plan;
  size_t fan = fanIn(plan), count = weights(plan);
  size_t pitch = (size_t)plan->w * plan->c, row = (size_t)plan->kernel * plan->c;
  memset(gradient, 0, count * sizeof *gradient);
  if (below != NULL) memset(below, 0, plan->h * pitch * sizeof *below);
  const float *error = layer->error;
  for (uint32_t oy = 0; oy < plan->outH; oy++) {
    for (uint32_t ox = 0; ox < plan->outW; ox++) {
      Part part = partOf(plan, oy, ox);
      for (uint32_t o = 0; o < plan->outC; o++) {
        float e = *error++;
        // below a max pool three errors of four are zero
        if (e == 0) continue;
        size_t in = part.input, w = o * fan + part.filter;
        for (uint32_t ky = part.y0; ky < part.y1; ky++, in += pitch, w += row) {
          for (uint32_t i = 0; i < part.run; i++) gradient[w + i] += e * x[in + i];
          if (below == NULL) continue;
          for (uint32_t i = 0; i < part.run; i++) below[in + i] += e * layer->weights[w + i];
        }
      }
    }
  }
  for (size_t k = 0; k < count; k++) layer->weights[k] -= rate * gradient[k];
  // the bias learns by the sum of its errors, in the order of bench/fp32
  for (uint32_t o = 0; o < plan->outC; o++) {
    float sum = 0;
    for (size_t at = o; at < outputs(plan); at += plan->outC) sum += layer->error[at];
    layer->bias[o] -= rate * sum;
  }
}

static float crossEntropy(const Fp32Layer *last, uint32_t label) {
  size_t classes = outputs(last->plan);
  const float *logits = last->output;
  float most = logits[0], sum = 0;
  for (size_t i = 1; i < classes; i++)
    if (logits[i] > most) most = logits[i];
  for (size_t i = 0; i < classes; i++) sum += last->error[i] = expf(logits[i] - most);
  for (size_t i = 0; i < classes; i++) last->error[i] = last->error[i] / sum - (i == label ? 1 : 0);
  return logf(sum) - (logits[label] - most);
}

float fp32Step(Fp32Net *net, const float *x, uint32_t label, float rate) {
  fp32Forward(net, x);
  float loss = crossEntropy(&net->layer[net->layers - 1], label);
  for (uint32_t i = net->layers; i-- > net->lowest;) {
    const Fp32Layer *layer = &net->layer[i];
    const Fp32Plan *plan = layer->plan;
    size_t n = outputs(plan);
    // an output that is added further up has its share of that error
    for (uint32_t j = i + 1; j < net->layers; j++) {
      if (net->layer[j].plan->kind != FP32_RESIDUAL || net->layer[j].plan->from != i) continue;
      for (size_t k = 0; k < n; k++) layer->error[k] += net->layer[j].error[k];
    }
    const float *in = i > 0 ? net->layer[i - 1].output : x;
    float *below = i > net->lowest ? net->layer[i - 1].error : NULL;
    if (plan->kind == FP32_CONV2D) {
      if (dense(plan))
        learnDense(layer, in, below, rate);
      else
        learnConvolution(layer, in, below, rate, net->gradient);
    }
    if (plan->kind == FP32_RELU)
      for (size_t k = 0; k < n; k++)
        if (!(layer->output[k] > 0)) layer->error[k] = 0;
    if (plan->kind == FP32_MAX_POOL && below != NULL) {
      memset(below, 0, (size_t)plan->h * plan->w * plan->c * sizeof *below);
      for (size_t k = 0; k < n; k++) below[layer->origin[k]] += layer->error[k];
    }
    if (plan->kind == FP32_RESIDUAL) memcpy(below, layer->error, n * sizeof *below);
  }
  return loss;
}

uint32_t fp32Classify(Fp32Net *net, const float *x) {
  const float *logits = fp32Forward(net, x);
  uint32_t best = 0;
  for (uint32_t i = 1; i < outputs(net->layer[net->layers - 1].plan); i++)
    if (logits[i] > logits[best]) best = i;
  return best;
}
