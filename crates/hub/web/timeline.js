// Presence and count of the last ten minutes, one column a second.

const SECONDS = 600;
const STATES = ["unknown", "absent", "present"];
const NOTHING = 255;

export class Timeline {
  #canvas;
  #state = new Uint8Array(SECONDS).fill(NOTHING);
  #count = new Uint8Array(SECONDS).fill(NOTHING);
  #second = null;
  #dirty = true;

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.redraw()).observe(canvas);
    setInterval(() => {
      this.#advance();
      if (this.#dirty) this.#draw();
    }, 500);
  }

  redraw() {
    this.#dirty = true;
  }

  #advance() {
    const second = Math.floor(performance.now() / 1000);
    if (this.#second === null) this.#second = second;
    const passed = Math.min(second - this.#second, SECONDS);
    for (let k = 1; k <= passed; k += 1) {
      this.#state[(this.#second + k) % SECONDS] = NOTHING;
      this.#count[(this.#second + k) % SECONDS] = NOTHING;
    }
    this.#second = second;
    if (passed > 0) this.#dirty = true;
  }

  frame(message) {
    this.#advance();
    const place = this.#second % SECONDS;
    this.#state[place] = Math.max(0, STATES.indexOf(message.presence?.state));
    this.#count[place] = message.count?.state === "known" ? message.count.most_probable : NOTHING;
    this.#dirty = true;
  }

  /** For who can't see the drawing. */
  summary() {
    const seconds = [0, 0, 0];
    for (const state of this.#state) if (state !== NOTHING) seconds[state] += 1;
    const [unknown, absent, present] = seconds;
    const minutes = (s) => (s < 90 ? `${s} s` : `${Math.round(s / 60)} min`);
    return `of the last 10 minutes: present ${minutes(present)}, absent ${minutes(absent)}, unknown ${minutes(unknown)}, nothing received the rest`;
  }

  #draw() {
    const canvas = this.#canvas;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0) return;
    this.#dirty = false;
    const density = Math.min(window.devicePixelRatio || 1, 2);
    [canvas.width, canvas.height] = [width * density, height * density];
    const c = canvas.getContext("2d");
    c.scale(density, density);
    const style = getComputedStyle(canvas);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const left = 16;
    const step = (width - left) / SECONDS;
    const band = 20;
    const base = height - 16;
    const most = Math.max(2, ...this.#count.filter((n) => n !== NOTHING));
    const y = (n) => base - (n / most) * (base - band - 10);
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = colour("muted");
    for (let n = 0; n <= most; n += 1) {
      c.fillText(String(n), 2, y(n) + 4);
      c.fillRect(left, y(n), width - left, 0.5);
    }
    for (const [minutes, text] of [[10, "−10 min"], [5, "−5 min"]]) {
      c.fillText(text, left + (SECONDS - minutes * 60) * step, height - 3);
    }
    c.textAlign = "right";
    c.fillText("now", width, height - 3);
    let before = null;
    c.strokeStyle = colour("text");
    c.lineWidth = 1.5;
    for (let k = 0; k < SECONDS; k += 1) {
      const place = (this.#second + 1 + k) % SECONDS;
      const x = left + k * step;
      const state = this.#state[place];
      // Height tells apart what colour does: present is full, absent a line at the bottom, unknown a dotted middle.
      if (state === 2) {
        c.fillStyle = colour("accept");
        c.fillRect(x, 2, step + 0.5, band - 4);
      } else if (state === 1) {
        c.fillStyle = colour("muted");
        c.fillRect(x, band - 5, step + 0.5, 3);
      } else if (state === 0 && k % 4 < 2) {
        c.fillStyle = colour("recalibrate");
        c.fillRect(x, band / 2 - 2, step + 0.5, 3);
      }
      const n = this.#count[place];
      if (n === NOTHING) {
        before = null;
        continue;
      }
      if (before !== null) {
        c.beginPath();
        c.moveTo(x - step, y(before));
        c.lineTo(x, y(before));
        c.lineTo(x, y(n));
        c.lineTo(x + step, y(n));
        c.stroke();
      }
      before = n;
    }
  }
}
