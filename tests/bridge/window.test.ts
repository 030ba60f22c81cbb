import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InFlightWindow } from "../../host/bridge/mqtt/window.ts";

/** A window whose jobs note what happens to them, and finish when told to. */
function bench(limit: number, capacity: number) {
  const window = new InFlightWindow(limit, capacity);
  const sent: string[] = [];
  const dropped: string[] = [];
  const finish: (() => void)[] = [];
  const push = (name: string, key?: string) =>
    window.push({
      key,
      send: (done) => {
        sent.push(name);
        finish.push(done);
      },
      drop: () => dropped.push(name),
    });
  return { window, sent, dropped, finish, push };
}

describe("in-flight window", () => {
  it("holds everything until it is opened, then sends in order up to its limit", () => {
    const { window, sent, finish, push } = bench(2, 10);
    for (const name of ["a", "b", "c", "d"]) push(name);
    expect(sent).toEqual([]);
    window.open(2);
    expect(sent).toEqual(["a", "b"]);
    finish[1]?.();
    expect(sent).toEqual(["a", "b", "c"]);
    window.close();
    finish[0]?.();
    expect(sent).toEqual(["a", "b", "c"]);
    window.open(1);
    expect(sent).toEqual(["a", "b", "c"]); // c still fills a window of one
    finish[2]?.();
    expect(sent).toEqual(["a", "b", "c", "d"]);
  });

  it("keeps the latest of what replaces each other, and the newest when it is full", () => {
    const { window, sent, dropped, push } = bench(9, 3);
    push("state 1", "state");
    push("log");
    push("state 2", "state");
    expect(dropped).toEqual(["state 1"]);
    push("x");
    push("y");
    expect(dropped).toEqual(["state 1", "state 2"]);
    window.open(9);
    expect(sent).toEqual(["log", "x", "y"]);
    expect(window.dropped).toBe(1);
  });

  it("counts a job once, however often it says that it is done", async () => {
    const { window, finish, push } = bench(1, 10);
    window.open(1);
    push("a");
    finish[0]?.();
    finish[0]?.();
    expect(window.inFlight).toBe(0);
    await window.idle();
  });

  it("takes jobs that are done at once without growing the stack", async () => {
    const window = new InFlightWindow(1, 20_000);
    let sent = 0;
    for (let i = 0; i < 20_000; i++) {
      window.push({
        send: (done) => {
          sent++;
          done();
        },
      });
    }
    window.open(1);
    expect(sent).toBe(20_000);
    await window.idle();
  });

  it("never has more in flight than its limit, loses nothing that fits, and keeps the order", () => {
    const action = fc.oneof(fc.constant("push"), fc.constant("finish"), fc.constant("close"), fc.nat(6));
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const { window, sent, finish, push } = bench(1, 1000);
        let pushed = 0;
        let limit = 1;
        let finished = 0;
        for (const step of actions) {
          const before = window.inFlight;
          if (step === "push") push(String(pushed++));
          else if (step === "close") window.close();
          else if (step === "finish") {
            if (finished < finish.length) finish[finished++]?.();
          } else {
            limit = Math.max(1, step);
            window.open(limit);
          }
          // A limit that shrinks takes nothing back that is already on its way.
          expect(window.inFlight).toBeLessThanOrEqual(Math.max(limit, before));
          expect(sent.length + window.waiting).toBe(pushed);
        }
        expect(sent).toEqual([...sent.keys()].map(String));
      }),
    );
  });
});
