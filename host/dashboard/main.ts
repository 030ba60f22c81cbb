// The dashboard: an MQTT client that shows what devices publish (docs/mqtt.md). This file wires the parts together: messages
// go into the store, views draw from it, what a person does goes out as a message.

import "uplot/dist/uPlot.min.css";
import "./style/tokens.css";
import "./style/page.css";
import "./style/compare.css";
import "./style/cards.css";
import "./style/cameras.css";
import "./style/cloud.css";
import "./style/dialogs.css";

import { Connection, type ConnectionState } from "./connection.ts";
import { type Axis, type Device, Store } from "./model/store.ts";
import { setTopic, subscriptions } from "./model/topics.ts";
import { readSettings, saveCredentials, settingsQuery } from "./settings.ts";
import { Cameras, isCamera } from "./view/cameras.ts";
import { Cards } from "./view/cards.ts";
import { Charts } from "./view/charts.ts";
import { Cloud } from "./view/cloud.ts";
import { Connect } from "./view/connect.ts";
import { byId, show } from "./view/dom.ts";
import { Header } from "./view/header.ts";
import { Log } from "./view/log.ts";
import { Scheduler } from "./view/scheduler.ts";
import { Table } from "./view/table.ts";
import { Theme } from "./view/theme.ts";

/** ms between two draws of numbers: more often, nobody can read them. */
const NUMBERS_MS = 200;

const { settings, problem } = readSettings(location, sessionStorage);
const store = new Store(settings.base);
const hidden = new Set<string>();
let connection: ConnectionState = { phase: "connecting" };
let seenDevices = -1;

/** Milliseconds since 1970 that never go back, whatever happens to the clock. */
const clock = () => performance.timeOrigin + performance.now();

const theme = new Theme(() => drawAll());
const charts: Charts = new Charts(
  store,
  hidden,
  () => wantTable(true),
  () => wantCharts(true),
);
const table = new Table(store, charts, hidden, () => {
  charts.rebuild();
  wantTable(true);
  wantCharts(true);
});
const cards = new Cards(store, switchDevice, () => wantNumbers(true));
const cameras = new Cameras(store);
const cloud = new Cloud(store);
const header = new Header(store, settings);
const log = new Log(store, () => wantNumbers(true));
const connect = new Connect(settings, {
  apply(changed) {
    saveCredentials(changed, sessionStorage);
    const address = `${location.pathname}${settingsQuery(changed, location)}`;
    // Another broker is another page: loading it anew leaves nothing of the old one behind.
    if (address === location.pathname + location.search) location.reload();
    else location.assign(address);
  },
  retry: () => link.retry(),
});
const link = new Connection({
  state(state) {
    if (state.phase === "online") store.connected();
    connection = state;
    drawAll();
  },
  message(topic, payload, retained) {
    store.receive(topic, payload, retained, clock());
    if (store.devicesRevision !== seenDevices) {
      seenDevices = store.devicesRevision;
      charts.rebuild();
    }
    drawSoon();
  },
});

const scheduler = new Scheduler();
const wantCharts = scheduler.add(
  () => charts.draw(theme.scheme),
  () => charts.interval,
);
const wantTable = scheduler.add(
  () => table.draw(theme.scheme),
  () => NUMBERS_MS,
);
const wantNumbers = scheduler.add(
  () => {
    const now = clock();
    show(byId("devices-view", HTMLElement), store.devices.size > 0);
    show(byId("empty", HTMLElement), store.devices.size === 0 && connection.phase === "online");
    show(byId("compare", HTMLElement), somebodyLearns());
    header.draw(connection, now);
    cameras.draw(theme.scheme);
    cloud.draw(theme.scheme);
    connect.draw(connection, store.bridgeOnline, problem, now);
    cards.draw(theme.scheme, connection.phase === "online");
    log.draw();
    document.body.dataset.phase = connection.phase;
  },
  () => NUMBERS_MS,
);

/** Cameras, and devices that only send features, have neither loss nor accuracy: nothing to compare. */
function somebodyLearns(): boolean {
  const devices = [...store.devices.values()];
  return devices.some(
    (device) =>
      device.state?.loss !== undefined || !(isCamera(device) || device.state?.featureBytes !== undefined),
  );
}

function drawSoon(): void {
  wantCharts();
  wantTable();
  wantNumbers();
}

function drawAll(): void {
  wantCharts(true);
  wantTable(true);
  wantNumbers(true);
}

function switchDevice(device: Device, running: boolean): void {
  if (link.publish(setTopic(store.base, device.id), { running })) store.want(device, running, clock());
  drawSoon();
}

for (const input of document.querySelectorAll<HTMLInputElement>("input[name=axis]")) {
  input.addEventListener("change", () => {
    charts.axis = input.value as Axis;
    drawAll();
  });
}
// Once a second without any message: the countdown to the next try, requests that nobody confirmed, messages per second.
setInterval(() => {
  store.expire(clock());
  wantNumbers();
}, 1000);
addEventListener("online", () => link.retry());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") link.retry();
});

drawAll();
link.open(settings, subscriptions(settings.base));
