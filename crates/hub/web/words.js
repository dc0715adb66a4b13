// Values in words. What is not known is "unknown", never 0; what the hub leaves out is "withheld".

export const UNKNOWN = "unknown";

const REASONS = {
  "no-data": "no frame has arrived lately",
  "not-calibrated": "no baseline is ready yet",
  "no-geometry": "the places of nodes or room are not configured",
  "too-few-links": "too few links for this question",
  "poor-coherence": "the links can't be trusted now",
  "gaps": "too much was missed in the last seconds",
  "too-short": "it has been still for less than 20 s",
  "too-sparse": "too few frames arrive",
  motion: "somebody moves too much",
  "no-line": "nothing periodic stands out",
  undecided: "somebody may be in it, or not",
  "not-located": "somebody is there who has no place",
  "motion-only": "who keeps still is not seen",
  rivals: "links disagree: more than one person, or a machine",
};

export const reason = (name) => REASONS[name] ?? name ?? "no reason given";

export const GATES = {
  accept: { text: "accept", sign: "●", meaning: "measured and used" },
  "predict-only": { text: "predict only", sign: "◐", meaning: "too unlike its baseline to measure with" },
  reject: { text: "reject", sign: "○", meaning: "not usable now" },
  recalibrate: { text: "recalibrate", sign: "◇", meaning: "the room has changed since the baseline" },
};

export const gate = (name) => GATES[name] ?? { text: name ?? UNKNOWN, sign: "?", meaning: "" };

/** A number with a unit, or "unknown". */
export function number(value, digits, unit = "") {
  if (typeof value !== "number" || !Number.isFinite(value)) return UNKNOWN;
  return value.toFixed(digits) + (unit && `\u202f${unit}`);
}

export const percent = (value) => (typeof value === "number" ? `${probabilityDigits(value)}\u202f%` : UNKNOWN);

/** 99.96 % must not read as 100 %. */
function probabilityDigits(value) {
  const points = value * 100;
  if (points > 99 && points < 99.95) return points.toFixed(1);
  if (points >= 99.95 && points < 100) return ">99.9";
  if (points > 0 && points < 0.1) return "<0.1";
  return points < 1 ? points.toFixed(1) : points.toFixed(0);
}

export function duration(seconds) {
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) return UNKNOWN;
  if (seconds < 1) return `${Math.round(seconds * 1000)}\u202fms`;
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}\u202fs`;
  if (seconds < 5400) return `${Math.round(seconds / 60)}\u202fmin`;
  if (seconds < 172800) return `${(seconds / 3600).toFixed(1)}\u202fh`;
  return `${(seconds / 86400).toFixed(1)}\u202fdays`;
}

export function microseconds(us) {
  if (typeof us !== "number" || !Number.isFinite(us)) return UNKNOWN;
  if (us < 1000) return `${us.toFixed(us < 10 ? 1 : 0)}\u202fµs`;
  const ms = us / 1000;
  return `${ms.toFixed(ms < 10 && !Number.isInteger(ms) ? 1 : 0)}\u202fms`;
}

export function calibration(state) {
  switch (state?.state) {
    case "none":
      return "none";
    case "collecting":
      return `collecting, ${state.have} of ${state.need}`;
    case "ready":
      return state.empty_room ? "empty room" : "of a room that may not have been empty";
    case "stale":
      return "stale: the room has changed";
    case "refused":
      return `refused: ${state.reason}`;
    default:
      return state?.state ?? UNKNOWN;
  }
}

const PRESENCE = {
  present: { "empty-room": "Somebody is there", motion: "Somebody moves" },
  absent: { "empty-room": "Nobody is there", motion: "Nobody moves" },
};

/** A headline and what it rests on. */
export function presence(value) {
  const headline = PRESENCE[value?.state]?.[value.basis];
  if (!headline) return { state: "unknown", headline: "Unknown", detail: value ? reason(value.reason) : "nothing was received" };
  const basis =
    value.basis === "motion"
      ? "by motion alone: who keeps still is not seen"
      : "against the empty room";
  return { state: value.state, headline, detail: `probability ${percent(value.probability)}, ${basis}` };
}

export const BANNERS = {
  live: { title: "LIVE", text: "frames arrive over the network now" },
  replay: { title: "REPLAY", text: "a recording: this is not happening now" },
  simulated: { title: "SIMULATED", text: "made by the simulator: no real room, no real person" },
};

export const thousands = (n) => (typeof n === "number" ? n.toLocaleString("en").replaceAll(",", "\u202f") : UNKNOWN);
