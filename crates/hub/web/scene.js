// The room, drawn on a canvas: what is sure looks solid, what is not looks wide and faint.

import { Camera } from "./projection.js";

const TRAIL_MS = 12_000;
const MAX_TRAIL_POINTS = 240;
const LINK_DASHES = { accept: [], "predict-only": [10, 5], reject: [2, 5], recalibrate: [9, 3, 2, 3] };
const ZONES = {
  occupied: { sign: "\u25cf", colour: "accept", width: 2.2, dash: [], filled: true },
  vacant: { sign: "\u25cb", colour: "muted", width: 1.2, dash: [] },
  unknown: { sign: "?", colour: "recalibrate", width: 1.4, dash: [2, 4] },
};
// COCO keypoints by number.
const BONES = [
  [5, 6], [5, 7], [7, 9], [6, 8], [8, 10], [5, 11], [6, 12], [11, 12], [11, 13], [13, 15], [12, 14], [14, 16],
];
const HEAD = [0, 1, 2, 3, 4];
const SURE_M = 0.08; // A joint known to 8 cm is drawn as a point; one of 80 cm as a cloud.
const COLOURS = ["person-1", "person-2", "person-3", "person-4"];

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const clamp = (x, low, high) => Math.min(high, Math.max(low, x));

export class Scene {
  #canvas;
  #context;
  #geometry = { room: null, nodes: [], access_points: [] };
  #frame = null;
  #image = null;
  #trails = new Map();
  #colours = {};
  #dirty = true;
  camera = new Camera();
  show = { links: true, image: true, trails: true };

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
    new ResizeObserver(() => this.redraw()).observe(canvas);
    this.#listen();
    this.restyle();
    const draw = () => {
      if (this.#dirty) this.#draw();
      requestAnimationFrame(draw);
    };
    requestAnimationFrame(draw);
  }

  redraw() {
    this.#dirty = true;
  }

  /** Takes the colours of the page's theme. */
  restyle() {
    const style = getComputedStyle(this.#canvas);
    const names = ["text", "muted", "line", "grid", "panel", "accept", "predict-only", "reject", "recalibrate", "node", "image"];
    for (const name of [...names, ...COLOURS]) this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
    this.redraw();
  }

  geometry(geometry) {
    this.#geometry = geometry;
    const { room } = geometry;
    const known = geometry.nodes.map((n) => n.position_m).filter(Boolean);
    if (room) this.camera.frame(room.min_m, room.max_m);
    else if (known.length > 1) {
      const [low, high] = [Math.min, Math.max].map((pick) => [0, 1, 2].map((k) => pick(...known.map((p) => p[k]))));
      this.camera.frame(low, high);
    }
    this.redraw();
  }

  frame(message) {
    this.#frame = message;
    const now = performance.now();
    for (const person of message.people ?? []) {
      if (!person.position_m || person.id === undefined) continue;
      const trail = this.#trails.get(person.id) ?? [];
      trail.push({ at: now, position: person.position_m });
      if (trail.length > MAX_TRAIL_POINTS) trail.shift();
      this.#trails.set(person.id, trail);
    }
    for (const [id, trail] of this.#trails) {
      while (trail.length > 0 && now - trail[0].at > TRAIL_MS) trail.shift();
      if (trail.length === 0) this.#trails.delete(id);
    }
    this.redraw();
  }

  /** An image of the room as the topic `images` has it: { origin_m, pitch_m, counts, values }, x fastest; null for none. */
  image(image) {
    const whole = image?.counts?.length === 3 && image.values?.length === image.counts.reduce((a, b) => a * b, 1);
    this.#image = whole && image.origin_m && image.pitch_m ? image : null;
    this.redraw();
  }

  #listen() {
    const canvas = this.#canvas;
    const pointers = new Map();
    let pinch = 0;
    const span = () => {
      const [a, b] = [...pointers.values()];
      return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener("pointerdown", (e) => {
      canvas.setPointerCapture(e.pointerId);
      pointers.set(e.pointerId, { x: e.clientX, y: e.clientY });
      if (pointers.size === 2) pinch = span();
    });
    canvas.addEventListener("pointermove", (e) => {
      const before = pointers.get(e.pointerId);
      if (!before) return;
      const [dx, dy] = [e.clientX - before.x, e.clientY - before.y];
      Object.assign(before, { x: e.clientX, y: e.clientY });
      if (pointers.size === 1) this.camera.turn(-dx * 0.008, dy * 0.008);
      else if (pointers.size === 2) {
        this.camera.scale(span() / (pinch || 1));
        pinch = span();
      }
      this.redraw();
    });
    const up = (e) => pointers.delete(e.pointerId);
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener(
      "wheel",
      (e) => {
        // The page must still scroll where no zoom is asked for.
        if (!e.ctrlKey && document.activeElement !== canvas) return;
        e.preventDefault();
        this.camera.scale(Math.exp(-e.deltaY * 0.0015));
        this.redraw();
      },
      { passive: false },
    );
    const keys = {
      ArrowLeft: () => this.camera.turn(0.12, 0),
      ArrowRight: () => this.camera.turn(-0.12, 0),
      ArrowUp: () => this.camera.turn(0, 0.08),
      ArrowDown: () => this.camera.turn(0, -0.08),
      "+": () => this.camera.scale(1.15),
      "=": () => this.camera.scale(1.15),
      "-": () => this.camera.scale(1 / 1.15),
      0: () => this.camera.reset(),
      t: () => this.camera.top(),
    };
    canvas.addEventListener("keydown", (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey || !keys[e.key]) return;
      e.preventDefault();
      keys[e.key]();
      this.redraw();
    });
  }

  #draw() {
    const canvas = this.#canvas;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    if (width === 0 || height === 0) return;
    this.#dirty = false;
    const density = Math.min(window.devicePixelRatio || 1, 2);
    const [w, h] = [Math.round(width * density), Math.round(height * density)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const c = this.#context;
    c.setTransform(density, 0, 0, density, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "12px system-ui, sans-serif";
    c.lineCap = "round";
    c.lineJoin = "round";
    const view = this.camera.view(width, height);
    this.#room(view);
    this.#zones(view);
    if (this.show.image && this.#image) this.#voxels(view);
    if (this.show.links) this.#links(view);
    this.#nodes(view);
    if (this.show.trails) this.#trailLines(view);
    const people = (this.#frame?.people ?? []).filter((p) => p.position_m);
    people
      .map((person) => ({ person, depth: view(person.position_m)?.depth ?? 0 }))
      .sort((a, b) => b.depth - a.depth)
      .forEach(({ person }) => this.#person(view, person));
  }

  #line(view, points, { colour, width = 1, dash = [], alpha = 1 }) {
    const c = this.#context;
    const seen = points.map(view);
    if (seen.some((p) => p === null)) return;
    c.save();
    c.globalAlpha = alpha;
    c.strokeStyle = colour;
    c.lineWidth = width;
    c.setLineDash(dash);
    c.beginPath();
    seen.forEach((p, k) => (k === 0 ? c.moveTo(p.x, p.y) : c.lineTo(p.x, p.y)));
    c.stroke();
    c.restore();
  }

  #label(at, text, { colour = this.#colours.text, above = 0, bold = false } = {}) {
    if (!at) return;
    const c = this.#context;
    c.save();
    c.font = `${bold ? "600 " : ""}12px system-ui, sans-serif`;
    c.textAlign = "center";
    c.lineWidth = 3.5;
    c.strokeStyle = this.#colours.panel;
    c.fillStyle = colour;
    c.strokeText(text, at.x, at.y - above);
    c.fillText(text, at.x, at.y - above);
    c.restore();
  }

  #room(view) {
    const { room } = this.#geometry;
    const colours = this.#colours;
    if (!room) {
      const text = "the places of room and nodes are not configured: no positions";
      const c = this.#context;
      c.fillStyle = colours.muted;
      c.textAlign = "center";
      c.fillText(text, this.#canvas.clientWidth / 2, this.#canvas.clientHeight / 2);
      return;
    }
    const [[x0, y0, z0], [x1, y1, z1]] = [room.min_m, room.max_m];
    for (let x = Math.ceil(x0); x < x1; x += 1) this.#line(view, [[x, y0, z0], [x, y1, z0]], { colour: colours.grid });
    for (let y = Math.ceil(y0); y < y1; y += 1) this.#line(view, [[x0, y, z0], [x1, y, z0]], { colour: colours.grid });
    const corners = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]];
    const ring = (z) => [...corners, corners[0]].map(([x, y]) => [x, y, z]);
    this.#line(view, ring(z0), { colour: colours.line, width: 1.5 });
    this.#line(view, ring(z1), { colour: colours.grid });
    for (const [x, y] of corners) this.#line(view, [[x, y, z0], [x, y, z1]], { colour: colours.grid });
    this.#label(view([(x0 + x1) / 2, y0, z0]), `${(x1 - x0).toFixed(1)} m (x)`, { colour: colours.muted, above: -16 });
    this.#label(view([x1, (y0 + y1) / 2, z0]), `${(y1 - y0).toFixed(1)} m (y)`, { colour: colours.muted, above: -16 });
  }

  /** Zones on the floor: solid and filled where occupied, thin where vacant, dotted where unknown; the sign says it, too. */
  #zones(view) {
    const said = new Map((this.#frame?.zones ?? []).map((zone) => [zone.name, zone.state]));
    const floor = this.#geometry.room?.min_m[2] ?? 0;
    for (const { name, floor_m } of this.#geometry.zones ?? []) {
      const style = ZONES[said.get(name)] ?? ZONES.unknown;
      const colour = this.#colours[style.colour];
      const corners = [...floor_m, floor_m[0]].map(([x, y]) => [x, y, floor]);
      if (style.filled) this.#fill(corners.map(view), colour, 0.13);
      this.#line(view, corners, { colour, width: style.width, dash: style.dash });
      // Beside its first corner: its middle is where people are.
      const [x, y] = floor_m.reduce((a, b) => (b[0] + b[1] < a[0] + a[1] ? b : a));
      this.#label(view([x, y, floor]), `${style.sign} ${name}`, { colour, above: -14 });
    }
  }

  #fill(corners, colour, alpha) {
    if (corners.some((p) => p === null)) return;
    const c = this.#context;
    c.save();
    c.globalAlpha = alpha;
    c.fillStyle = colour;
    c.beginPath();
    corners.forEach((p, k) => (k === 0 ? c.moveTo(p.x, p.y) : c.lineTo(p.x, p.y)));
    c.fill();
    c.restore();
  }

  /** Columns of voxels as discs on the floor: the highest motion over each place. Where in height, links hardly tell. */
  #voxels(view) {
    const { origin_m, pitch_m, counts, values } = this.#image;
    const [nx, ny] = counts;
    const columns = new Float32Array(nx * ny);
    let most = 0;
    for (let n = 0; n < values.length; n += 1) {
      const place = n % (nx * ny);
      columns[place] = Math.max(columns[place], values[n]);
      most = Math.max(most, values[n]);
    }
    if (!(most > 0)) return;
    for (let n = 0; n < columns.length; n += 1) {
      const share = columns[n] / most;
      if (!(share > 0.1)) continue;
      const [x, y] = [n % nx, Math.floor(n / nx)].map((i, k) => origin_m[k] + (i + 0.5) * pitch_m[k]);
      const corners = [[-1, -1], [1, -1], [1, 1], [-1, 1]].map(([dx, dy]) => view([x + (dx * pitch_m[0]) / 2.3, y + (dy * pitch_m[1]) / 2.3, origin_m[2]]));
      this.#fill(corners, this.#colours.image, 0.45 * share);
    }
  }

  #place(transmitter) {
    const node = /^node (\d+)$/.exec(transmitter);
    if (node) return this.#geometry.nodes.find((n) => n.node === Number(node[1]))?.position_m;
    return this.#geometry.access_points.find((a) => a.mac === transmitter)?.position_m;
  }

  #links(view) {
    // Both directions of a pair are drawn side by side.
    for (const link of this.#frame?.links ?? []) {
      const from = this.#place(link.tx);
      const to = this.#geometry.nodes.find((n) => n.node === link.rx)?.position_m;
      if (!from || !to) continue;
      const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
      const norm = Math.hypot(dx, dy) || 1;
      const aside = 0.035;
      const shift = ([x, y, z]) => [x + (dy / norm) * aside, y - (dx / norm) * aside, z];
      this.#line(view, [shift(from), shift(to)], {
        colour: this.#colours[link.gate] ?? this.#colours.muted,
        width: link.cycle_frames > 0 ? 1.8 : 1,
        dash: LINK_DASHES[link.gate] ?? [1, 6],
        alpha: link.cycle_frames > 0 ? 0.75 : 0.4,
      });
    }
  }

  #nodes(view) {
    const c = this.#context;
    const heard = new Map((this.#frame?.nodes ?? []).map((n) => [n.node, n]));
    for (const { node, position_m } of this.#geometry.nodes) {
      if (!position_m) continue;
      const at = view(position_m);
      if (!at) continue;
      const floor = this.#geometry.room?.min_m[2] ?? 0;
      this.#line(view, [position_m, [position_m[0], position_m[1], floor]], { colour: this.#colours.line, dash: [1, 4] });
      const state = heard.get(node);
      c.save();
      c.beginPath();
      c.rect(at.x - 5, at.y - 5, 10, 10);
      c.lineWidth = 2;
      c.strokeStyle = this.#colours.node;
      c.fillStyle = state && !state.silent ? this.#colours.node : this.#colours.panel;
      c.fill();
      c.stroke();
      c.restore();
      const silent = !state ? " not heard" : state.silent ? " silent" : "";
      this.#label(at, `node ${node}${silent}`, { above: 11 });
    }
    for (const { position_m } of this.#geometry.access_points) {
      const at = position_m && view(position_m);
      if (!at) continue;
      c.save();
      c.strokeStyle = this.#colours.node;
      c.lineWidth = 2;
      c.beginPath();
      c.moveTo(at.x, at.y - 7);
      c.lineTo(at.x + 7, at.y + 5);
      c.lineTo(at.x - 7, at.y + 5);
      c.closePath();
      c.stroke();
      c.restore();
      this.#label(at, "access point", { above: 12 });
    }
  }

  #trailLines(view) {
    const now = performance.now();
    const floor = this.#geometry.room?.min_m[2] ?? 0;
    for (const [id, trail] of this.#trails) {
      for (let k = 1; k < trail.length; k += 1) {
        const age = (now - trail[k].at) / TRAIL_MS;
        const flat = [trail[k - 1], trail[k]].map(({ position: [x, y] }) => [x, y, floor]);
        this.#line(view, flat, { colour: this.#colourOf(id), width: 2, alpha: clamp(0.7 * (1 - age), 0, 1) });
      }
    }
  }

  #colourOf(id) {
    return this.#colours[COLOURS[(id ?? 0) % COLOURS.length]];
  }

  /** One sigma around a point of the floor, from the sigma of the axes. */
  #ellipse(view, [x, y], [sx, sy], floor, style) {
    const points = [];
    for (let k = 0; k <= 40; k += 1) {
      const angle = (k / 40) * 2 * Math.PI;
      points.push([x + sx * Math.cos(angle), y + sy * Math.sin(angle), floor]);
    }
    this.#line(view, points, style);
  }

  #person(view, person) {
    const colour = this.#colourOf(person.id);
    const floor = this.#geometry.room?.min_m[2] ?? 0;
    const coasting = person.state !== "confirmed";
    const [x, y] = person.position_m;
    const faded = clamp(person.existence ?? 1, 0.25, 1) * (coasting ? 0.5 : 1);
    if (person.sigma_m) this.#ellipse(view, person.position_m, person.sigma_m, floor, { colour, width: 1.5, dash: [5, 4], alpha: faded });
    this.#line(view, [person.position_m, [x, y, floor]], { colour, dash: [2, 4], alpha: 0.6 * faded });
    const located = person.keypoints?.some((joint) => joint.basis !== "prior");
    if (!located) this.#blob(view, person.position_m, mean(person.sigma_m ?? [0.3]), colour, faded);
    if (person.keypoints) this.#skeleton(view, person.keypoints, colour, faded);
    if (person.heading) this.#heading(view, person, floor, colour, faded);
    const top = person.keypoints ? person.keypoints[0].position_m : person.position_m;
    const words = [`person ${person.id ?? ""}`.trim(), coasting ? "predicted" : "", postureWord(person)].filter(Boolean);
    this.#label(view(top), words.join(", "), { colour, above: 22, bold: true });
  }

  /** An arc on the floor: where the body faces, one sigma to each side. */
  #heading(view, person, floor, colour, faded) {
    const { rad, sigma_rad } = person.heading;
    const spread = Math.min(sigma_rad ?? Math.PI, Math.PI);
    const [x, y] = person.position_m;
    const points = [];
    for (let k = -6; k <= 6; k += 1) {
      const angle = rad + (spread * k) / 6;
      points.push([x + 0.5 * Math.cos(angle), y + 0.5 * Math.sin(angle), floor]);
    }
    this.#line(view, points, { colour, width: 3, alpha: faded });
  }

  /** A cloud of one sigma: the wider, the fainter. */
  #blob(view, position, sigma, colour, faded) {
    const at = view(position);
    if (!at) return;
    const c = this.#context;
    const radius = Math.max(3, sigma * at.scale);
    const alpha = faded * clamp((2 * SURE_M) / Math.max(sigma, SURE_M), 0.15, 0.9);
    const cloud = c.createRadialGradient(at.x, at.y, 0, at.x, at.y, radius);
    cloud.addColorStop(0, colour);
    // The same colour without opacity: plain "transparent" would fade to grey.
    cloud.addColorStop(1, `${colour}00`);
    c.save();
    c.globalAlpha = alpha;
    c.fillStyle = cloud;
    c.beginPath();
    c.arc(at.x, at.y, radius, 0, 2 * Math.PI);
    c.fill();
    c.restore();
  }

  #skeleton(view, joints, colour, faded) {
    const c = this.#context;
    const doubt = (joint) => mean(joint.sigma_m);
    const strength = { measured: 1, inferred: 0.8, prior: 0.6 };
    // Joints of an average body share the doubt about where the body is: one cloud says so.
    for (const joint of joints) {
      if (joint.basis !== "prior") this.#blob(view, joint.position_m, doubt(joint), colour, faded);
    }
    const draw = (a, b) => {
      const prior = a.basis === "prior" || b.basis === "prior";
      const alpha = faded * Math.min(strength[a.basis] ?? 0.6, strength[b.basis] ?? 0.6);
      this.#line(view, [a.position_m, b.position_m], { colour, width: prior ? 2.5 : 4, dash: prior ? [5, 4] : [], alpha });
    };
    for (const [a, b] of BONES) if (joints[a] && joints[b]) draw(joints[a], joints[b]);
    const neck = { ...joints[5], position_m: joints[5].position_m.map((v, k) => (v + joints[6].position_m[k]) / 2) };
    draw(joints[0], neck);
    for (const [k, joint] of joints.entries()) {
      if (HEAD.includes(k) && k > 0) continue;
      const at = view(joint.position_m);
      if (!at) continue;
      c.save();
      c.globalAlpha = faded * (strength[joint.basis] ?? 0.6);
      c.beginPath();
      c.arc(at.x, at.y, k === 0 ? Math.max(4, 0.1 * at.scale) : 2.5, 0, 2 * Math.PI);
      // What was measured is filled; what is only usual is an outline.
      c.fillStyle = joint.basis === "measured" ? colour : this.#colours.panel;
      c.strokeStyle = colour;
      c.lineWidth = 1.5;
      c.setLineDash(joint.basis === "prior" ? [2, 2] : []);
      c.fill();
      c.stroke();
      c.restore();
    }
  }
}

/** What the hub says of a posture, if it knows one. */
export function postureWord(person) {
  return person.posture?.state === "known" ? person.posture.class : "";
}
