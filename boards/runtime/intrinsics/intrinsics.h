// The intrinsics (docs/abi.md): hot operations of the size of a layer, bit for bit those of assembly/int8, which is the
// reference. Arguments are offsets into linear memory and numbers, in the order of the
// imports; shapes, ranges and layouts are told there. Each checks everything before it writes anything, and returns
// the first error with its numbers in `fault`; conv2dLearn is made of others, which do so for each group of channels.
#ifndef OM_INTRINSICS_H
#define OM_INTRINSICS_H

#include "../errors.h"
#include "../linear.h"

/** Numbers of the intrinsics: `where` of their errors. */
enum {
  FN_CONV2D = 1,
  FN_CONV2D_GRAD_INPUT,
  FN_CONV2D_GRAD_WEIGHT,
  FN_ABS_MAX_S8,
  FN_ABS_MAX_S32,
  FN_REQUANTIZE,
  FN_SGD_UPDATE,
  FN_MAX_POOL2D,
  FN_MAX_POOL2D_GRAD,
  FN_RELU,
  FN_RELU_GRAD,
  FN_REQUANTIZE32,
  FN_SGD_UPDATE32,
  FN_CONV2D_LEARN,
  FN_DRAW_MASTERS,
  FN_WEIGHTS_OF,
  FN_SOFTMAX_CROSS_ENTROPY,
  FN_AVERAGE_POOL2D,
  FN_AVERAGE_POOL2D_GRAD,
  FN_ADD,
  FN_ADD_GRAD,
  FN_RESCALE
};

MUST_CHECK Error conv2d(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT,
                        uint32_t x, uint32_t w, uint32_t bias, uint32_t yT, uint32_t y, Fault *fault);

MUST_CHECK Error conv2dGradInput(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t eT,
                                 uint32_t e, uint32_t w, uint32_t dxT, uint32_t dx, Fault *fault);

MUST_CHECK Error conv2dGradWeight(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant,
                                  uint32_t xT, uint32_t x, uint32_t eT, uint32_t e, int32_t c0, int32_t c1,
                                  uint32_t dw, uint32_t db, Fault *fault);

MUST_CHECK Error absMaxS8(const Linear *memory, uint32_t x, int32_t n, int32_t *result, Fault *fault);

MUST_CHECK Error absMaxS32(const Linear *memory, uint32_t x, int32_t n, int32_t *result, Fault *fault);

MUST_CHECK Error requantize(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first,
                            uint32_t y, Fault *fault);

MUST_CHECK Error sgdUpdate(const Linear *memory, uint32_t quant, uint32_t dw, int32_t n, uint32_t first,
                           uint32_t w16, uint32_t w8, int32_t *result, Fault *fault);

MUST_CHECK Error maxPool2d(const Linear *memory, uint32_t conv, uint32_t xT, uint32_t x, uint32_t yT,
                           uint32_t y, Fault *fault);

MUST_CHECK Error maxPool2dGrad(const Linear *memory, uint32_t conv, uint32_t xT, uint32_t x, uint32_t eT,
                               uint32_t e, uint32_t dxT, uint32_t dx, Fault *fault);

MUST_CHECK Error relu(const Linear *memory, uint32_t x, int32_t n, int32_t zero, uint32_t y, Fault *fault);

MUST_CHECK Error reluGrad(const Linear *memory, uint32_t y, int32_t n, int32_t zero, uint32_t e,
                          Fault *fault);

MUST_CHECK Error requantize32(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first,
                              uint32_t y, Fault *fault);

MUST_CHECK Error sgdUpdate32(const Linear *memory, uint32_t quant, uint32_t x, int32_t n, uint32_t first,
                             uint32_t y, Fault *fault);

MUST_CHECK Error conv2dLearn(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant,
                             uint32_t xT, uint32_t x, uint32_t eT, uint32_t e, uint32_t workspace,
                             int32_t elements, uint32_t weightQuant, uint32_t w16, uint32_t w8,
                             uint32_t biasQuant, uint32_t bias, int32_t *result, Fault *fault);

MUST_CHECK Error drawMasters(const Linear *memory, uint32_t key, int32_t bound, int32_t shift, int32_t n,
                             uint32_t w16, Fault *fault);

MUST_CHECK Error weightsOf(const Linear *memory, uint32_t w16, int32_t n, int32_t halve, uint32_t w8,
                           Fault *fault);

MUST_CHECK Error softmaxCrossEntropy(const Linear *memory, uint32_t quant, uint32_t logits, int32_t n,
                                     int32_t label, uint32_t errors, int32_t *result, Fault *fault);

MUST_CHECK Error averagePool2d(const Linear *memory, uint32_t conv, uint32_t quant, uint32_t xT, uint32_t x,
                               uint32_t yT, uint32_t y, Fault *fault);

MUST_CHECK Error averagePool2dGrad(const Linear *memory, uint32_t conv, uint32_t eT, uint32_t e, uint32_t dxT,
                                   uint32_t dx, Fault *fault);

MUST_CHECK Error add(const Linear *memory, uint32_t quantA, uint32_t a, uint32_t quantB, uint32_t b,
                     int32_t n, uint32_t first, uint32_t y, Fault *fault);

MUST_CHECK Error addGrad(const Linear *memory, uint32_t quant, uint32_t e, int32_t n, uint32_t first,
                         uint32_t y, Fault *fault);

MUST_CHECK Error rescale(const Linear *memory, uint32_t quant, uint32_t xT, uint32_t x, uint32_t yT,
                         uint32_t y, int32_t c0, Fault *fault);

// `octo_pass_1`: assembly/pass is the reference.

enum { FN_PATCH_STATS = 96, FN_MERGE };

MUST_CHECK Error patchStats(const Linear *memory, uint32_t xT, uint32_t x, uint32_t reference, int32_t patch,
                            int32_t row, uint32_t stats, Fault *fault);

MUST_CHECK Error merge(const Linear *memory, uint32_t window, int32_t tau, uint32_t yT, uint32_t fresh,
                       uint32_t cache, uint32_t changed, uint32_t spread, int32_t *result, Fault *fault);

// `octo_sgq_1`: assembly/sgq is the reference.

enum { FN_SGQ_QUANTIZE = 64, FN_SGQ_ENCODE, FN_SGQ_MIX, FN_SGQ_CRC16 };

MUST_CHECK Error sgqQuantize(const Linear *memory, uint32_t job, uint32_t xT, uint32_t x, Fault *fault);

MUST_CHECK Error sgqEncode(const Linear *memory, uint32_t job, int32_t *result, Fault *fault);

MUST_CHECK Error sgqMix(const Linear *memory, uint32_t xT, uint32_t x, uint32_t weights, int32_t group,
                        uint32_t s, Fault *fault);

MUST_CHECK Error sgqCrc16(const Linear *memory, uint32_t at, int32_t n, int32_t crc, int32_t *result,
                          Fault *fault);

#endif
