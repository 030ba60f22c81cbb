import fc from "fast-check";
import { expect, it } from "vitest";
import { TokenBucket } from "../../host/bridge/token-bucket.ts";

it("gives a second's worth at once, then as many as a second brings, however they are spread", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1000 }),
      fc.array(fc.nat(500), { minLength: 1, maxLength: 400 }),
      (perSecond, waits) => {
        const bucket = new TokenBucket(perSecond, 0);
        let now = 0;
        let taken = 0;
        for (const wait of waits) {
          now += wait;
          if (bucket.take(now)) taken++;
        }
        expect(taken).toBeLessThanOrEqual(perSecond + Math.ceil((now * perSecond) / 1000));
        // Nobody who keeps to the rate is refused.
        expect(taken).toBeGreaterThanOrEqual(Math.min(waits.length, perSecond));
      },
    ),
  );
});
