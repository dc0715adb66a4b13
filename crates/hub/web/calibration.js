// The empty-room calibration, step by step.

import { byId, fillRows, setText } from "./dom.js";
import { calibration as inWords } from "./words.js";

const LEAVE_S = 10;

export class Calibration {
  #hub;
  #countdown = null;
  #asked = false;
  #collected = false;

  constructor(hub) {
    this.#hub = hub;
    byId("calibrate-start").addEventListener("click", () => this.#begin());
    byId("calibrate-cancel").addEventListener("click", () => this.#cancel());
    byId("calibrate-clear").addEventListener("click", () => this.#clear());
  }

  #say(text) {
    setText(byId("calibrate-say"), text);
  }

  #begin() {
    if (this.#countdown !== null) return;
    let left = LEAVE_S;
    const tick = async () => {
      if (left > 0) {
        this.#say(`Leave the room now: collecting begins in ${left} s.`);
        left -= 1;
        return;
      }
      this.#stopCountdown();
      if (await this.#send("start")) {
        this.#asked = true;
        this.#collected = false;
        this.#say("Collecting. Keep out of the room, and let nothing move in it, until every link is ready.");
      }
    };
    this.#countdown = setInterval(tick, 1000);
    tick();
  }

  #stopCountdown() {
    clearInterval(this.#countdown);
    this.#countdown = null;
  }

  async #cancel() {
    if (this.#countdown !== null) {
      this.#stopCountdown();
      this.#say("Not started.");
      return;
    }
    this.#asked = false;
    if (await this.#send("cancel")) this.#say("Cancelled: what was ready stays ready.");
  }

  async #clear() {
    const sure = window.confirm("Forget every baseline? Until the next calibration presence is unknown.");
    if (!sure) return;
    this.#asked = false;
    if (await this.#send("clear")) this.#say("Every baseline is forgotten.");
  }

  async #send(action) {
    try {
      const headers = { "Content-Type": "application/json" };
      await this.#hub.request("api/v1/calibration", { method: "POST", headers, body: JSON.stringify({ action }) });
      return true;
    } catch (error) {
      this.#say(`The hub refused: ${error.message}`);
      return false;
    }
  }

  frame(message) {
    const links = message.links;
    byId("calibrate-table").hidden = !links || links.length === 0;
    if (!links) {
      setText(byId("calibrate-summary"), "The hub withholds its links in this privacy mode.");
      return;
    }
    const of = (name) => links.filter((l) => l.calibration?.state === name);
    const collecting = of("collecting");
    const ready = of("ready").filter((l) => l.calibration.empty_room).length;
    if (collecting.length > 0) this.#collected = true;
    const progress = byId("calibrate-progress");
    progress.hidden = collecting.length === 0;
    if (collecting.length > 0) {
      const have = collecting.reduce((n, l) => n + Math.min(l.calibration.have, l.calibration.need), 0);
      const need = collecting.reduce((n, l) => n + l.calibration.need, 0);
      progress.max = need;
      progress.value = have;
    }
    const refused = of("refused").length;
    const stale = of("stale").length;
    const parts = [`${ready} of ${links.length} links have an empty-room baseline`];
    if (collecting.length > 0) parts.push(`${collecting.length} collect`);
    if (refused > 0) parts.push(`${refused} refused`);
    if (stale > 0) parts.push(`${stale} stale`);
    setText(byId("calibrate-summary"), links.length === 0 ? "No link is known yet: nothing to calibrate." : `${parts.join(", ")}.`);
    if (this.#asked && this.#collected && collecting.length === 0 && ready + refused === links.length) {
      this.#asked = false;
      this.#say(refused === 0 ? "Done: every link is ready. You may come back." : "Done, but some links were refused: the table says why. Try again with the room empty and still.");
    }
    fillRows(
      byId("calibrate-rows"),
      links.map((l) => ({ key: l.id, cells: [`${l.id}: ${l.tx} → node ${l.rx}`, inWords(l.calibration)] })),
    );
  }
}
