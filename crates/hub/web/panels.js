// What the panels say. Everything is read defensively: a field that is not there is unknown or withheld, never 0.

import { byId, fillRows, h, keyed, setAttribute, setText } from "./dom.js";
import { postureWord } from "./scene.js";
import { UNKNOWN, calibration, duration, gate, number, percent, presence, reason, thousands } from "./words.js";

const WITHHELD = "withheld";

export function presencePanel(message) {
  const { state, headline, detail } = presence(message.presence);
  byId("presence").dataset.state = state;
  setText(byId("presence-headline"), headline);
  setText(byId("presence-detail"), detail);
  setText(byId("presence-live"), `${headline}. Count: ${countWords(message.count)}`);
  setText(byId("count"), countWords(message.count));
  const p = message.count?.probability;
  setText(
    byId("count-detail"),
    Array.isArray(p) ? `(${p.map((x, n) => [x, n]).filter(([x]) => x >= 0.01).map(([x, n]) => `${n}: ${percent(x)}`).join(", ")})` : "",
  );
  setText(byId("motion"), message.motion === undefined ? WITHHELD : typeof message.motion === "number" ? `${number(message.motion, 1)} × quiet` : UNKNOWN);
  setText(byId("breathing"), breathingWords(message.breathing));
  setText(byId("quality"), message.quality ? `${percent(message.quality.score)}; ${thousands(message.quality.frames)} frames, ${message.quality.links_heard} of ${message.quality.links_known} links in this cycle` : UNKNOWN);
  const room = gate(message.gate);
  setText(byId("room-gate"), `${room.sign} ${room.text}`);
  fallPanel(message);
  zonesPanel(message.zones ?? []);
}

function zonesPanel(zones) {
  byId("zones-row").hidden = zones.length === 0;
  keyed(byId("zones"), zones, (zone) => zone.name, () => h("li"), (element, zone) => {
    setAttribute(element, "class", `zone ${zone.state}`);
    const why = zone.state === "unknown" ? `: ${reason(zone.reason)}` : zone.motion === true ? ", somebody moves" : "";
    setText(element, `${zone.name}: ${zone.state}${why}`);
  });
}

function countWords(count) {
  if (count === undefined) return WITHHELD;
  if (count?.state !== "known") return `${UNKNOWN}: ${reason(count?.reason)}`;
  const n = count.most_probable;
  return n === 1 ? "1 person" : `${n} people`;
}

function breathingWords(breathing) {
  if (breathing === undefined) return WITHHELD;
  if (breathing?.state !== "known") return `${UNKNOWN}: ${reason(breathing?.reason)}`;
  return `${number(breathing.bpm, 1)} ± ${number(breathing.sigma_bpm, 1)} a minute, over ${duration(breathing.span_s)} on ${breathing.links} links`;
}

/** A fall of the last minute. That nobody watches is said among the values; it is no alarm. */
function fallPanel({ fall }) {
  const panel = byId("fall");
  panel.hidden = fall?.state !== "fallen";
  if (!panel.hidden) {
    const who = typeof fall.person === "number" ? `, person ${fall.person}` : "";
    setText(panel, `Somebody fell ${clock(fall.at)}${who}, probability ${percent(fall.probability)}`);
  }
  const words = { none: "none in the last minute", fallen: "yes", unknown: `${UNKNOWN}: ${fall?.reason === "no-data" ? "nothing watches for them" : reason(fall?.reason)}` };
  setText(byId("fall-state"), fall === undefined ? WITHHELD : (words[fall.state] ?? UNKNOWN));
}

/** A time of the hub by this browser's clock. */
function clock(at) {
  const time = new Date(at);
  return Number.isNaN(time.getTime()) ? String(at) : `at ${time.toLocaleTimeString()}`;
}

export function peoplePanel(message) {
  const people = message.people;
  const empty = byId("people-empty");
  if (!people) setText(empty, "Withheld in this privacy mode.");
  else if (people.length === 0) setText(empty, "Nobody is located. That does not mean that nobody is there.");
  empty.hidden = people?.length > 0;
  byId("people-table").hidden = !(people?.length > 0);
  fillRows(
    byId("people-rows"),
    (people ?? []).map((p, k) => ({
      key: p.id ?? `unnamed-${k}`,
      cells: [
        p.id === undefined ? "person" : `person ${p.id}`,
        [p.state === "coasting" ? "predicted" : p.state, postureWord(p)].filter(Boolean).join(", "),
        percent(p.existence),
        p.position_m ? p.position_m.map((x, axis) => `${number(x, 1)}±${number(p.sigma_m?.[axis], 1)}`).join("  ") : WITHHELD,
        basisWords(p.keypoints),
      ],
    })),
  );
}

function basisWords(keypoints) {
  if (!keypoints) return WITHHELD;
  const measured = keypoints.filter((k) => k.basis === "measured").length;
  const inferred = keypoints.filter((k) => k.basis === "inferred").length;
  if (measured + inferred === 0) return "average body";
  const counts = [[measured, "measured"], [inferred, "inferred"], [keypoints.length - measured - inferred, "usual"]];
  return counts.filter(([n]) => n > 0).map(([n, word]) => `${n} ${word}`).join(", ");
}

export function nodesPanel(message, advice) {
  const nodes = message.nodes;
  byId("nodes-empty").hidden = nodes?.length > 0;
  setText(byId("nodes-empty"), nodes ? "No node has been heard yet." : "Withheld in this privacy mode.");
  byId("nodes-table").hidden = !(nodes?.length > 0);
  fillRows(
    byId("nodes-rows"),
    (nodes ?? []).map((n) => {
      const hints = advice.filter((line) => line.startsWith(`node ${n.node}:`)).map((line) => line.slice(line.indexOf(":") + 2));
      const state = n.silent ? { text: "✕ silent", class: "bad" } : { text: "● heard", class: "good" };
      return {
        key: n.node,
        cells: [
          `node ${n.node}`,
          state,
          number(n.rate_hz, 1, "Hz"),
          number(n.rssi_dbm, 0, "dBm"),
          duration(n.age_ms / 1000),
          `${thousands(n.frames)}${n.rejected > 0 ? `, ${thousands(n.rejected)} rejected` : ""}`,
          [n.id_conflict ? "two senders use this id" : "", ...hints].filter(Boolean).join("; ") || "–",
        ],
      };
    }),
  );
}

export function linksPanel(message) {
  const links = message.links;
  byId("links-empty").hidden = links?.length > 0;
  setText(byId("links-empty"), links ? "No link is known yet." : "Withheld in this privacy mode.");
  byId("links-table").hidden = !(links?.length > 0);
  fillRows(
    byId("links-rows"),
    (links ?? []).map((l) => {
      const state = gate(l.gate);
      return {
        key: l.id,
        cells: [
          `${l.id}: ${l.tx} → node ${l.rx}`,
          { text: `${state.sign} ${state.text}`, class: `gate-${l.gate}`, title: state.meaning },
          number(l.coherence, 2),
          typeof l.motion === "number" ? `${number(l.motion, 1)} ×` : UNKNOWN,
          percent(l.attention),
          calibration(l.calibration),
        ],
      };
    }),
  );
}

export function advicePanel(status) {
  const lines = [...(status.fault ? [`stopped publishing: ${status.fault}`] : []), ...(status.not_ready ?? []), ...(status.advice ?? [])];
  byId("advice-empty").hidden = lines.length > 0;
  keyed(byId("advice"), [...new Set(lines)], (line) => line, (line) => h("li", {}, withCode(line)), () => {});
}

/** What stands between backticks is a command. */
const withCode = (line) => line.split("`").map((part, k) => (k % 2 === 1 ? h("code", {}, part) : part));

export function witnessPanel(message) {
  const { chain, genesis } = message.witness ?? {};
  setText(byId("chain-head"), chain ?? UNKNOWN);
  setText(byId("chain-genesis"), genesis ?? UNKNOWN);
  setText(byId("chain-cycle"), thousands(message.cycle));
}

export function signedPanel(status) {
  const log = status.log;
  const text = log ? `${thousands(log.size)} entries signed as ${log.origin}, epoch ${log.epoch}` : "not kept: this hub has no root key";
  setText(byId("signed-log"), text);
}

/** The banner: what kind of truth this is. Stale and lost come before everything. */
export function banner({ source, stale, silent_ms, state, stopped }, words) {
  const element = byId("banner");
  const known = words[source];
  setAttribute(element, "data-source", known ? source : "unknown");
  document.body.classList.toggle("stale", stale);
  setText(byId("banner-source"), known?.title ?? "NO DATA");
  setText(byId("banner-text"), known?.text ?? "nothing was received yet");
  let trouble = "";
  if (stopped) trouble = `STOPPED: ${stopped}`;
  else if (stale && silent_ms !== null) {
    trouble = `STALE: nothing for ${(silent_ms / 1000).toFixed(1)} s, what you see is the past`;
    if (state !== "connected") trouble += "; connecting again";
  } else if (stale) trouble = state === "connected" ? "connected, no cycle yet" : "connecting to the hub";
  const place = byId("banner-stale");
  place.hidden = trouble === "";
  setText(place, trouble);
}
