// The integer backward pass of layers without weights, and where two errors meet, against gradients in double precision.
import { setLimit } from "../../device/limit";
import { draw } from "../../int8/rng";
import { averagePool, globalAveragePool } from "../average-pool";
import * as back from "../backward";
import * as checkpoint from "../checkpoint";
import { Layer } from "../layer";
import { maxPool } from "../max-pool";
import { meet, waiting } from "../path";
import { relu } from "../relu";
import { residual } from "../residual";
import { scaleOf } from "../scale";
import { Window } from "../window";
import * as work from "../workspace";
import { dot, doubles, pool, real, Rounds } from "./reference";
import { open, output } from "./support";

const ROUNDS: i32 = 400;
const H: i32 = 7;
const W: i32 = 6;
const C: i32 = 3;
const INPUT: i32 = H * W * C;

/** No two alike in a window, so that a maximum has a gradient. */
const x = memory.data(INPUT);
for (let i = 0; i < INPUT; ++i) store<i8>(x + i, ((i * 89) % 255) - 127);
const other = memory.data(INPUT);
for (let i = 0; i < INPUT; ++i) store<i8>(other + i, <i32>(draw(4, i) >> 8) - 128);
const errors = memory.data(INPUT);
for (let i = 0; i < INPUT; ++i)
  store<i8>(errors + i, draw(2, i) & 1 ? 0 : (<i32>draw(3, i) >> 8) - 128 || 127);

store<i8>(errors, 77);

open(3);
setLimit(i32.MAX_VALUE);

function tensor(at: usize): Layer {
  const layer = output(H, W, C);
  layer.data = at;
  layer.scale = scaleOf(3, -9);
  layer.next = output(1, 1, 1);
  return layer;
}

const source = tensor(other);
const layers: Layer[] = [
  maxPool(2),
  maxPool(3, 2),
  averagePool(2),
  averagePool(3, 2),
  globalAveragePool(),
  residual(source),
];
const names = [
  "maxPool",
  "maxPool that overlaps",
  "averagePool",
  "averagePool that overlaps",
  "globalAveragePool",
  "residual",
];
for (let i = 0; i < layers.length; ++i) {
  const layer = layers[i];
  layer.index = i;
  layer.previous = tensor(x);
  layer.place(layer.previous);
}
checkpoint.open();
work.needGradients(INPUT);
back.reserve(INPUT);
work.reserveScratch();

function backward(layer: Layer, step: i32): void {
  checkpoint.setSteps(step);
  layer.forward(layer.previous);
  memory.copy(back.error, errors, layer.size);
  back.setScale(scaleOf(5, -12));
  layer.backward(layer.previous);
}

/** Gradient of Σ e·pool(x): moved by less than what keeps a maximum where it is. */
function differences(layer: Window, mean: bool): Float64Array {
  const values = doubles(x, INPUT, 1);
  const e = doubles(errors, layer.size, real(scaleOf(5, -12)));
  const slopes = new Float64Array(INPUT);
  const at = dot(e, pool(layer, layer.previous, values, mean));
  for (let i = 0; i < INPUT; ++i) {
    values[i] += 0.25;
    slopes[i] = (dot(e, pool(layer, layer.previous, values, mean)) - at) / 0.25;
    values[i] -= 0.25;
  }
  return slopes;
}

describe("gradients of layers without weights", () => {
  test("maxPool: all of the error to the maximum, exactly; where windows overlap their sum, saturated", () => {
    for (let i = 0; i < 2; ++i) {
      const layer = changetype<Window>(layers[i]);
      const want = differences(layer, false);
      backward(layer, 0);
      const unit = real(back.scale);
      for (let k = 0; k < INPUT; ++k) {
        const exact = max(min(want[k] / unit, 127), -127);
        expect(Math.abs(<f64>load<i8>(back.error + k) - exact)).toBeLessThan(1e-6, names[i]);
      }
    }
  });

  test("averagePool: an equal share to every input of a window, rounded without bias", () => {
    for (let i = 2; i < 5; ++i) {
      const layer = changetype<Window>(layers[i]);
      const want = differences(layer, true);
      backward(layer, 0);
      const unit = real(back.scale);
      for (let k = 0; k < INPUT; ++k) want[k] /= unit;
      const rounds = new Rounds(want);
      for (let n = 0; n < ROUNDS; ++n) {
        backward(layer, n);
        for (let k = 0; k < INPUT; ++k) rounds.see(k, <f64>load<i8>(back.error + k));
      }
      rounds.expectUnbiased(ROUNDS, names[i], 0.004);
    }
  });

  test("averagePool: the mean itself, to half a unit", () => {
    for (let i = 2; i < 5; ++i) {
      const layer = changetype<Window>(layers[i]);
      layer.forward(layer.previous);
      const want = pool(layer, layer.previous, doubles(x, INPUT, real(layer.previous.scale)), true);
      for (let k = 0; k < layer.size; ++k) {
        const got = <f64>load<i8>(layer.data + k) * real(layer.scale);
        expect(Math.abs(got - want[k])).toBeLessThan(0.5001 * real(layer.scale), names[i]);
      }
    }
  });

  test("relu: nothing where the output is 0, the error itself elsewhere", () => {
    const layer = relu();
    layer.previous = tensor(x);
    layer.place(layer.previous);
    backward(layer, 0);
    for (let k = 0; k < INPUT; ++k) {
      const want = load<i8>(x + k) > 0 ? load<i8>(errors + k) : <i8>0;
      expect(load<i8>(back.error + k)).toBe(want);
    }
  });

  test("residual: the sum to half a unit; its error goes both ways, and meets what comes along the other", () => {
    const layer = layers[5];
    backward(layer, 0);
    for (let k = 0; k < INPUT; ++k) {
      const want = (<f64>load<i8>(layer.previous.data + k) + <f64>load<i8>(other + k)) * real(source.scale);
      expect(Math.abs(<f64>load<i8>(layer.data + k) * real(layer.scale) - want)).toBeLessThan(
        0.5001 * real(layer.scale),
      );
      expect(load<i8>(back.error + k)).toBe(load<i8>(errors + k));
    }
    expect(waiting).toBe(1);
    meet(layers[0]);
    expect(waiting).toBe(1, "another layer's");
    // along the other way a smaller error, of another scale, mirrored
    const want = new Float64Array(INPUT);
    const held = real(scaleOf(5, -12));
    const came = real(scaleOf(7, -14));
    for (let k = 0; k < INPUT; ++k)
      want[k] = <f64>load<i8>(errors + k) * held + <f64>load<i8>(errors + INPUT - 1 - k) * came;
    let rounds: Rounds | null = null;
    for (let n = 0; n < ROUNDS; ++n) {
      if (n) backward(layer, n);
      for (let k = 0; k < INPUT; ++k) store<i8>(back.error + k, load<i8>(errors + INPUT - 1 - k));
      back.setScale(scaleOf(7, -14));
      meet(source);
      if (!rounds) {
        const unit = real(back.scale);
        for (let k = 0; k < INPUT; ++k) want[k] /= unit;
        rounds = new Rounds(want);
      }
      for (let k = 0; k < INPUT; ++k) rounds.see(k, <f64>load<i8>(back.error + k));
    }
    rounds!.expectUnbiased(ROUNDS, "residual", 0.004);
    expect(waiting).toBe(0);
  });

  test("residual: an error that is all there is goes on alone", () => {
    const layer = layers[5];
    backward(layer, 0);
    back.setScale(0);
    meet(source);
    expect(back.scale).toBe(scaleOf(5, -12));
    for (let k = 0; k < INPUT; ++k) expect(load<i8>(back.error + k)).toBe(load<i8>(errors + k));
  });
});
