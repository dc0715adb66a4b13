// The button that checks the last minutes, and what it says.

import { byId, h, setText } from "./dom.js";
import { Verifier, digest, hasSimd, joined, seenRow } from "./verifier.js";
import { thousands } from "./words.js";

const MOST_ROWS = 12_000; // Ten minutes.
const TRIES = 4; // A tile may be replaced by a wider one while the others are fetched.
const PINNED = "wavewitness-root-key";

export class Witness {
  #hub;
  #rows = [];
  #genesis = null;
  #loaded = null;
  #busy = false;

  constructor(hub) {
    this.#hub = hub;
    byId("verify").addEventListener("click", () => this.verify());
  }

  hello(message) {
    if (message.genesis !== this.#genesis) this.#rows = [];
    this.#genesis = message.genesis;
  }

  cycle(message) {
    const row = seenRow(message);
    if (!row) return;
    this.#rows.push(row);
    // In large steps: to drop one of many each time would move all of them.
    if (this.#rows.length > MOST_ROWS + 1000) this.#rows.splice(0, 1000);
  }

  async #load() {
    const name = hasSimd() ? "verify-simd.wasm" : "verify.wasm";
    const began = performance.now();
    const response = await fetch(new URL(`web/${name}`, document.baseURI));
    if (!response.ok) throw new Error("this build of the hub has no verifier");
    const verifier = await Verifier.load(await response.arrayBuffer());
    return { verifier, name, load_ms: performance.now() - began };
  }

  async verify() {
    if (this.#busy) return;
    this.#busy = true;
    byId("verify").setAttribute("aria-disabled", "true");
    const out = byId("verify-result");
    setText(byId("verify-headline"), "Reading the last minutes …");
    out.replaceChildren();
    try {
      const { lines, headline, good } = await this.#run();
      out.replaceChildren(...lines.map(({ mark, text }) => h("li", { class: `mark-${mark}` }, text)));
      setText(byId("verify-headline"), headline);
      byId("verify-headline").className = good ? "verdict good" : "verdict bad";
    } catch (error) {
      byId("verify-headline").className = "verdict bad";
      setText(byId("verify-headline"), `Not verified: ${error.message}`);
    }
    byId("verify").removeAttribute("aria-disabled");
    this.#busy = false;
  }

  async #run() {
    const genesis = digest(this.#genesis);
    if (!genesis) throw new Error("nothing was received from the hub yet");
    this.#loaded ??= await this.#load();
    const { verifier, name, load_ms } = this.#loaded;
    // Rows first: what arrives meanwhile is in neither.
    const seen = joined(...this.#rows);
    const minutes = byId("verify-minutes").value;
    const response = await this.#hub.request(`api/v1/witness?minutes=${minutes}`);
    const answer = new Uint8Array(await response.arrayBuffer());
    const began = performance.now();
    const chain = verifier.chain(genesis, answer, seen);
    const chain_ms = performance.now() - began;
    const lines = chainLines(chain);
    const { log, ms: log_ms } = await this.#log(verifier, chain);
    lines.push(...log.lines);
    const bad = chain.fault !== 0 || log.bad;
    const nothing = chain.cycles === 0;
    lines.push({
      mark: "note",
      text: `${name} loaded in ${load_ms.toFixed(0)} ms; ${(answer.length / 1e6).toFixed(1)} MB and the log checked in ${(chain_ms + log_ms).toFixed(0)} ms, in this browser`,
    });
    const headline = bad
      ? "NOT VERIFIED: something was changed"
      : nothing
        ? "Nothing to verify: the journal holds no cycle of these minutes"
        : `Verified: ${thousands(chain.cycles)} cycles`;
    return { lines, headline, good: !bad && !nothing };
  }

  async #log(verifier, chain) {
    const none = (text) => ({ log: { lines: [{ mark: "note", text }], bad: false }, ms: 0 });
    const status = await this.#hub.json("api/v1/status");
    if (!status.log) return none("This hub keeps no signed log (it has no root key): nothing is signed.");
    let report = null;
    let [rootKey, ms] = ["", 0];
    for (let k = 0; k < TRIES; k += 1) {
      const epoch = (k === 0 ? status : await this.#hub.json("api/v1/status")).log.epoch;
      try {
        const names = ["checkpoint", "root.pub", `certificates/${String(epoch).padStart(6, "0")}`];
        const [checkpoint, root, certificate] = await Promise.all(names.map((n) => this.#file(n)));
        rootKey = new TextDecoder().decode(root).trim();
        const paths = verifier.wanted(checkpoint) ?? [];
        const tiles = await Promise.all(paths.map(async (path) => [path, await this.#file(path)]));
        const began = performance.now();
        report = verifier.log([["checkpoint", checkpoint], ["root.pub", root], ["certificate", certificate], ...tiles]);
        ms = performance.now() - began;
        break;
      } catch (error) {
        if (error.status !== 404 || k === TRIES - 1) throw error;
      }
    }
    const pin = pinned(status.log.origin, rootKey);
    return { log: { lines: [...logLines(report, chain, rootKey), pin], bad: report.fault !== 0 || pin.mark === "bad" }, ms };
  }

  async #file(name) {
    return new Uint8Array(await (await this.#hub.request(`log/${name}`)).arrayBuffer());
  }
}

function chainLines(c) {
  const lines = [];
  const add = (mark, text) => lines.push({ mark, text });
  if (c.fault !== 0) add("bad", `${c.words}${c.cycle ? ` (cycle ${thousands(c.cycle)})` : ""}. What stands below was checked before that.`);
  if (c.records > 0) {
    const boots = c.boots > 0 ? `, ${c.boots} start${c.boots > 1 ? "s" : ""} of the hub among them` : "";
    add("good", `Chain: ${thousands(c.records)} values computed again, each from the one before (cycles ${thousands(c.first)} to ${thousands(c.last)}${boots})${c.whole ? ", from the chain's beginning" : ""}.`);
  }
  if (c.outputs > 0) add("good", `Published: ${thousands(c.outputs)} digests computed from the bytes in the journal.`);
  if (c.withheld > 0) add("note", `The published bytes of ${thousands(c.withheld)} cycles are withheld (privacy mode): their digests were not computed.`);
  if (c.seen > 0) add("good", `Received: ${thousands(c.seen)} cycles have the chain value and digest that this page got live.`);
  else if (c.fault === 0) add("note", "Received: none of these cycles was received live by this page; leave it open and ask again.");
  if (c.shown > 0) add("good", `Shown: in ${thousands(c.shown)} of them presence and people are bit for bit what this page showed.`);
  if (c.unread > 0) add("note", `${thousands(c.unread)} cycles are of a numerics version that this page can't read: what was shown of them was not compared.`);
  return lines;
}

function logLines(report, chain, rootKey) {
  if (report.fault !== 0) {
    return [{ mark: "bad", text: `Signed log: ${report.words}${report.cycle ? ` (cycle ${thousands(report.cycle)})` : ""}.` }];
  }
  const rest = [];
  if (report.unsigned > 0) rest.push(`${thousands(report.unsigned)} newest are not signed yet`);
  if (report.older > 0) rest.push(`${thousands(report.older)} older ones were not looked up`);
  const place = chain.cycles > 0 ? `${thousands(report.signed)} of these cycles stand in` : "The checkpoint covers";
  return [
    { mark: "good", text: `Signed log: ${place} the tree of ${thousands(report.size)} entries whose root epoch ${report.epoch}'s key signed (Ed25519), which the root key certifies${rest.length ? `; ${rest.join(", ")}` : ""}.` },
    { mark: "note", text: `Root key: ${rootKey}. Compare it with what the operator gave you by another way.` },
  ];
}

/** Trust on first use: the same root key as the first time. */
function pinned(origin, key) {
  const name = `${PINNED} ${origin}`;
  try {
    const before = localStorage.getItem(name);
    if (before === null) {
      localStorage.setItem(name, key);
      return { mark: "note", text: "This browser sees this root key for the first time, and keeps it." };
    }
    return before === key
      ? { mark: "good", text: "It is the root key that this browser kept when it first came here." }
      : { mark: "bad", text: `This browser knows another root key of this log: ${before}. Either it was made anew, or this is another log.` };
  } catch {
    return { mark: "note", text: "This browser keeps nothing: the root key could not be compared with an earlier one." };
  }
}
