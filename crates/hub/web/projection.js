// A camera that goes round a point: room metres (z up) to pixels.

const DISTANCE = 3.2; // In half diagonals of the room.
const NEAREST = 0.15;
const MARGIN = 0.9; // Labels stand beside what they name.

export class Camera {
  constructor() {
    this.frame([0, 0, 0], [5, 4, 2.5]);
    this.reset();
  }

  reset() {
    this.yaw = -0.75;
    this.pitch = 0.5;
    this.zoom = 1;
  }

  top() {
    this.yaw = -Math.PI / 2;
    this.pitch = Math.PI / 2;
    this.zoom = 1;
  }

  /** The box that must be seen. */
  frame(min, max) {
    this.target = min.map((a, k) => (a + max[k]) / 2);
    this.radius = Math.hypot(...min.map((a, k) => max[k] - a)) / 2;
    this.corners = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => [0, 1, 2].map((k) => ((n >> k) & 1 ? max[k] : min[k])));
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.PI / 2, Math.max(-0.15, this.pitch + pitch));
  }

  scale(factor) {
    this.zoom = Math.min(5, Math.max(0.35, this.zoom * factor));
  }

  /** Where a point is for a focal length of 1, from the centre of the canvas; null behind the camera. */
  #unit([x, y, z], yaw, pitch) {
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    const [dx, dy, dz] = [x - this.target[0], y - this.target[1], z - this.target[2]];
    // Towards the camera, to its right, up.
    const ahead = dx * cy * cp + dy * sy * cp + dz * sp;
    const depth = (this.radius * DISTANCE) / this.zoom - ahead;
    if (depth < NEAREST) return null;
    const right = -dx * sy + dy * cy;
    const up = -dx * cy * sp - dy * sy * sp + dz * cp;
    return { right: right / depth, up: up / depth, depth };
  }

  /** Focal length and height of the centre for which the box is seen whole, however it is turned. */
  #fit(width, height) {
    const zoom = this.zoom;
    this.zoom = 1;
    let [aside, low, high] = [0.01, 0, 0];
    const look = (yaw, pitch) => {
      for (const corner of this.corners) {
        const at = this.#unit(corner, yaw, pitch);
        if (!at) continue;
        aside = Math.max(aside, Math.abs(at.right));
        [low, high] = [Math.min(low, at.up), Math.max(high, at.up)];
      }
    };
    for (let k = 0; k < 8; k += 1) look((k * Math.PI) / 4, 0.5);
    look(-Math.PI / 2, Math.PI / 2);
    this.zoom = zoom;
    const focal = Math.min((width * MARGIN) / (2 * aside), (height * MARGIN) / (high - low));
    return { focal, middle: height / 2 + (focal * (high + low)) / 2 };
  }

  /** A function from [x, y, z] to { x, y, depth, scale } in pixels; null behind the camera. */
  view(width, height) {
    const { focal, middle } = this.#fit(width, height);
    return (point) => {
      const at = this.#unit(point, this.yaw, this.pitch);
      if (!at) return null;
      return { x: width / 2 + at.right * focal, y: middle - at.up * focal, depth: at.depth, scale: focal / at.depth };
    };
  }
}
