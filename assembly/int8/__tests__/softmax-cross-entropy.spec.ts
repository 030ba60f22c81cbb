// Softmax with cross-entropy against double precision. Bounds: a probability is within 6 units of 2^−16 (0.0001), the loss
// within 0.0002 while the label's probability is at least e^−10.
import { BAD_SHAPE, OVERLAP } from "../../device/errors";
import { fin } from "../rng";
import { softmaxCrossEntropy } from "../softmax-cross-entropy";
import { bytes, errorOf, failure, quant, random, randomWords, seed } from "./support";

const MOST_CLASSES: i32 = 100;

/** Multiplier and shift that turn a logit of `unit` nats into Q16, base 2: (m, s) of unit·log2(e)·2^16. */
function logitQuant(unit: f64): usize {
  let factor = unit * 1.4426950408889634 * 65536;
  let s = 31;
  while (factor >= 1) {
    factor /= 2;
    --s;
  }
  while (factor < 0.5) {
    factor *= 2;
    ++s;
  }
  return quant(<i32>(factor * 2147483648.0), s, 0, 0);
}

describe("softmaxCrossEntropy (17)", () => {
  test("errors and loss follow double precision", () => {
    let worst = 0.0;
    let worstLoss = 0.0;
    for (let n = 0; n < 300; ++n) {
      seed(n);
      const classes = random(1, MOST_CLASSES);
      const label = random(0, classes - 1);
      // logits of about ±8 nats in units from 2^−5 to 2^−14
      const bits = random(5, 14);
      const unit = 1.0 / <f64>(1 << bits);
      const logits = bytes(classes << 2);
      let most = -1.0e9;
      for (let i = 0; i < classes; ++i) {
        const value = random(-32768, 32767) >> (12 - min(bits, 12));
        store<i32>(logits + (i << 2), value);
        most = Math.max(most, <f64>value * unit);
      }
      const errors = bytes(classes << 2);
      const loss = softmaxCrossEntropy(logitQuant(unit), logits, classes, label, errors);
      let sum = 0.0;
      for (let i = 0; i < classes; ++i) sum += Math.exp(<f64>load<i32>(logits + (i << 2)) * unit - most);
      for (let i = 0; i < classes; ++i) {
        const p = Math.exp(<f64>load<i32>(logits + (i << 2)) * unit - most) / sum - (i == label ? 1.0 : 0.0);
        worst = Math.max(worst, Math.abs(<f64>load<i32>(errors + (i << 2)) / 65536 - p));
      }
      const nats = most + Math.log(sum) - <f64>load<i32>(logits + (label << 2)) * unit;
      if (nats < 10) worstLoss = Math.max(worstLoss, Math.abs(<f64>loss / 65536 - nats));
    }
    expect(worst).toBeLessThan(6.0 / 65536);
    expect(worstLoss).toBeLessThan(0.0002);
  });

  test("its bits are a contract with the C twin: a digest over random logits", () => {
    seed(77);
    let digest: u32 = 0;
    const errors = bytes(40);
    for (let n = 0; n < 500; ++n) {
      const logits = randomWords(10, -30000, 30000);
      digest = fin(
        digest ^ softmaxCrossEntropy(quant(1518500250, 18 + (n % 14), 0, 0), logits, 10, n % 10, errors),
      );
      for (let i = 0; i < 40; i += 4) digest = fin(digest ^ load<u32>(errors + i));
    }
    expect(digest).toBe(989958999);
  });

  test("equal logits: p = 1/n, loss = ln n", () => {
    const errors = bytes(40);
    const loss = softmaxCrossEntropy(logitQuant(0.01), bytes(40), 10, 4, errors);
    for (let i = 0; i < 10; ++i)
      expect(Math.abs(<f64>load<i32>(errors + (i << 2)) - (i == 4 ? -58982.4 : 6553.6))).toBeLessThan(2);
    expect(Math.abs(<f64>loss / 65536 - 2.302585)).toBeLessThan(0.0005);
  });

  test("certainty leaves no error; the opposite costs as much as can be told", () => {
    const logits = bytes(8);
    store<i32>(logits, i32.MAX_VALUE);
    store<i32>(logits, i32.MIN_VALUE, 4);
    const errors = bytes(8);
    expect(softmaxCrossEntropy(logitQuant(0.001), logits, 2, 0, errors)).toBe(0);
    expect(load<i32>(errors)).toBe(0);
    expect(load<i32>(errors, 4)).toBe(0);
    const loss = softmaxCrossEntropy(logitQuant(0.001), logits, 2, 1, errors);
    expect(load<i32>(errors)).toBe(65536);
    expect(load<i32>(errors, 4)).toBe(-65536);
    expect(loss / 65536).toBe(177);
  });

  test("the label must be a class, the errors lie apart", () => {
    expect(() => {
      softmaxCrossEntropy(logitQuant(1), bytes(8), 2, 2, bytes(8));
    }).toThrow();
    expect(failure()).toBe(errorOf(BAD_SHAPE, 17));
    expect(() => {
      const logits = bytes(8);
      softmaxCrossEntropy(logitQuant(1), logits, 2, 1, logits);
    }).toThrow();
    expect(failure()).toBe(errorOf(OVERLAP, 17));
  });
});
