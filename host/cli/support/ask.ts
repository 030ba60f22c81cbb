// A request of the bridge and its response, for verbs that do one thing (docs/mqtt.md, "Requests").

import { randomUUID } from "node:crypto";
import { OctomoteError } from "../../bridge/errors.ts";
import { MqttConnection } from "../../bridge/mqtt/connection.ts";
import { Topics } from "../../bridge/topics.ts";
import { type BrokerOptions, mqttOptions } from "./verb.ts";

/**
 * Asks once and hangs up; returns the response's data.
 * @throws OctomoteError when the bridge refuses, or does not answer within `seconds`
 */
export async function ask(
  options: BrokerOptions & { broker: string },
  verb: string,
  request: object,
  seconds: number,
): Promise<Record<string, unknown>> {
  const topics = new Topics(options.base);
  const mqtt = new MqttConnection(mqttOptions(options.broker, options));
  await mqtt.connect();
  const transaction = randomUUID();
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      timer = setTimeout(() => {
        const fix = "start one with octomote start or octomote bridge, or raise --timeout for a slow board";
        reject(new OctomoteError(`No bridge below "${options.base}" at ${mqtt.broker} has answered`, fix));
      }, seconds * 1000);
      const listen = mqtt.subscribe(topics.response(verb), ({ payload, retained }) => {
        const answer = retained ? undefined : answerTo(payload, transaction);
        if (answer?.status === "ok") resolve(answer.data ?? {});
        else if (answer) reject(new OctomoteError(answer.error?.message ?? "the bridge refused"));
      });
      listen
        .then(() =>
          mqtt.publish(`${topics.requestPrefix}${verb}`, JSON.stringify({ ...request, transaction }), {
            qos: 1,
          }),
        )
        .catch(reject);
    });
  } finally {
    clearTimeout(timer);
    await mqtt.close();
  }
}

interface Answer {
  status: string;
  data?: Record<string, unknown>;
  error?: { message?: string };
  transaction?: unknown;
}

/** The response to our request; others ask too. */
function answerTo(payload: Buffer, transaction: string): Answer | undefined {
  try {
    const answer = JSON.parse(payload.toString()) as Answer;
    return answer?.transaction === transaction ? answer : undefined;
  } catch {
    return undefined;
  }
}
