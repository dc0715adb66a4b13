// A hub on free ports of the loopback address, fed by the simulator; and a browser.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { createSocket } from "node:dgram";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(`${process.env.WAVEWITNESS_NPM}/package.json`);
const { chromium } = require("playwright-core");
export const axeSource = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export async function until(what, holds, seconds = 20) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what}: not within ${seconds} s`);
    await sleep(50);
  }
}

const freeTcp = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

const freeUdp = () =>
  new Promise((done) => {
    const socket = createSocket("udp4").bind(0, "127.0.0.1", () => {
      const { port } = socket.address();
      socket.close(() => done(port));
    });
  });

export class Site {
  children = [];

  /** `seconds`: how long the scene lasts; 0 for as long as its file says. */
  static async make(program, scene, seconds) {
    const site = new Site();
    site.program = program;
    site.dir = mkdtempSync(join(tmpdir(), "wavewitness-browser-"));
    const text = readFileSync(scene, "utf8");
    site.scene = join(site.dir, "scene.toml");
    writeFileSync(site.scene, seconds > 0 ? text.replace(/duration_s = \d+/, `duration_s = ${seconds}`) : text);
    [site.http, site.udp] = [await freeTcp(), await freeUdp()];
    site.base = `http://127.0.0.1:${site.http}/`;
    site.run("key", "new", join(site.dir, "root.key"), "--origin", "example.org/browser-test");
    const config = join(site.dir, "hub.toml");
    // The configuration is the same for a second of it.
    const glimpse = join(site.dir, "glimpse.toml");
    writeFileSync(glimpse, text.replace(/duration_s = \d+/, "duration_s = 1"));
    site.run("simulate", glimpse, "--hub-config", config);
    const own = `data_dir = "${join(site.dir, "data")}"\nudp_bind = "127.0.0.1:${site.udp}"\nhttp_bind = "127.0.0.1:${site.http}"\n`;
    const zones = `
[[zone]]
name = "Sofa"
min_m = [0.1, 0.1, 0.0]
max_m = [2.5, 4.9, 2.5]

[[zone]]
name = "Kitchen"
outline_m = [[2.6, 0.1], [5.9, 0.1], [5.9, 4.9], [4.4, 4.9], [4.4, 2.2], [2.6, 2.2]]
`;
    const more = `${zones}\n[calibration]\nobservations = 200\n\n[witness_log]\nkey_file = "${join(site.dir, "root.key")}"\n`;
    writeFileSync(config, readFileSync(config, "utf8").replace("[hub]\n", `[hub]\n${own}`) + more);
    site.config = config;
    return site;
  }

  run(...args) {
    const done = spawnSync(this.program, args, { encoding: "utf8" });
    if (done.status !== 0) throw new Error(`${args[0]}: ${done.stderr}`);
  }

  #spawn(...args) {
    const child = spawn(this.program, args, { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (text) => (log = (log + text).slice(-20_000)));
    child.ended = new Promise((done) => child.on("exit", done));
    child.log = () => log;
    this.children.push(child);
    return child;
  }

  async start() {
    this.hub = this.#spawn("run", "--config", this.config);
    await until("the hub answers", async () => (await fetch(`${this.base}health/live`).catch(() => null))?.ok);
  }

  async stop() {
    this.hub.kill("SIGTERM");
    await this.hub.ended;
  }

  simulate() {
    this.simulator = this.#spawn("simulate", this.scene, "--send-to", `127.0.0.1:${this.udp}`);
  }

  async status() {
    return (await fetch(`${this.base}api/v1/status`)).json();
  }

  /** Ends what it started, by its own handles. */
  async clean() {
    for (const child of this.children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGCONT");
        child.kill("SIGKILL");
        await child.ended;
      }
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export const browse = () =>
  chromium.launch({
    executablePath: process.env.WAVEWITNESS_CHROMIUM,
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--js-flags=--expose-gc",
    ],
  });
