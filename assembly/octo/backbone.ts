// A fixed INT8 network below the layers that learn: what `octomote import` makes of a model that was trained elsewhere. It is described
// as networks of PASS are (docs/pass.md), and may branch. Buffers are shared by outputs that are not needed at the same time.
import { allocate } from "../device/arena";
import { crc32c } from "../device/crc32c";
import { LAYER_SHAPE, NET_FORMAT } from "../device/errors";
import * as int8 from "../int8/intrinsics";
import * as residual from "../int8/intrinsics-residual";
import {
  QUANT_BYTES,
  QUANT_CHANNELS,
  QUANT_HI,
  QUANT_INPUT_ZERO,
  QUANT_LO,
  QUANT_MULTIPLIER,
  QUANT_SHIFT,
  scratchNeed,
  TENSOR_BYTES,
} from "../int8/structs";
import { allowGraphs, Network } from "../pass/network";
import { ADD, AVERAGE_POOL, CONV2D, NO_FLOOR, NONE as END, Stage } from "../pass/stage";
import * as checkpoint from "./checkpoint";
import { BACKBONE, create, Layer } from "./layer";
import { scaleOf } from "./scale";
import * as work from "./workspace";

/** Most outputs that are needed at the same time. */
const MAX_SLOTS: i32 = 8;
const PLACES: usize = 32;
/** Bytes of each buffer, then where it lies. */
let slots: usize = 0;
/** Quantisation struct of the second summand. */
let second: usize = 0;

/** Its output: int8 with zero point 0; one unit counts as 1/128, as in a frame, whatever it was in the model. */
export class Backbone extends Layer {
  /** Address of the description. */
  net: usize;
  private first: Stage;
  private end: Stage;

  /** Errors: LAYER_SHAPE, NET_FORMAT */
  place(input: Layer): void {
    const at = this.net;
    slots = allocate(PLACES << 1);
    second = allocate(QUANT_BYTES);
    const network = new Network(at);
    const frame = network.input;
    this.first = frame;
    const end = network.last;
    this.end = end;
    if (frame.h != input.h || frame.w != input.w || frame.c != input.c) {
      this.refuse(LAYER_SHAPE, frame.size, input.size);
    }
    for (let stage = frame.next; stage != END; stage = stage.next) {
      if (stage.kind == CONV2D) {
        const fanIn = stage.kernelH * stage.kernelW * (stage.previous.c / stage.groups);
        work.needScratch(<i32>scratchNeed(fanIn));
      }
      stage.slot = this.free(stage);
      const slot = slots + ((<usize>stage.slot) << 2);
      store<i32>(slot, max(load<i32>(slot), stage.size));
    }
    for (let slot: usize = 0; slot < PLACES; slot += 4) {
      const bytes = load<i32>(slots + slot);
      if (bytes) store<i32>(slots + slot, <i32>allocate(bytes), PLACES);
    }
    for (let stage = frame.next; stage != END; stage = stage.next) {
      stage.data = <usize>load<i32>(slots + ((<usize>stage.slot) << 2), PLACES);
    }
    this.bytes = TENSOR_BYTES;
    this.h = end.h;
    this.w = end.w;
    this.c = end.c;
    this.pitch = end.pitch;
    this.data = end.data;
    this.scale = scaleOf(1, -7);
    // what is learned above it means nothing above another one
    checkpoint.describe(crc32c(at, load<i32>(at, 8)), BACKBONE, 0, 0);
  }

  /** A buffer that nobody needs while this stage is computed, or later. */
  private free(stage: Stage): i32 {
    let slot = 0;
    for (let before = this.first.next; before != stage; before = before.next) {
      if (before.slot != slot || !neededFrom(stage, before)) continue;
      if (++slot == MAX_SLOTS) this.refuse(NET_FORMAT, slot, MAX_SLOTS - 1);
      // from the start: an earlier one may lie there
      before = this.first;
    }
    return slot;
  }

  forward(input: Layer): void {
    this.first.data = input.data;
    for (let stage = this.first.next; stage != END; stage = stage.next) run(stage);
  }
}

/** Whether a stage, or one behind it, takes an output. */
function neededFrom(stage: Stage, output: Stage): bool {
  for (; stage != END; stage = stage.next) if (stage.previous == output || stage.other == output) return true;
  return false;
}

function run(stage: Stage): void {
  const before = stage.previous;
  const xT = changetype<usize>(before);
  const yT = changetype<usize>(stage);
  const conv = stage.conv;
  if (stage.kind == CONV2D) {
    int8.conv2d(work.SCRATCH, conv, stage.quant, xT, before.data, stage.weights, stage.bias, yT, stage.data);
  } else if (stage.kind == AVERAGE_POOL) {
    residual.averagePool2d(conv, stage.quant, xT, before.data, yT, stage.data);
  } else if (stage.kind == ADD) {
    store<i32>(second, QUANT_BYTES);
    store<i32>(second, <i32>stage.weights, QUANT_INPUT_ZERO);
    store<i32>(second, -128, QUANT_LO);
    store<i32>(second, 127, QUANT_HI);
    store<usize>(second, stage.multiplier + 4, QUANT_MULTIPLIER);
    store<usize>(second, stage.shift + 4, QUANT_SHIFT);
    store<i32>(second, 1, QUANT_CHANNELS);
    residual.add(stage.quant, before.data, second, stage.other.data, stage.size, 0, stage.data);
  } else {
    int8.maxPool2d(conv, xT, before.data, yT, stage.data);
    if (stage.floor != NO_FLOOR) int8.relu(stage.data, stage.size, stage.floor, stage.data);
  }
}

/** A network that is described at `net` (docs/models.md), as a layer that does not learn. */
export function backbone(net: usize): Layer {
  allowGraphs();
  const layer = create<Backbone>();
  layer.kind = BACKBONE;
  layer.net = net;
  return layer;
}
