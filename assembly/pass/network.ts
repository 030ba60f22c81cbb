// Reads the description of a network (docs/pass.md, "Describing a network") in place: weights and tables stay where they are.
import { LAYER_SHAPE, NET_FORMAT } from "../device/errors";
import { fail } from "../device/host";
import { MAX_CONV, MAX_DIM, mostProducts } from "../int8/check";
import { CONV_BYTES, QUANT_BYTES, TENSOR_BYTES } from "../int8/structs";
import { ADD, AVERAGE_POOL, CONV2D, createStage, MAX_POOL, NO_FLOOR, NONE, RELU, Stage } from "./stage";

const MAGIC: i32 = 0x544e504f;
const VERSION: i32 = 1;
const HEADER: i32 = 32;
const RECORD: i32 = 96;
/** Most layers, and the most that a frame may have multiplications: counters are i32. */
const MAX_LAYERS: i32 = 64;
/** Largest τ, Q8. */
const MAX_TAU: i32 = 127 << 8;

/** Words of the header and of a record. */
const LENGTH: usize = 8;
const SHAPE: usize = 12;
const LAYERS: usize = 24;
const FILTERS: usize = 4;
const KERNEL: usize = 8;
const GROUPS: usize = 48;
const TAU: usize = 52;
const QUANT: usize = 56;
const MULTIPLIER: usize = 72;
const SHIFT: usize = 76;
const CHANNELS: usize = 80;
const WEIGHTS: usize = 84;
const BIAS: usize = 88;
const STORE: usize = 92;

/** Whether layers may take the output of any layer before them. One that is never set leaves nothing of it in a module. */
let graphs: bool = false;

export function allowGraphs(): void {
  graphs = true;
}

@unmanaged
export class Network {
  /** The input, and the layer whose output is the network's. */
  input: Stage;
  last: Stage;
  layers: i32;

  /**
   * @param net address of the description, 4-aligned. Errors: NET_FORMAT, LAYER_SHAPE
   */
  constructor(net: usize) {
    header(0, load<i32>(net), MAGIC);
    header(1, load<i32>(net, 4), VERSION);
    const layers = load<i32>(net, LAYERS);
    if (layers < 1 || layers > MAX_LAYERS) fail(NET_FORMAT, -1 << 8, layers, MAX_LAYERS);
    const input = createStage();
    memory.copy(changetype<usize>(input) + offsetof<Stage>("h"), net + SHAPE, 12);
    input.bytes = TENSOR_BYTES;
    input.index = -1;
    input.fix();
    input.floor = NO_FLOOR;
    dimension(input, input.h);
    dimension(input, input.w);
    dimension(input, input.c);
    this.input = input;
    this.layers = layers;
    let last = input;
    for (let i = 0; i < layers; ++i) {
      const record = net + HEADER + <usize>(i * RECORD);
      const kind = load<i32>(record);
      if (kind == RELU && last.index >= 0) {
        rectify(last, load<i32>(record + QUANT, 4));
        continue;
      }
      last = read(net, record, i, last, input);
    }
    if (last == input) fail(NET_FORMAT, -1 << 8, 0, 1);
    this.last = last;
  }

  /** The same, of a layer whose output is wanted: it is cached, and lies at `data`. Before `new Pass`. */
  keep(i: i32): Stage {
    const stage = this.stage(i);
    stage.store = 1;
    return stage;
  }

  /** The stage that makes the output of layer i: a relu's is that of the layer before it. */
  stage(i: i32): Stage {
    let stage = this.input;
    while (stage.next != NONE && stage.next.index <= i) stage = stage.next;
    return stage;
  }
}

function header(word: i32, got: i32, want: i32): void {
  if (got != want) fail(NET_FORMAT, -1 << 8, got, want);
}

function dimension(stage: Stage, n: i32): void {
  if (n < 1 || n > MAX_DIM) stage.refuse(LAYER_SHAPE, n, MAX_DIM);
}

/** A relu joins the stage before it: clamp(q, lo, hi) at `zero` is a clamp from max(lo, zero). */
function rectify(stage: Stage, zero: i32): void {
  if (zero < -128 || zero > 127) stage.refuse(NET_FORMAT, zero, 0);
  stage.lo = min(max(stage.lo, zero), stage.hi);
  stage.floor = max(stage.floor, zero);
}

/** An offset of the description, 4-aligned, with `bytes` behind it. */
function array(net: usize, stage: Stage, offset: i32, bytes: i64): usize {
  const length = load<i32>(net, LENGTH);
  if (offset & 3 || offset < HEADER || <i64>offset + bytes > <i64>length)
    stage.refuse(NET_FORMAT, offset, length);
  return net + <usize>offset;
}

/** The stage that a byte of the record names: 0 the one before, 255 the input, else 1 + the layer's position. */
function sourceOf(stage: Stage, name: i32, before: Stage, input: Stage): Stage {
  if (!name) return before;
  if (name == 255) return input;
  for (let it = input.next; it != stage; it = it.next) if (it.index == name - 1) return it;
  stage.refuse(NET_FORMAT, name, stage.index);
  return before;
}

function read(net: usize, record: usize, index: i32, before: Stage, input: Stage): Stage {
  const stage = createStage();
  const kind = load<i32>(record);
  stage.kind = kind;
  stage.index = index;
  before.next = stage;
  let previous = before;
  stage.store = load<i32>(record, STORE);
  if (graphs) {
    previous = sourceOf(stage, (stage.store >> 8) & 255, before, input);
    if (kind == ADD) stage.other = sourceOf(stage, (stage.store >> 16) & 255, before, input);
    stage.store &= 0xff0000ff;
  }
  stage.previous = previous;
  stage.bytes = TENSOR_BYTES;
  stage.convBytes = CONV_BYTES;
  stage.quantBytes = QUANT_BYTES;
  stage.floor = NO_FLOOR;
  const conv = stage.conv + 4;
  memory.copy(conv, record + KERNEL, <usize>(GROUPS - KERNEL + 4));
  // kernel, stride, dilation: 1 …; padding: 0 …
  for (let i: usize = 0; i < 40; i += 4) {
    const value = load<i32>(conv + i);
    const least = i < 24 ? 1 : 0;
    if (value < least || value > MAX_CONV) stage.refuse(NET_FORMAT, value, least);
  }
  stage.tau = load<i32>(record, TAU);
  if (stage.tau < -1 || stage.tau > MAX_TAU) stage.refuse(NET_FORMAT, stage.tau, MAX_TAU);
  if (<u32>stage.store > 2) stage.refuse(NET_FORMAT, stage.store, 0);
  const c = previous.c;
  const groups = stage.groups;
  stage.c = kind == CONV2D ? load<i32>(record, FILTERS) : c;
  dimension(stage, stage.c);
  if (groups < 1 || c % groups || stage.c % groups) stage.refuse(LAYER_SHAPE, groups, c);
  stage.slide();
  stage.y1 = stage.h;
  stage.x1 = stage.w;
  const perOutput = <i64>(stage.kernelH * stage.kernelW) * (c / groups);
  if (kind == MAX_POOL || kind == RELU) {
    stage.lo = -128;
    stage.hi = 127;
    stage.groups = 1;
    if (kind == RELU) rectify(stage, load<i32>(record + QUANT, 4));
    return stage;
  }
  if (graphs && (kind == AVERAGE_POOL || kind == ADD)) return combine(net, record, stage);
  if (kind != CONV2D) stage.refuse(NET_FORMAT, kind, CONV2D);
  const most = mostProducts(load<i32>(record + QUANT));
  if (perOutput > <i64>most) stage.refuse(NET_FORMAT, <i32>min<i64>(perOutput, i32.MAX_VALUE), most);
  memory.copy(stage.quant + 4, record + QUANT, 16);
  const tables = load<i32>(record, CHANNELS);
  if (tables != 1 && tables != stage.c) stage.refuse(NET_FORMAT, tables, stage.c);
  stage.channels = tables;
  stage.multiplier = array(net, stage, load<i32>(record, MULTIPLIER), (<i64>tables) << 2);
  stage.shift = array(net, stage, load<i32>(record, SHIFT), (<i64>tables) << 2);
  stage.weights = array(net, stage, load<i32>(record, WEIGHTS), perOutput * stage.c);
  const bias = load<i32>(record, BIAS);
  if (bias) stage.bias = array(net, stage, bias, (<i64>stage.c) << 2);
  stage.cost = <i32>min<i64>(perOutput * stage.c, i32.MAX_VALUE);
  return stage;
}

/** The rest of a record that means or adds: two multipliers and shifts for a sum, whose second zero point stands for the weights. */
function combine(net: usize, record: usize, stage: Stage): Stage {
  const sum = stage.kind == ADD;
  const tables = sum ? 2 : 1;
  memory.copy(stage.quant + 4, record + QUANT, 16);
  if (load<i32>(record, CHANNELS) != tables) stage.refuse(NET_FORMAT, load<i32>(record, CHANNELS), tables);
  stage.channels = 1;
  stage.multiplier = array(net, stage, load<i32>(record, MULTIPLIER), tables << 2);
  stage.shift = array(net, stage, load<i32>(record, SHIFT), tables << 2);
  stage.weights = <usize>load<i32>(record, WEIGHTS);
  if (!sum) return stage;
  const a = stage.previous;
  const b = stage.other;
  if (a.h != b.h || a.w != b.w || a.c != b.c) stage.refuse(LAYER_SHAPE, b.size, a.size);
  return stage;
}
