// What a person would see of the dashboard, and what they rely on. See ./run.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Verifier, digest, joined } from "../../crates/hub/web/verifier.js";
import { Site, axeSource, browse, sleep, until } from "./site.mjs";

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? otherwise : process.argv[at + 1];
};
const program = option("hub", "target/release/wavewitness");
const pictures = option("screenshots", null);
const long = Number(option("long", 0));
const web = new URL("../../crates/hub/web/", import.meta.url).pathname;
const scene = new URL("scene.toml", import.meta.url).pathname;

const checked = [];
async function check(what, body) {
  const began = Date.now();
  const said = await body();
  checked.push(what);
  console.log(`ok ${what}${said ? `: ${said}` : ""} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
}

const text = (page, id) => page.locator(`#${id}`).textContent();

async function open(browser, site, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 900 }, ...options });
  const page = await context.newPage();
  page.seen = { requests: [], problems: [], cycles: [] };
  page.on("request", (request) => page.seen.requests.push(request.url()));
  page.on("pageerror", (error) => page.seen.problems.push(String(error)));
  page.on("console", (message) => {
    if (/Content Security Policy|Trusted/i.test(message.text())) page.seen.problems.push(message.text());
  });
  page.on("websocket", (socket) => {
    page.seen.requests.push(socket.url());
    if (!socket.url().includes("/ws/poses")) return;
    socket.on("framereceived", ({ payload }) => {
      const message = JSON.parse(payload);
      if (message.type !== "cycle") return;
      page.seen.cycles.push(message);
      if (page.seen.cycles.length > 100) page.seen.cycles.shift();
    });
  });
  await page.goto(site.base);
  return page;
}

const connected = (page) => until("the page shows cycles", async () => page.seen.cycles.length > 0 && (await page.locator("#banner-stale").isHidden()));

async function verify(page) {
  await page.click("#verify");
  return until("a verdict", async () => /verified|nothing to verify/i.test(await text(page, "verify-headline")) && text(page, "verify-headline"));
}

/** Both builds of the verifier on a good answer, and on answers in which something was changed. */
async function wasm(site) {
  const answer = new Uint8Array(await (await fetch(`${site.base}api/v1/witness?minutes=1`)).arrayBuffer());
  const genesis = digest((await site.status()).genesis);
  const nothing = new Uint8Array();
  for (const name of ["verify.wasm", "verify-simd.wasm"]) {
    const verifier = await Verifier.load(readFileSync(join(web, name)));
    const good = verifier.chain(genesis, answer, nothing);
    assert.equal(good.words, null);
    assert.ok(good.cycles > 100 && good.outputs === good.cycles, JSON.stringify(good));
    // Byte 8 says whether the answer begins with the chain; where it does not, the answer claims less, and still holds.
    for (let k = 0; k < 200; k += 1) {
      const at = Math.floor((k / 200) * answer.length);
      if (at === 8) continue;
      const changed = answer.slice();
      changed[at] ^= 1 << (k % 8);
      assert.notEqual(verifier.chain(genesis, changed, nothing).fault, 0, `${name}: byte ${at} of ${answer.length} was changed, and not found`);
    }
    const head = 8 + 1 + 32 + 4 + new DataView(answer.buffer).getUint32(41, true);
    const length = (from) => 4 + 434 + new DataView(answer.buffer).getUint32(from, true);
    const [first, second] = [head, head + length(head)];
    const removed = joined(answer.subarray(0, second), answer.subarray(second + length(second)));
    assert.equal(verifier.chain(genesis, removed, nothing).fault, 4, "a removed record");
    assert.notEqual(verifier.chain(genesis, answer.subarray(0, answer.length - 1), nothing).fault, 0, "a cut answer");
    assert.equal(verifier.chain(new Uint8Array(32), answer, nothing).fault, 3, "another chain");
    assert.ok(first < second);
  }
  return `${answer.length} bytes`;
}

async function calibrate(page) {
  await page.click("#calibrate-start");
  await until("the countdown", async () => /Leave the room/.test(await text(page, "calibrate-say")));
  await until("progress", () => page.locator("#calibrate-progress").isVisible(), 20);
  await until("the end of the calibration", async () => /^Done: every link/.test(await text(page, "calibrate-say")), 40);
}

/** As many people as the messages say, and the same presence: the page must not lag or invent. */
async function people(page, wanted) {
  const shown = () => page.locator("#people-rows tr").count();
  const right = () => wanted(page.seen.cycles.at(-1)?.people.length);
  await until("that many located", right, 60);
  await until("the page shows them", async () => {
    const message = page.seen.cycles.at(-1);
    const ids = (await page.locator("#people-rows th").allTextContents()).map((t) => Number(t.replace("person ", "")));
    const same = (await shown()) === message.people.length && message.people.every((p, k) => p.id === ids[k]);
    return same && right();
  });
  await until("the same presence", async () => {
    const { state } = page.seen.cycles.at(-1).presence;
    const words = { present: "Somebody is there", absent: "Nobody is there" }[state] ?? "Unknown";
    return (await text(page, "presence-headline")) === words;
  });
  return `${await shown()}`;
}

/** The parts of a cycle with the numbers of the status, and bars that are what the numbers say; then a part that takes too long. */
async function times(browser, site) {
  const seconds = (words) => {
    const [value, unit] = words.replace("\u25b2 ", "").split("\u202f");
    return Number(value) * { "µs": 1, ms: 1000 }[unit];
  };
  const rows = async (page) => {
    await page.waitForSelector("#times-rows tr");
    return page.evaluate(() =>
      [...document.querySelectorAll("#times-rows tr")].map((row) => {
        const bar = row.querySelector("svg").getBoundingClientRect();
        const share = (selector) => row.querySelector(selector).getBoundingClientRect().width / bar.width;
        return { cells: [...row.children].map((cell) => cell.textContent), p50: share(".p50"), p99: share(".p99") };
      }),
    );
  };
  const page = await open(browser, site);
  let told = null;
  await page.route(/api\/v1\/status/, async (route) => {
    const response = await route.fetch();
    told ??= await response.json();
    await route.fulfill({ response, body: JSON.stringify(told) });
  });
  await page.reload();
  const shown = await rows(page);
  const wanted = [told.compute_us, ...told.stages_us];
  assert.deepEqual(told.stages_us.map((s) => s.stage), ["phase-align", "calibration", "fusion", "gate", "pose", "witness", "publish"]);
  assert.equal(shown.length, wanted.length);
  wanted.forEach((part, k) => {
    const [, , median, high, , budget] = shown[k].cells;
    for (const [words, us] of [[median, part.p50], [high, part.p99], [budget, part.budget]]) {
      assert.ok(Math.abs(seconds(words) - us) <= 0.06 * us, `${shown[k].cells[0]}: ${words} is not ${us} µs`);
    }
    for (const name of ["p50", "p99"]) {
      const share = Math.min(part[name] / part.budget, 1);
      assert.ok(Math.abs(shown[k][name] - share) < 0.02, `${shown[k].cells[0]}: the bar is ${shown[k][name]}, not ${share}`);
    }
  });
  assert.doesNotMatch(shown.map((row) => row.cells.join()).join(), /unknown|NaN/);
  told.stages_us[3].p99 = 20_000;
  await until("what is over its budget", async () => /Over budget: impulse response, gate/.test(await text(page, "times-verdict")));
  const over = (await rows(page))[4];
  assert.match(over.cells[3], /^\u25b2 20\u202fms$/);
  assert.ok(over.p99 > 0.99);
  await page.context().close();
  return `${shown.length} rows, whole computation ${shown[0].cells.slice(2).join(", ")}`;
}

/** Zones are listed and drawn as the messages say. */
async function zones(page, site) {
  const { zones: places } = await (await fetch(`${site.base}api/v1/geometry`)).json();
  assert.ok(places.length >= 2 && places.some((zone) => zone.floor_m.length > 4), JSON.stringify(places));
  await until("each zone with its state", async () => {
    const said = page.seen.cycles.at(-1).zones.map((zone) => `${zone.name}: ${zone.state}`);
    const shown = await page.locator("#zones li").allTextContents();
    return said.length === places.length && said.every((words, k) => shown[k]?.startsWith(words));
  });
  return `${places.length}`;
}

async function stale(page, site) {
  site.hub.kill("SIGSTOP");
  const began = Date.now();
  await page.waitForSelector("#banner-stale:visible", { timeout: 3000, state: "visible" });
  const took = Date.now() - began;
  assert.match(await text(page, "banner-stale"), /STALE/);
  assert.ok(took <= 1000, `stale after ${took} ms`);
  site.hub.kill("SIGCONT");
  await until("fresh again", () => page.locator("#banner-stale").isHidden());
  return `${took} ms after SIGSTOP`;
}

async function restart(page, site) {
  await site.stop();
  await until("the page says so", async () => /STALE/.test(await text(page, "banner-stale")));
  const before = page.seen.cycles.at(-1).cycle;
  await site.start();
  await until("cycles again", () => page.seen.cycles.at(-1).cycle > before, 30);
  await connected(page);
  // What this page received before the restart is compared, too.
  const verdict = await verify(page);
  assert.match(verdict, /^Verified/, await text(page, "verify-result"));
}

async function tampered(browser, site) {
  const cases = [
    ["a changed answer", /api\/v1\/witness/, (bytes) => (bytes[Math.floor(bytes.length / 2)] ^= 4), /chain value|digest/],
    ["a changed log entry", /log\/tile\/entries/, (bytes) => (bytes[60] ^= 1), /root|malformed/],
    ["a changed checkpoint", /log\/checkpoint$/, (bytes) => (bytes[bytes.length - 10] ^= 1), /checkpoint/],
    ["another root key", /log\/root\.pub$/, (bytes) => bytes.set(new TextEncoder().encode("hub.example/root+c2ca86a5+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c\n")), /certificate|root key/],
  ];
  for (const [what, where, change, words] of cases) {
    const page = await open(browser, site);
    await page.route(where, async (route) => {
      const response = await route.fetch();
      let body = new Uint8Array(await response.body());
      if (what === "another root key") body = body.slice(0, 75);
      change(body);
      await route.fulfill({ response, body: Buffer.from(body) });
    });
    await connected(page);
    const verdict = await verify(page);
    assert.match(verdict, /not verified/i, what);
    assert.match(`${verdict} ${await text(page, "verify-result")}`, words, what);
    await page.context().close();
  }
}

/** What the hub shows of another person must be found, though chain and digests are right. */
async function shownOther(browser, site) {
  const page = await open(browser, site);
  await page.context().close();
  const forged = await browser.newContext();
  const second = await forged.newPage();
  await second.routeWebSocket(/ws\/poses/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((payload) => {
      const message = JSON.parse(payload);
      if (message.type === "cycle" && message.people.length > 0) message.people[0].position_m[0] += 0.001;
      socket.send(JSON.stringify(message));
    });
  });
  await second.goto(site.base);
  await until("somebody is shown", async () => (await second.locator("#people-rows tr").count()) > 0, 30);
  await sleep(2000);
  assert.match(await verify(second), /NOT VERIFIED/);
  assert.match(await text(second, "verify-result"), /what this page showed is not what was witnessed/);
  await forged.close();
}

async function accessible(browser, site) {
  let rules = 0;
  for (const [name, options] of [["light", {}], ["dark", { colorScheme: "dark" }], ["phone", { viewport: { width: 390, height: 844 } }]]) {
    const page = await open(browser, site, { ...options, bypassCSP: true });
    await connected(page);
    await sleep(1500);
    await page.evaluate(axeSource);
    const found = await page.evaluate(() => globalThis.axe.run());
    const serious = found.violations.filter((v) => ["serious", "critical"].includes(v.impact));
    const words = serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`);
    assert.deepEqual(words, [], name);
    assert.deepEqual(found.violations.map((v) => v.id), [], `${name}, not serious`);
    rules = found.passes.length;
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(wide <= 0, `${name}: the page is ${wide} px wider than the window`);
    await page.context().close();
  }
  return `axe-core: ${rules} rules pass, none fails`;
}

async function keyboard(page) {
  await page.evaluate(() => document.activeElement?.blur());
  const reached = new Set();
  for (let k = 0; k < 60; k += 1) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement?.id));
  }
  const wanted = await page.evaluate(() =>
    [...document.querySelectorAll("button, select, input, canvas[tabindex]")].filter((e) => e.checkVisibility()).map((e) => e.id),
  );
  assert.ok(wanted.length >= 10);
  assert.deepEqual(wanted.filter((id) => !reached.has(id)), [], "not reached by the Tab key");
  return `${wanted.length} controls`;
}

async function turned(page, site) {
  site.hub.kill("SIGSTOP");
  await until("a standing picture", async () => /STALE/.test(await text(page, "banner-stale")));
  const picture = () => page.evaluate(() => document.getElementById("scene").toDataURL());
  await page.focus("#scene");
  await sleep(300);
  const before = await picture();
  await page.keyboard.press("ArrowLeft");
  await sleep(300);
  assert.notEqual(await picture(), before, "the left arrow turns the room");
  site.hub.kill("SIGCONT");
  await connected(page);
}

/** A hub that wants a token, in front of the one that is there: asked for, or taken from the address. */
async function token(browser, site) {
  const guarded = async (address) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.route(/\/api\//, (route) => (route.request().headers().authorization === "Bearer secret" ? route.continue() : route.fulfill({ status: 401, body: "a token is wanted" })));
    await page.routeWebSocket(/ws\//, (socket) => {
      if (new URL(socket.url()).searchParams.get("token") === "secret") socket.connectToServer();
      else socket.close({ code: 4401 });
    });
    await page.goto(address);
    return page;
  };
  const asked = await guarded(site.base);
  await asked.waitForSelector("#token:visible");
  await asked.fill("#token", "secret");
  await asked.keyboard.press("Enter");
  await until("cycles", () => asked.locator("#banner-stale").isHidden());
  const given = await guarded(`${site.base}#token=secret`);
  await until("cycles", () => given.locator("#banner-stale").isHidden());
  assert.equal(new URL(given.url()).hash, "", "the token stays in the address");
  assert.ok(await given.locator("#token-panel").isHidden());
  await asked.context().close();
  await given.context().close();
}

const heapOf = async (page) => {
  const session = (page.session ??= await page.context().newCDPSession(page));
  for (let k = 0; k < 3; k += 1) await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  const { nodes } = await session.send("Memory.getDOMCounters");
  return { heap: usedSize / 1e6, nodes };
};

/** Three quarters of an hour of real messages, as fast as the page takes them, from a WebSocket within the page. */
async function growth(browser, site, sample) {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(() => {
    globalThis.WebSocket = class {
      static OPEN = 1;
      readyState = 1;
      constructor(url) {
        if (String(url).includes("/ws/poses")) globalThis.feed = this;
      }
      send() {}
      close() {}
    };
  });
  await page.goto(site.base);
  await page.waitForFunction(() => globalThis.feed?.onmessage);
  await page.evaluate((messages) => {
    globalThis.sample = messages;
    globalThis.cycle = 0;
    const hello = { type: "hello", schema: 1, source: "simulated", genesis: messages[0].witness.genesis, cycle_hz: 20 };
    globalThis.feed.onmessage({ data: JSON.stringify(hello) });
  }, sample);
  const feed = async (n) => {
    await page.evaluate(async (count) => {
      for (let k = 0; k < count; k += 1, globalThis.cycle += 1) {
        const message = globalThis.sample[globalThis.cycle % globalThis.sample.length];
        // People come and go, as they do in an hour.
        const people = message.people.map((person) => ({ ...person, id: person.id + Math.floor(globalThis.cycle / 400) }));
        globalThis.feed.onmessage({ data: JSON.stringify({ ...message, cycle: globalThis.cycle, people }) });
        if (k % 200 === 199) await new Promise((done) => setTimeout(done, 10));
      }
    }, n);
    await sleep(1000);
    const shown = Number((await text(page, "chain-cycle")).replaceAll(/\D/g, ""));
    assert.equal(shown, (await page.evaluate(() => globalThis.cycle)) - 1, "the page took them all");
    return heapOf(page);
  };
  const settled = await feed(15_000);
  const after = await feed(40_000);
  await context.close();
  const grown = after.heap - settled.heap;
  assert.ok(grown < 1.5, `the heap grew by ${grown.toFixed(2)} MB over 40,000 cycles`);
  assert.ok(after.nodes - settled.nodes < 500, `DOM nodes: ${settled.nodes} to ${after.nodes}`);
  return `heap ${settled.heap.toFixed(1)} MB after 15,000 cycles, ${after.heap.toFixed(1)} MB after 55,000; ${settled.nodes} and ${after.nodes} nodes`;
}

function ownRequests(page, site) {
  const strangers = page.seen.requests.filter((url) => !url.startsWith(site.base) && !url.startsWith(site.base.replace("http", "ws")));
  assert.deepEqual(strangers, [], "requests to others");
  assert.deepEqual(page.seen.problems, [], "errors, or violations of the policy");
  return `${page.seen.requests.length} requests`;
}

async function shoot(browser, site) {
  mkdirSync(pictures, { recursive: true });
  const shot = async (name, options, whole) => {
    const page = await open(browser, site, options);
    await connected(page);
    await sleep(9000);
    if (whole) await verify(page);
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: whole });
    await page.context().close();
  };
  await shot("dashboard-light", { viewport: { width: 1280, height: 860 }, colorScheme: "light" }, true);
  await shot("dashboard-dark", { viewport: { width: 1280, height: 860 }, colorScheme: "dark" }, false);
  await shot("dashboard-phone", { viewport: { width: 390, height: 844 }, colorScheme: "light", isMobile: true, hasTouch: true }, false);
}

async function stayOpen(page, seconds) {
  const begun = Date.now();
  while (Date.now() - begun < seconds * 1000) {
    await sleep(60_000);
    const { heap, nodes } = await heapOf(page);
    console.log(`${((Date.now() - begun) / 60_000).toFixed(0)} min: heap ${heap.toFixed(2)} MB, ${nodes} DOM nodes, cycle ${await text(page, "chain-cycle")}`);
  }
}

const site = await Site.make(program, scene, long > 0 ? long + 300 : 0);
const browser = await browse();
let failed = null;
try {
  await site.start();
  site.simulate();
  const page = await open(browser, site);
  await connected(page);
  if (long > 0) {
    await stayOpen(page, long);
  } else {
    await check("the banner says SIMULATED", async () => assert.equal(await text(page, "banner-source"), "SIMULATED"));
    await check("unknown is unknown before a calibration", async () => {
      await until("the first panels", async () => (await text(page, "chain-cycle")) !== "unknown");
      const { state } = page.seen.cycles.at(-1).presence;
      assert.match(await text(page, "presence-headline"), state === "unknown" ? /^Unknown$/ : /moves$/);
    });
    await check("the calibration goes by the page's buttons", () => calibrate(page));
    await check("an empty room is shown as empty", () => people(page, (n) => n === 0));
    await check("a person is shown", () => people(page, (n) => n > 0));
    await check("the verifier finds 200 flipped bits, a removed record, a cut end (node)", () => wasm(site));
    await check("as many are shown as the messages say, again and again", async () => {
      for (let k = 0; k < 5; k += 1, await sleep(700)) await people(page, (n) => n > 0);
    });
    await check("the last minutes are verified, the signed log too", async () => {
      assert.match(await verify(page), /^Verified/, await text(page, "verify-result"));
      const words = await text(page, "verify-result");
      for (const part of [/Chain: /, /Published: /, /Received: /, /Shown: /, /Signed log: .* stand in the tree/]) assert.match(words, part);
      const load = Number(/loaded in (\d+) ms/.exec(words)[1]);
      assert.ok(load < 500, `the verifier took ${load} ms to load`);
      return words.split("–").at(-1).match(/verify[^,]*loaded.*/)[0];
    });
    await check("each part's time stands against its budget", () => times(browser, site));
    if (pictures) await check("pictures are taken", () => shoot(browser, site));
    await check("zones are as the messages say", () => zones(page, site));
    await check("tampered answers are found", () => tampered(browser, site));
    await check("a person shown a millimetre aside is found", () => shownOther(browser, site));
    await check("a token is asked for, or taken from the address", () => token(browser, site));
    await check("every control is reached by keyboard", () => keyboard(page));
    await check("arrow keys turn the room", () => turned(page, site));
    await check("no barrier that axe-core knows: light, dark, phone", () => accessible(browser, site));
    await check("silence is shown within a second", () => stale(page, site));
    const sample = structuredClone(page.seen.cycles);
    await check("a restart is survived", () => restart(page, site));
    await check("the page does not grow", () => growth(browser, site, sample));
    await check("nothing but the hub was asked, and no policy was broken", () => ownRequests(page, site));
    console.log(`${checked.length} checks of the dashboard hold`);
  }
} catch (error) {
  failed = error;
  console.error(`FAILED after ${checked.length} checks: ${error.stack}`);
  console.error(site.hub?.log().split("\n").slice(-8).join("\n"));
}
await browser.close();
await site.clean();
process.exit(failed ? 1 : 0);
