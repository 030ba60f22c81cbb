// Whatever the wire does: every request is answered once or fails with a named error, nothing is carried out twice,
// and the link comes back.

import fc from "fast-check";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { DeviceLink } from "../../host/link/device-link.ts";
import { RequestError } from "../../host/link/errors.ts";
import { CLEAN, type Faults, Simulation } from "./simulation.ts";

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const percent = (max: number) => fc.integer({ min: 0, max });
const faults: fc.Arbitrary<Faults> = fc.record({
  drop: percent(40),
  repeat: percent(20),
  flip: percent(20),
  cut: percent(10),
  noise: percent(20),
});

type Action = { wait: number } | { message: number } | "reset" | "reset to the same epoch";
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 3000 }) }) },
  { weight: 8, arbitrary: fc.record({ message: fc.integer({ min: 100, max: 20_000 }) }) },
  { weight: 1, arbitrary: fc.constant("reset" as const) },
  { weight: 1, arbitrary: fc.constant("reset to the same epoch" as const) },
);

test("requests over a bad wire", async () => {
  let answered = 0;
  let failed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      faults,
      fc.array(action, { maxLength: 30 }),
      async (seed, bad, actions) => {
        vi.clearAllTimers();
        const simulation = new Simulation(seed);
        const link = new DeviceLink(simulation.transport);
        simulation.faults = bad;
        const outcomes = new Map<string, unknown>();
        let settled = 0;
        const requests: Promise<void>[] = [];
        for (const [i, what] of actions.entries()) {
          if (what === "reset") simulation.boot();
          else if (what === "reset to the same epoch") simulation.boot(simulation.epoch);
          else if ("wait" in what) await vi.advanceTimersByTimeAsync(what.wait);
          else {
            const bytes = new TextEncoder().encode(`message ${i}`);
            const request = link.request("message", { bytes }, { timeoutMs: what.message });
            requests.push(
              request.then(
                () => void outcomes.set(`message ${i}`, "done"),
                (error) => void outcomes.set(`message ${i}`, error),
              ),
            );
            request.finally(() => settled++).catch(() => undefined);
          }
        }
        await vi.advanceTimersByTimeAsync(25_000);
        await Promise.all(requests);
        expect(settled).toBe(requests.length);
        for (const [text, outcome] of outcomes) {
          const times = simulation.carriedOut.get(text) ?? 0;
          if (outcome === "done") {
            expect(times).toBe(1);
            answered++;
          } else {
            expect(outcome).toBeInstanceOf(RequestError);
            expect(["timeout", "link-down"]).toContain((outcome as RequestError).reason);
            expect(times).toBeLessThanOrEqual(1);
            failed++;
          }
        }

        simulation.faults = CLEAN;
        const status = link.request("status", {}, { timeoutMs: 60_000 }).catch((error) => error);
        await vi.advanceTimersByTimeAsync(60_000);
        // The epoch may end once more, when the device finds that its answers went nowhere.
        const again = link.request("selfTest", {}, { timeoutMs: 60_000 });
        await vi.advanceTimersByTimeAsync(60_000);
        await status;
        expect(await again).toBe(0xfedcba98);
        expect(link.isUp).toBe(true);
        simulation.device.stop();
        await link.close();
        // What is still on the wire arrives; no timer of the link's is left.
        await vi.advanceTimersByTimeAsync(10);
        expect(vi.getTimerCount()).toBe(0);
      },
    ),
    { numRuns: 150 },
  );
  // The wire is bad enough to matter, and good enough to carry something.
  expect(answered).toBeGreaterThan(100);
  expect(failed).toBeGreaterThan(20);
}, 120_000);
