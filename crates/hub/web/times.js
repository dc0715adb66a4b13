// How long the parts of a cycle take, each against its budget: what the hub measured of itself.

import { byId, h, keyed, setAttribute, setText } from "./dom.js";
import { UNKNOWN, microseconds, thousands } from "./words.js";

/** Parts by the stage that they end with, in words. */
const PARTS = {
  "phase-align": "frames, links, phase",
  calibration: "baselines",
  fusion: "fusion, breathing",
  gate: "impulse response, gate",
  pose: "image, people, poses",
  witness: "presence, witness",
  publish: "journal, clients",
};

/** Solid to the median, hatched to the 99th percentile, a line at the longest; the whole is the budget. The numbers stand beside it. */
const bar = () => byId("times-bar").content.firstElementChild.cloneNode(true);

function draw(svg, { p50, p99, max, budget }) {
  const share = (us) => `${(Math.min(us / budget, 1) * 100).toFixed(2)}%`;
  const [, high, middle, longest] = svg.children;
  setAttribute(high, "width", share(p99));
  setAttribute(middle, "width", share(p50));
  setAttribute(longest, "x1", share(max));
  setAttribute(longest, "x2", share(max));
}

const row = () =>
  h("tr", {}, h("th", { scope: "row" }), h("td", { class: "drawn" }, bar()), h("td", { class: "number more" }), h("td", { class: "number" }), h("td", { class: "number more" }), h("td", { class: "number" }));

function fill(element, part) {
  const [name, drawn, median, high, longest, budget] = element.children;
  const over = part.p99 > part.budget;
  setText(name, part.name);
  draw(drawn.firstChild, part);
  setText(median, microseconds(part.p50));
  setText(high, `${over ? "\u25b2 " : ""}${microseconds(part.p99)}`);
  setAttribute(high, "class", over ? "number bad" : "number");
  setAttribute(high, "title", over ? "more than its budget" : null);
  setText(longest, `${part.max > part.budget ? "\u25b2 " : ""}${microseconds(part.max)}`);
  setText(budget, microseconds(part.budget));
}

/** Whether every part keeps its budget, in one sentence. */
function verdict(parts) {
  const over = parts.filter((part) => part.p99 > part.budget);
  if (over.length > 0) return { good: false, text: `\u25b2 Over budget: ${over.map((part) => part.name).join("; ")}` };
  const [whole] = parts;
  return { good: true, text: `\u2713 Within budget: 99 of 100 cycles take at most ${microseconds(whole.p99)} of ${microseconds(whole.budget)}` };
}

export function timesPanel(status) {
  const compute = status.compute_us;
  const stages = Array.isArray(status.stages_us) ? status.stages_us : [];
  const parts = stages.map((stage) => ({ ...stage, name: PARTS[stage.stage] ?? stage.stage }));
  if (compute) parts.unshift({ ...compute, max: compute.recent_max, stage: "cycle", name: "computation, whole" });
  const known = parts.length > 0;
  byId("times-empty").hidden = known;
  byId("times-known").hidden = !known;
  if (known) {
    const { good, text } = verdict(parts);
    setText(byId("times-verdict"), text);
    setAttribute(byId("times-verdict"), "class", good ? "verdict good" : "verdict bad");
    keyed(byId("times-rows"), parts, (part) => part.stage, row, fill);
  }
  const missed = status.missed_cycles;
  const longest = compute ? `; the longest took ${microseconds(compute.max)}` : "";
  setText(byId("missed"), typeof missed === "number" ? `Since the start: ${thousands(status.cycles)} cycles, ${thousands(missed)} missed${longest}.` : UNKNOWN);
}
