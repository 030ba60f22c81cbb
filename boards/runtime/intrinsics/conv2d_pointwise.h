// The path of intrinsic 1 for 1×1 convolutions over more than one position: inputs are met where they lie, without a patch.
#ifndef OM_CONV2D_POINTWISE_H
#define OM_CONV2D_POINTWISE_H

#include "window.h"

/** A 1×1 kernel that never meets padding, over at least two neighbouring positions. */
bool isPointwise(const Window *v);

/** Arguments are those of the intrinsic, checked already; the bits are the general path's. */
void pointwiseConv2d(const Linear *memory, const Window *v, uint32_t scratch, uint32_t quant, uint32_t x,
                     uint32_t w, uint32_t bias, uint32_t yT, uint32_t y);

#endif
