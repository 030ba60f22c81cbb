// The loss-aware compensation of one layer: what it keeps, and when it is used. The arithmetic is in lac.ts.
import { allocate } from "../device/arena";
import * as int8 from "../int8/structs";
import * as back from "./backward";
import * as checkpoint from "./checkpoint";
import * as lac from "./lac";
import { Output } from "./layer";
import { multiply, Scale, scaleOf } from "./scale";
import * as work from "./workspace";

/** Whether a layer of the module compensates. One that is never set leaves nothing of this file in a module. */
export let used: bool = false;

export function use(): void {
  used = true;
}

export class Compensation {
  /** Draws of the layer: its index << 2. */
  private draws: i32;
  /** Output channels and input channels of the layer. */
  private outputs: i32;
  private inputs: i32;
  private perOutput: i32;
  /** α and γ, int32 [outputs] each, then E[x], int16 [inputs]; α is an offset until the layer wakes. */
  private alphas: usize;
  /** μ, then multipliers and shifts of requantisation: int32 [outputs] each. */
  private mu: usize;

  /** Where its part of the learned state begins. */
  get state(): usize {
    return this.alphas;
  }

  private get gains(): usize {
    return this.alphas + ((<usize>this.outputs) << 2);
  }

  private get means(): usize {
    return this.alphas + ((<usize>this.outputs) << 3);
  }

  /** @param perOutput input channels that one output sees: all of them, or its own */
  place(index: i32, outputs: i32, inputs: i32, perOutput: i32): void {
    this.draws = index << 2;
    this.outputs = outputs;
    this.inputs = inputs;
    this.perOutput = perOutput;
    this.alphas = checkpoint.reserve((outputs << 3) + (inputs << 1));
    this.mu = allocate(12 * outputs);
    checkpoint.describe(0, 2, 0, 0);
  }

  /** First values. */
  wake(): void {
    this.alphas += checkpoint.state;
    for (let o = 0; o < this.outputs; ++o) {
      const i = (<usize>o) << 2;
      store<i32>(this.alphas + i, lac.ALPHA_ONE);
      store<i32>(this.gains + i, lac.GAIN_ONE);
    }
  }

  /** μ of the weights as they are. */
  expect(masters: usize, weights: usize, fanIn: i32, step: u32): void {
    const channels = this.perOutput;
    const apart = channels < this.inputs ? 2 : 0;
    lac.expect(masters, weights, fanIn, this.outputs, this.means, channels, step, this.mu, apart);
  }

  /** Makes biases, in accumulator units, of offsets. */
  fold(biases: usize): void {
    lac.fold(this.alphas, this.gains, this.mu, this.outputs, biases);
  }

  /** Requantises each output channel by its own factor. */
  requantise(by: Scale): void {
    const bytes = (<usize>this.outputs) << 2;
    const multipliers = this.mu + bytes;
    lac.factors(this.gains, by, this.outputs, multipliers, multipliers + bytes);
    store<i32>(work.QUANT, <i32>multipliers, int8.QUANT_MULTIPLIER);
    store<i32>(work.QUANT, <i32>(multipliers + bytes), int8.QUANT_SHIFT);
    store<i32>(work.QUANT, this.outputs, int8.QUANT_CHANNELS);
  }

  /** The same for the last layer, whose outputs stay int32. */
  amplify(y: usize): void {
    lac.amplify(this.gains, this.outputs, y);
  }

  /** Errors times γ, in the spare buffer; their scale moves with them. */
  scaleErrors(error: usize, n: i32): usize {
    const most = lac.largest(this.gains, this.outputs);
    const key = checkpoint.key(this.draws | back.SCALED_DRAWS);
    lac.scaleErrors(error, n, this.outputs, this.gains, most, key, back.spare);
    back.setScale(multiply(back.scale, scaleOf(most, -lac.GAIN_BITS)));
    return back.spare;
  }

  /** γ against its gradient. @param sums Σ e of each channel, @param offsets Q20, @param step rate · error scale */
  learnGains(error: usize, y: Output, positions: i32, sums: usize, offsets: usize, step: Scale): void {
    const key = checkpoint.key(this.draws | back.GAIN_DRAWS);
    lac.learnGains(
      error,
      y.data,
      y.width,
      y.scale,
      positions,
      this.outputs,
      sums,
      offsets,
      step,
      key,
      this.gains,
    );
  }

  /** α against its gradient. @param by Q16 of α that one unit of e·μ moves it */
  learn(sums: usize, by: Scale): void {
    const key = checkpoint.key(this.draws | back.COMPENSATION_DRAWS);
    lac.learn(sums, this.outputs, this.mu, by, key, this.alphas);
  }

  /** Takes an input of n elements into E[x]. */
  observe(x: usize, n: i32): void {
    lac.observe(x, n / this.inputs, this.inputs, this.means, checkpoint.steps());
  }
}
