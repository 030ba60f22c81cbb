// Shapes: what a layer makes of its input's, and the error that names the layer when it can't.
import {
  LAYER_SHAPE,
  MODEL_EMPTY,
  NEEDS_DENSE,
  OUT_OF_ARENA,
  TOO_MANY,
  TRAINING_OPTION,
} from "../../device/errors";
import { CONFIG } from "../../device/config";
import { fixed } from "../../device/param";
import { sensor } from "../../device/sensor";
import { errorOf, failure } from "../../int8/__tests__/support";
import { averagePool, globalAveragePool } from "../average-pool";
import { conv2d, dense } from "../conv2d";
import { depthwiseConv2d } from "../depthwise-conv2d";
import { ADD, CONV2D, DENSE, Layer, MAX_POOL } from "../layer";
import { maxPool } from "../max-pool";
import { build, Model } from "../model";
import { momentum } from "../momentum";
import { ACCUMULATE, COSINE, EARLY_STOP, MOMENTUM, QUANTISE, STEP_DECAY } from "../options";
import { relu } from "../relu";
import { residual } from "../residual";
import { cosine, stepDecay } from "../schedule";
import { Trainer } from "../trainer";
import { open, output } from "./support";

function placed(layer: Layer, h: i32, w: i32, c: i32): Layer {
  open();
  layer.index = 2;
  layer.place(output(h, w, c));
  return layer;
}

function expectShape(layer: Layer, h: i32, w: i32, c: i32): void {
  expect(layer.h).toBe(h, "height");
  expect(layer.w).toBe(w, "width");
  expect(layer.c).toBe(c, "channels");
  expect(layer.pitch).toBe(w * c, "pitch");
  expect(layer.size).toBe(h * w * c, "size");
}

describe("shapes", () => {
  test("conv2d: floor((length + 2·padding − kernel) / stride) + 1", () => {
    expectShape(placed(conv2d(8, 5), 28, 28, 1), 24, 24, 8);
    expectShape(placed(conv2d(4, 3, 2), 9, 12, 2), 4, 5, 4);
    expectShape(placed(conv2d(4, 3, 1, 1), 7, 5, 3), 7, 5, 4);
    expectShape(placed(conv2d(1, 5, 3, 2), 1, 1, 1), 1, 1, 1);
  });

  test("dense: the flattened input", () => {
    expectShape(placed(dense(10), 4, 4, 16), 1, 1, 10);
    expectShape(placed(dense(3), 1, 32767, 1), 1, 1, 3);
  });

  test("maxPool: strides default to the pool's size", () => {
    expectShape(placed(maxPool(2), 24, 25, 8), 12, 12, 8);
    expectShape(placed(maxPool(3, 1), 5, 6, 2), 3, 4, 2);
  });

  test("depthwiseConv2d: as conv2d, as many channels as the input has", () => {
    expectShape(placed(depthwiseConv2d(3, 2, 1), 9, 8, 6), 5, 4, 6);
  });

  test("averagePool and globalAveragePool", () => {
    expectShape(placed(averagePool(2), 9, 8, 3), 4, 4, 3);
    expectShape(placed(globalAveragePool(), 5, 8, 3), 1, 1, 3);
  });

  test("relu: its input's", () => {
    expectShape(placed(relu(), 5, 6, 7), 5, 6, 7);
  });
});

describe("a layer that does not fit is named", () => {
  test("conv2d", () => {
    expect(() => {
      placed(conv2d(8, 5), 4, 28, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | CONV2D));
    expect(() => {
      placed(conv2d(8, 5), 28, 4, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | CONV2D));
    expect(() => {
      placed(conv2d(8, 0), 28, 28, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | CONV2D));
    expect(() => {
      placed(conv2d(8, 3, 0), 28, 28, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | CONV2D));
    expect(() => {
      placed(conv2d(0, 3), 28, 28, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | CONV2D));
  });

  test("dense", () => {
    expect(() => {
      placed(dense(3), 2, 32767, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | DENSE));
    expect(() => {
      placed(dense(0), 2, 2, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | DENSE));
  });

  test("residual: both shapes are alike", () => {
    expect(() => {
      const from = output(4, 4, 2);
      from.next = relu();
      placed(residual(from), 4, 4, 3);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | ADD));
  });

  test("maxPool", () => {
    expect(() => {
      placed(maxPool(3), 2, 9, 1);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, (2 << 8) | MAX_POOL));
  });
});

describe("an option out of range is named", () => {
  test("bits of a weight", () => {
    expect(() => {
      dense(3).quantise(1);
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, QUANTISE));
    expect(() => {
      dense(3).quantise(9);
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, QUANTISE));
  });

  test("schedules and momentum", () => {
    expect(() => {
      cosine(0);
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, COSINE));
    expect(() => {
      stepDecay(0, fixed(0.5));
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, STEP_DECAY));
    expect(() => {
      momentum(fixed(1));
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, MOMENTUM));
  });
});

describe("a model that can't be is named", () => {
  test("two dimensions, no layers, no weights at the end, no room, a second model", () => {
    open();
    expect(() => {
      sensor.open([4, 4]);
    }).toThrow();
    expect(failure()).toBe(errorOf(LAYER_SHAPE, -1 << 8));
    const model = new Model([4, 4, 1]);
    expect(() => {
      build();
    }).toThrow();
    expect(failure()).toBe(errorOf(MODEL_EMPTY, 0));
    expect(() => {
      new Model([4, 4, 1]);
    }).toThrow();
    expect(failure()).toBe(errorOf(TOO_MANY, 0));
    model.add(maxPool(2));
    new Trainer(model, { learningRate: fixed(0.01) });
    expect(() => {
      new Trainer(changetype<Model>(0), { learningRate: fixed(0.01) }).accumulate(0);
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, ACCUMULATE));
    expect(() => {
      new Trainer(changetype<Model>(0), { learningRate: fixed(0.01) }).earlyStop(0);
    }).toThrow();
    expect(failure()).toBe(errorOf(TRAINING_OPTION, EARLY_STOP));
    expect(() => {
      build();
    }).toThrow();
    expect(failure()).toBe(errorOf(NEEDS_DENSE, MAX_POOL));
    expect(() => {
      store<u32>(CONFIG, 1000, 4);
      build();
    }).toThrow();
    expect(failure()).toBe(errorOf(OUT_OF_ARENA, 0));
  });
});
