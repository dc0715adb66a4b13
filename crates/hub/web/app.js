// Puts the page together: messages in, panels and drawings up to date.

import { Calibration } from "./calibration.js";
import { Hub, Images } from "./connection.js";
import { byId, setText } from "./dom.js";
import * as panels from "./panels.js";
import { Scene } from "./scene.js";
import { Timeline } from "./timeline.js";
import { timesPanel } from "./times.js";
import { Witness } from "./verify.js";
import { BANNERS } from "./words.js";

const PANELS_EVERY_MS = 250;
const STATUS_EVERY_MS = 2000;
const THEME = "wavewitness-theme";

const hub = new Hub();
const scene = new Scene(byId("scene"));
const timeline = new Timeline(byId("timeline"));
const witness = new Witness(hub);
const calibrator = new Calibration(hub);

const shown = { source: null, stale: true, silent_ms: null, state: "connecting", stopped: null };
let newest = null;
let advice = [];

const showBanner = () => panels.banner(shown, BANNERS);

hub.addEventListener("hello", ({ detail }) => {
  shown.source = detail.source;
  shown.stopped = null;
  witness.hello(detail);
  setText(byId("software"), detail.software ?? "");
  showBanner();
  readGeometry();
  readStatus();
});

hub.addEventListener("cycle", ({ detail }) => {
  newest = detail;
  shown.source = detail.source;
  witness.cycle(detail);
  scene.frame(detail);
  timeline.frame(detail);
});

const images = new Images(hub, (image) => scene.image(image));

hub.addEventListener("stopped", ({ detail }) => {
  shown.stopped = detail.reason;
  showBanner();
});

hub.addEventListener("dropped", ({ detail }) => {
  setText(byId("dropped"), `this page was too slow for ${detail.total} cycles`);
});

hub.addEventListener("state", ({ detail }) => {
  shown.state = detail;
  showBanner();
  images.follow(detail);
  // A refused WebSocket does not say why; a request does, and a token may be what is missing.
  if (detail === "disconnected") readStatus();
});

hub.addEventListener("stale", ({ detail }) => {
  Object.assign(shown, detail);
  showBanner();
});

hub.addEventListener("unauthorised", () => {
  byId("token-panel").hidden = false;
});

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  byId("token-panel").hidden = true;
  hub.token = byId("token").value.trim();
  readStatus();
});

setInterval(() => {
  if (!newest) return;
  const message = newest;
  newest = null;
  panels.presencePanel(message);
  panels.peoplePanel(message);
  panels.nodesPanel(message, advice);
  panels.linksPanel(message);
  panels.witnessPanel(message);
  calibrator.frame(message);
  setText(byId("timeline-words"), timeline.summary());
  showBanner();
}, PANELS_EVERY_MS);

async function readStatus() {
  try {
    const status = await hub.json("api/v1/status");
    advice = status.advice ?? [];
    timesPanel(status);
    panels.advicePanel(status);
    panels.signedPanel(status);
  } catch {
    // The banner tells that the hub is silent.
  }
}

async function readGeometry() {
  try {
    scene.geometry(await hub.json("api/v1/geometry"));
  } catch {
    // Without it the room is drawn as not configured, which is what the page knows.
  }
}

setInterval(() => {
  if (shown.state === "connected" && !shown.stale) readStatus();
}, STATUS_EVERY_MS);

for (const name of ["links", "image", "trails"]) {
  byId(`show-${name}`).addEventListener("change", (event) => {
    scene.show[name] = event.target.checked;
    if (name === "image") images.want(event.target.checked);
    scene.redraw();
  });
}
byId("view-reset").addEventListener("click", () => {
  scene.camera.reset();
  scene.redraw();
});
byId("view-top").addEventListener("click", () => {
  scene.camera.top();
  scene.redraw();
});

function theme(name) {
  if (name) document.documentElement.dataset.theme = name;
  const dark = getComputedStyle(document.documentElement).getPropertyValue("--dark").trim() === "1";
  setText(byId("theme"), dark ? "Light" : "Dark");
  byId("theme").setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
  scene.restyle();
  timeline.redraw();
  return dark;
}

byId("theme").addEventListener("click", () => {
  const name = theme() ? "light" : "dark";
  theme(name);
  try {
    localStorage.setItem(THEME, name);
  } catch {
    // Kept for this visit only.
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme());

let kept = null;
try {
  kept = localStorage.getItem(THEME);
} catch {
  // A browser that keeps nothing gets what it prefers.
}
theme(kept);
showBanner();
hub.connect();
