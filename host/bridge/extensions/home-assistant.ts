// Home Assistant's device-based discovery: one retained message a device, with its sensors and a switch. Told again when
// Home Assistant starts, taken back with an empty message when a device is removed.

import type { BridgeDevice } from "../device.ts";
import type { BridgeContext, Extension } from "../extension.ts";

/** Home Assistant's own prefix for discovery and status. */
const PREFIX = "homeassistant";

type Component = Record<string, unknown>;

export class HomeAssistant implements Extension {
  readonly name = "home-assistant";
  readonly #context: BridgeContext;
  #undo: (() => void)[] = [];

  constructor(context: BridgeContext) {
    this.#context = context;
  }

  async start(): Promise<void> {
    const { bus, mqtt, devices } = this.#context;
    const all = () => {
      for (const device of devices.all()) this.#publish(device);
    };
    this.#undo = [
      bus.on("mqttUp", all),
      bus.on("deviceOnline", ({ device }) => this.#publish(device)),
      bus.on("deviceRemoved", ({ id }) => {
        mqtt.publish(discoveryTopic(id), "", { qos: 1, retain: true });
      }),
    ];
    this.#undo.push(
      await mqtt.subscribe(`${PREFIX}/status`, ({ payload }) => {
        if (payload.toString() === "online") all();
      }),
    );
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #publish(device: BridgeDevice): void {
    const config = JSON.stringify(discoveryConfig(device, this.#context));
    this.#context.mqtt.publish(discoveryTopic(device.id), config, { qos: 1, retain: true });
  }
}

/** Home Assistant's ids have no dots. */
function nodeId(id: string): string {
  return `octomote_${id.replaceAll(".", "-dot-")}`;
}

export function discoveryTopic(id: string): string {
  return `${PREFIX}/device/${nodeId(id)}/config`;
}

/** The message that describes a device to Home Assistant. */
export function discoveryConfig(device: BridgeDevice, { topics, facts }: BridgeContext): object {
  const { id, hello } = device;
  const unique = nodeId(id);
  const online = { payload_available: "online", payload_not_available: "offline" };
  const component = (key: string, fields: Component): [string, Component] => [
    key,
    { unique_id: `${unique}_${key}`, ...fields },
  ];
  const sensor = (key: string, name: string, template: string, fields: Component) =>
    component(key, { p: "sensor", name, value_template: `{{ ${template} }}`, ...fields });
  return {
    dev: {
      ids: [unique],
      name: id,
      mf: "Octomote",
      mdl: hello.board,
      sw: hello.firmware,
      hw: hello.engine,
    },
    o: { name: "Octomote", sw: facts.version },
    availability: [topics.bridgeState, topics.availability(id)].map((topic) => ({
      topic,
      value_template: "{{ value_json.state }}",
      ...online,
    })),
    availability_mode: "all",
    state_topic: topics.state(id),
    qos: 0,
    // What a device has not told is absent from its state; None makes Home Assistant show "unknown".
    cmps: Object.fromEntries([
      sensor("loss", "Loss", "value_json.get('loss')", {
        icon: "mdi:chart-line-variant",
        state_class: "measurement",
        suggested_display_precision: 3,
      }),
      sensor(
        "accuracy",
        "Accuracy",
        "(value_json.accuracy * 100) | round(1) if value_json.accuracy is defined else None",
        { icon: "mdi:bullseye-arrow", unit_of_measurement: "%", state_class: "measurement" },
      ),
      sensor("steps", "Steps", "value_json.get('step')", {
        icon: "mdi:counter",
        state_class: "total_increasing",
      }),
      sensor("samples_per_second", "Samples per second", "value_json.get('samplesPerSecond')", {
        icon: "mdi:speedometer",
        unit_of_measurement: "samples/s",
        state_class: "measurement",
      }),
      sensor("memory", "Memory", "value_json.memory.get('poolUsed', value_json.memory.get('linear'))", {
        device_class: "data_size",
        unit_of_measurement: "B",
        state_class: "measurement",
        entity_category: "diagnostic",
      }),
      sensor("uptime", "Uptime", "value_json.get('uptime')", {
        device_class: "duration",
        unit_of_measurement: "s",
        state_class: "total_increasing",
        entity_category: "diagnostic",
      }),
      // of a device that learns from its user; of another its state says nothing, and Home Assistant "unknown"
      component("training_due", {
        p: "binary_sensor",
        name: "Training due",
        icon: "mdi:school-outline",
        value_template:
          "{{ ('ON' if value_json.personal.due else 'OFF') if value_json.personal is defined else None }}",
      }),
      component("running", {
        p: "switch",
        name: "Running",
        icon: "mdi:school",
        command_topic: topics.set(id),
        payload_on: '{"running":true}',
        payload_off: '{"running":false}',
        value_template: "{{ 'ON' if value_json.running else 'OFF' }}",
        state_on: "ON",
        state_off: "OFF",
      }),
    ]),
  };
}
