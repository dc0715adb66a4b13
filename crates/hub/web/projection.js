// A camera that goes round a point: room metres (z up) to pixels.

const FOCAL = 1.35;
const NEAREST = 0.15;

export class Camera {
  constructor() {
    this.target = [2.5, 2, 1];
    this.radius = 4;
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
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.min(Math.PI / 2, Math.max(-0.15, this.pitch + pitch));
  }

  scale(factor) {
    this.zoom = Math.min(5, Math.max(0.35, this.zoom * factor));
  }

  /** A function from [x, y, z] to { x, y, depth, scale } in pixels; null behind the camera. */
  view(width, height) {
    const [cy, sy, cp, sp] = [Math.cos(this.yaw), Math.sin(this.yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    const distance = (this.radius * 2.5) / this.zoom;
    const focal = FOCAL * Math.min(width, height * 1.25) * 0.72;
    const [tx, ty, tz] = this.target;
    return ([x, y, z]) => {
      const [dx, dy, dz] = [x - tx, y - ty, z - tz];
      // Towards the camera, to its right, up.
      const ahead = dx * cy * cp + dy * sy * cp + dz * sp;
      const right = -dx * sy + dy * cy;
      const up = -dx * cy * sp - dy * sy * sp + dz * cp;
      const depth = distance - ahead;
      if (depth < NEAREST) return null;
      const scale = focal / depth;
      return { x: width / 2 + right * scale, y: height / 2 - up * scale, depth, scale };
    };
  }
}
