// The paths of intrinsics 1–3 for depthwise convolutions, whose groups have one input channel each: the general path would
// gather a patch per channel. Arguments are those of the intrinsics, checked already; the bits are the general path's.
#ifndef OM_CONV2D_DEPTHWISE_H
#define OM_CONV2D_DEPTHWISE_H

#include "window.h"

/** One group is no reason: its output channels share a patch. */
static inline bool isDepthwise(const Window *v) { return v->perGroup == 1 && v->groups > 1; }

void depthwiseConv2d(const Linear *memory, const Window *v, uint32_t scratch, uint32_t quant, uint32_t x,
                     uint32_t w, uint32_t bias, uint32_t yT, uint32_t y);

/** dx is zero already. */
void depthwiseGradInput(const Linear *memory, const Window *v, uint32_t eT, uint32_t e, uint32_t w,
                        uint32_t dx);

/** dw and db are zero already. */
void depthwiseGradWeight(const Linear *memory, const Window *v, int32_t zero, uint32_t x, uint32_t eT,
                         uint32_t e, int32_t c0, int32_t c1, uint32_t dw, uint32_t db);

#endif
