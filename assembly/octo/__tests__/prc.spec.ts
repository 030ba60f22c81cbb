// A layer whose grid and range are learned: its weights go as far as the loss takes them, and both follow.
import { setLimit } from "../../device/limit";
import { draw } from "../../int8/rng";
import * as back from "../backward";
import * as checkpoint from "../checkpoint";
import { Conv2d, conv2d } from "../conv2d";
import { NONE } from "../layer";
import { scaleOf } from "../scale";
import * as work from "../workspace";
import { real } from "./reference";
import { open, output } from "./support";

const INPUT: i32 = 8 * 7 * 4;
const x = memory.data(INPUT);
for (let i = 0; i < INPUT; ++i) store<i8>(x + i, (<i32>draw(1, i) >> 10) + 10);

open(3);
setLimit(i32.MAX_VALUE);
const seen = output(8, 7, 4);
seen.data = x;
seen.scale = scaleOf(1, -10);
const layer = changetype<Conv2d>(conv2d(4, 3).quantise(4).clip());
layer.next = output(1, 1, 1);
layer.previous = seen;
layer.place(seen);
back.setFirst(NONE);
checkpoint.open();
work.needGradients(2000);
back.reserve(2000);
work.reserveScratch();

/** What a master of 1 is worth. */
function unit(): f64 {
  return real(scaleOf(1, layer.unitBits - 8));
}

/** The largest weight, as a real number. */
function largest(): f64 {
  let most = 0;
  for (let i = 0; i < layer.count; ++i)
    most = max(most, abs(<i32>load<i16>(layer.masters + ((<usize>i) << 1))));
  return <f64>most * unit();
}

/** Half a step past the last level, as a real number. */
function reach(): f64 {
  return ((<f64>layer.step * <f64>(2 * layer.levels + 1)) / 512) * unit();
}

describe("a grid that is learned", () => {
  test("does not hold weights back: they leave the range of the first ones, the unit doubles, and the grid goes with them", () => {
    layer.wake(true);
    const first = reach();
    expect(largest()).toBeLessThan(1.01 * first);
    // far from the range: nothing is clipped
    back.setRate(scaleOf(1, -7));
    const bits = layer.unitBits;
    let least: f64 = 1;
    for (let step = 0; step < 2000; ++step) {
      checkpoint.setSteps(step);
      layer.forward(seen);
      // ever more of channels 0 and 1, ever less of 2 and 3
      for (let i = 0; i < layer.size; ++i) store<i8>(back.error + i, (i & 3) < 2 ? -64 : 64);
      back.setScale(scaleOf(5, -12));
      layer.backward(seen);
      least = min(least, reach() / largest());
    }
    expect(largest()).toBeGreaterThan(4 * first);
    expect(layer.unitBits).toBeGreaterThan(bits);
    expect(back.saturated).toBeGreaterThan(0);
    // least squares leaves some weights past the last level, but not far
    expect(least).toBeGreaterThan(0.4);
  });
});
