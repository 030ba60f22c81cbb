// Intrinsic 14: the fused learning step of a layer with weights: gradient (3), bias update (13), weight update (7), a
// few output channels at a time as the workspace allows. The same bits as the parts, one by one.
#include "check.h"
#include "intrinsics.h"

Error conv2dLearn(const Linear *memory, uint32_t scratch, uint32_t conv, uint32_t quant, uint32_t xT,
                  uint32_t x, uint32_t eT, uint32_t e, uint32_t workspace, int32_t elements,
                  uint32_t weightQuant, uint32_t w16, uint32_t w8, uint32_t biasQuant, uint32_t bias,
                  int32_t *result, Fault *fault) {
  Check check = checkStart(memory, FN_CONV2D_LEARN, fault);
  checkConvStruct(&check, conv);
  checkTensorStruct(&check, xT);
  checkTensorStruct(&check, eT);
  checkTensorShape(&check, xT);
  checkTensorShape(&check, eT);
  checkConvShape(&check, conv, xT, eT);
  if (weightQuant == 0 && biasQuant == 0) checkWithin(&check, OM_BAD_QUANTISATION, 0, 1, 1);
  int64_t kernel = kernelSize(&check, conv, xT);
  int32_t fanIn = kernel < MAX_COUNT ? (int32_t)kernel : MAX_COUNT;
  checkWithin(&check, OM_SCRATCH_SMALL, elements, fanIn + 1, INT32_MAX);
  if (check.error != OM_OK) return check.error;

  int32_t channels = loadI32(memory, eT + TENSOR_C);
  int32_t atOnce = elements / (fanIn + 1);
  int32_t clamped = 0;
  for (int32_t c0 = 0; c0 < channels; c0 += atOnce) {
    int32_t c1 = atOnce < channels - c0 ? c0 + atOnce : channels;
    // offsets wrap like those of the module; the parts check what they point at
    uint32_t n = (uint32_t)(c1 - c0) * (uint32_t)fanIn;
    uint32_t first = (uint32_t)c0 * (uint32_t)fanIn;
    uint32_t db = workspace + n * 4;
    Error error = conv2dGradWeight(memory, scratch, conv, quant, xT, x, eT, e, c0, c1, workspace, db, fault);
    if (error == OM_OK && biasQuant != 0) {
      error = sgdUpdate32(memory, biasQuant, db, c1 - c0, (uint32_t)c0, bias + (uint32_t)c0 * 4, fault);
    }
    int32_t count = 0;
    if (error == OM_OK && weightQuant != 0) {
      error = sgdUpdate(memory, weightQuant, workspace, (int32_t)n, first, w16 + first * 2, w8 + first,
                        &count, fault);
    }
    if (error != OM_OK) return error;
    clamped += count;
  }
  *result = clamped;
  return OM_OK;
}
