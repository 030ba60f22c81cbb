// The integer backward pass of layers with weights against the gradients of the same function in double precision: right in the mean,
// within one unit, with the variance of one rounding.
import { setLimit } from "../../device/limit";
import { draw } from "../../int8/rng";
import * as back from "../backward";
import * as checkpoint from "../checkpoint";
import { Conv2d, conv2d, dense } from "../conv2d";
import { depthwiseConv2d } from "../depthwise-conv2d";
import { Layer, NONE } from "../layer";
import { scaleOf } from "../scale";
import * as work from "../workspace";
import { convolve, dot, doubles, real, Rounds } from "./reference";
import { open, output } from "./support";

const ROUNDS: i32 = 400;
/** Inputs of the layers under test: [8, 7, 4], and the same flat. */
const INPUT: i32 = 8 * 7 * 4;
const MOST: i32 = 2000;

const x = memory.data(INPUT);
for (let i = 0; i < INPUT; ++i) store<i8>(x + i, (<i32>draw(1, i) >> 8) - 128 || 1);
const errors = memory.data(MOST);

open(3);
// layers and structs of a spec lie behind the arena, wherever memory has grown to
setLimit(i32.MAX_VALUE);
const layers: Layer[] = [
  conv2d(5, 3),
  conv2d(3, 3, 2, 1),
  conv2d(6, 1),
  depthwiseConv2d(3, 1, 1),
  dense(7),
  conv2d(5, 3).compensate(),
  depthwiseConv2d(3, 2).compensate(),
  conv2d(4, 3).quantise(4),
  dense(6).quantise(2),
  depthwiseConv2d(3).quantise(2).compensate(),
];
const names = [
  "conv2d",
  "conv2d, strides and padding",
  "pointwise",
  "depthwise",
  "dense",
  "conv2d with LAC",
  "depthwise with LAC",
  "conv2d, 4 bits",
  "dense, 2 bits",
  "depthwise, 2 bits, with LAC",
];
for (let i = 0; i < layers.length; ++i) {
  const layer = layers[i];
  layer.index = i;
  // not the last of a model: its outputs are int8
  layer.next = output(1, 1, 1);
  layer.previous = input();
  layer.place(layer.previous);
}
back.setFirst(NONE);
checkpoint.open();
work.needGradients(MOST);
back.reserve(MOST);
work.reserveScratch();
for (let i = 0; i < layers.length; ++i) {
  const layer = changetype<Conv2d>(layers[i]);
  layer.wake(true);
  // no master so near to the grid's edge that a step ends there: the gradient passes a grid straight through
  if (layer.bits) layer.step += layer.step >> 1;
  layer.wake(false);
}

/** What a weight of 1 is worth. */
function unitOf(layer: Conv2d): f64 {
  return real(layer.bits ? scaleOf(layer.step, layer.unitBits - 16) : scaleOf(1, layer.unitBits));
}

function input(): Layer {
  const layer = output(8, 7, 4);
  layer.data = x;
  layer.scale = scaleOf(3, -9);
  return layer;
}

/** Errors as they come: some zeros, all magnitudes. */
function fill(n: i32): void {
  for (let i = 0; i < n; ++i) store<i8>(errors + i, draw(2, i) & 1 ? 0 : (<i32>draw(3, i) >> 8) - 128 || 127);
}

/** Puts the errors where the layer above would have left them. */
function begin(n: i32): void {
  memory.copy(back.error, errors, n);
  back.setScale(scaleOf(5, -12));
}

/** Gradients of Σ e·y with respect to x, w or b. */
function differences(layer: Conv2d, what: i32): Float64Array {
  // a dense layer sees its input flat
  const seen = output(
    layer.h == 1 && layer.kernelH == 1 ? 1 : 8,
    layer.h == 1 && layer.kernelH == 1 ? 1 : 7,
    4,
  );
  if (seen.h == 1) seen.c = INPUT;
  const unit = unitOf(layer);
  const values: Float64Array[] = [
    doubles(x, INPUT, real(scaleOf(3, -9))),
    doubles(layer.weights, layer.count, unit),
    new Float64Array(layer.c),
  ];
  const e = doubles(errors, layer.size, real(scaleOf(5, -12)));
  const moved = values[what];
  const slopes = new Float64Array(moved.length);
  const at = dot(e, convolve(layer, seen, values[0], values[1], values[2]));
  for (let i = 0; i < moved.length; ++i) {
    moved[i] += 1;
    slopes[i] = dot(e, convolve(layer, seen, values[0], values[1], values[2])) - at;
    moved[i] -= 1;
  }
  return slopes;
}

function scaled(values: Float64Array, by: f64): Float64Array {
  for (let i = 0; i < values.length; ++i) values[i] *= by;
  return values;
}

/** Runs the backward pass with other draws each time, from the same weights; @param what 0 x, 1 w, 2 b */
function rounds(layer: Conv2d, want: Float64Array, what: i32): Rounds {
  const found = new Rounds(want);
  const state = memory.data(1 << 14, 8);
  memory.copy(state, checkpoint.state, checkpoint.bytes());
  for (let n = 0; n < ROUNDS; ++n) {
    memory.copy(checkpoint.state, state, checkpoint.bytes());
    layer.wake(false);
    checkpoint.setSteps(n);
    layer.forward(layer.previous);
    begin(layer.size);
    layer.backward(layer.previous);
    for (let i = 0; i < want.length; ++i) {
      const w = (<usize>i) << 1;
      const b = (<usize>i) << 2;
      if (what == 0) found.see(i, <f64>load<i8>(back.error + i));
      else if (what == 1)
        found.see(i, <f64>(<i32>load<i16>(layer.masters + w) - load<i16>(before(layer.masters, state) + w)));
      else found.see(i, <f64>(load<i32>(layer.biases + b) - load<i32>(before(layer.biases, state) + b)));
    }
  }
  memory.copy(checkpoint.state, state, checkpoint.bytes());
  layer.wake(false);
  return found;
}

function before(at: usize, state: usize): usize {
  return at - checkpoint.state + state;
}

/** Rate, a power of two, at which the largest of these gradients moves what has `unit` by at most 128 units. */
function rateFor(slopes: Float64Array, unit: f64): i32 {
  let most: f64 = 0;
  for (let i = 0; i < slopes.length; ++i) most = max(most, Math.abs(slopes[i]));
  return <i32>Math.floor(Math.log2((128 * unit) / most));
}

/** What a unit of the input's error is worth: the scale depends on the sums alone. The layer is left as it was: a grid follows its weights. */
function errorUnit(layer: Layer): f64 {
  const state = memory.data(1 << 14, 8);
  memory.copy(state, checkpoint.state, checkpoint.bytes());
  fill(layer.size);
  layer.forward(layer.previous);
  begin(layer.size);
  layer.backward(layer.previous);
  const unit = real(back.scale);
  memory.copy(checkpoint.state, state, checkpoint.bytes());
  layer.wake(false);
  return unit;
}

describe("gradients of layers with weights", () => {
  test("the error of the input", () => {
    for (let i = 0; i < layers.length; ++i) {
      const layer = changetype<Conv2d>(layers[i]);
      back.setRate(scaleOf(1, -60));
      const unit = errorUnit(layer);
      rounds(layer, scaled(differences(layer, 0), 1 / unit), 0).expectUnbiased(ROUNDS, names[i]);
    }
  });

  test("the step of the weights: −rate·gradient, in units of the masters", () => {
    for (let i = 0; i < layers.length; ++i) {
      const layer = changetype<Conv2d>(layers[i]);
      fill(layer.size);
      const slopes = differences(layer, 1);
      const unit = real(scaleOf(1, layer.unitBits - 8));
      const rate = rateFor(slopes, unit);
      back.setRate(scaleOf(1, rate));
      rounds(layer, scaled(slopes, -Math.pow(2, rate) / unit), 1).expectUnbiased(ROUNDS, names[i]);
    }
  });

  test("the step of the biases, Q20", () => {
    for (let i = 0; i < layers.length; ++i) {
      const layer = changetype<Conv2d>(layers[i]);
      fill(layer.size);
      const slopes = differences(layer, 2);
      const unit = Math.pow(2, -20);
      const rate = rateFor(slopes, unit);
      back.setRate(scaleOf(1, rate));
      rounds(layer, scaled(slopes, -Math.pow(2, rate) / unit), 2).expectUnbiased(ROUNDS, names[i]);
    }
  });
});
