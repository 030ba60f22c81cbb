// Intrinsic 14: the fused learning step of a layer with weights: gradient (3), weight update (7), bias update (13), a few
// output channels at a time as the workspace allows. The same bits as the parts, one by one.
import { BAD_QUANT, SCRATCH_SMALL } from "../device/errors";
import { fail } from "../device/host";
import * as check from "./check";
import { conv2dGradWeight } from "./conv2d-grad-weight";
import { sgdUpdate32 } from "./requantize32";
import { sgdUpdate } from "./sgd-update";
import { TENSOR_C } from "./structs";

const FN: i32 = 14;

/**
 * @param scratch, conv, quant, xT, x, eT, e as in conv2dGradWeight
 * @param workspace int32, 4-aligned, @param elements how many it holds: at least kernelH·kernelW·c/groups + 1
 * @param weightQuant as in sgdUpdate, or 0: weights stay as they are; @param w16, w8 the layer's masters and weights
 * @param biasQuant as in sgdUpdate32, or 0: biases stay as they are; @param bias int32 per output channel
 * @returns how many masters were clamped
 *
 * Draws: weight i of the layer uses draw i of weightQuant's key, bias o draw o of biasQuant's. The parts check their
 * arguments under their own numbers.
 */
export function conv2dLearn(
  scratch: usize,
  conv: usize,
  quant: usize,
  xT: usize,
  x: usize,
  eT: usize,
  e: usize,
  workspace: usize,
  elements: i32,
  weightQuant: usize,
  w16: usize,
  w8: usize,
  biasQuant: usize,
  bias: usize,
): i32 {
  check.start(FN);
  check.convStruct(conv);
  check.tensorStruct(xT);
  check.tensorStruct(eT);
  check.tensorShape(xT);
  check.tensorShape(eT);
  check.convShape(conv, xT, eT);
  if (!weightQuant && !biasQuant) fail(BAD_QUANT, FN, 0, 1);
  const fanIn = <i32>min(check.kernelSize(conv, xT), <i64>check.MAX_COUNT);
  if (elements <= fanIn) fail(SCRATCH_SMALL, FN, elements, fanIn + 1);
  const channels = load<i32>(eT, TENSOR_C);
  const atOnce = elements / (fanIn + 1);
  let clamped = 0;
  for (let c0 = 0; c0 < channels; c0 += atOnce) {
    const c1 = min(c0 + atOnce, channels);
    const n = (c1 - c0) * fanIn;
    const first = c0 * fanIn;
    const db = workspace + ((<usize>n) << 2);
    conv2dGradWeight(scratch, conv, quant, xT, x, eT, e, c0, c1, workspace, db);
    if (biasQuant) sgdUpdate32(biasQuant, db, c1 - c0, c0, bias + ((<usize>c0) << 2));
    if (weightQuant) {
      clamped += sgdUpdate(weightQuant, workspace, n, first, w16 + ((<usize>first) << 1), w8 + <usize>first);
    }
  }
  return clamped;
}
