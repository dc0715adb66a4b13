// The way to the hub: one WebSocket that comes back by itself, and requests with the token.

const STALE_AFTER_MS = 600;
const LOOK_EVERY_MS = 100;
const OPEN_WITHIN_MS = 4000;
const SILENT_TOO_LONG_MS = 8000;
const RETRY_MS = [300, 600, 1200, 2500, 5000];
const TOKEN = "wavewitness-token";

/** Takes a token from `#token=…` once, so that it does not stay in the address. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(TOKEN, given);
    history.replaceState(null, "", location.pathname + location.search);
  }
}

export class Hub extends EventTarget {
  #socket = null;
  #attempt = 0;
  #opened = 0;
  #last = null;
  #stale = null;
  #retry = null;

  constructor() {
    super();
    takeToken();
    setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  get token() {
    return sessionStorage.getItem(TOKEN);
  }

  set token(text) {
    sessionStorage.setItem(TOKEN, text);
    this.connect();
  }

  #address(path) {
    return new URL(path, document.baseURI);
  }

  /** Address of a WebSocket, with the token: a browser can't give it in a header. */
  socketAddress(path) {
    const address = this.#address(path);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    if (this.token) address.searchParams.set("token", this.token);
    return address;
  }

  /** A request; the answer is refused by throwing its own words. */
  async request(path, options = {}) {
    const headers = new Headers(options.headers);
    if (this.token) headers.set("Authorization", `Bearer ${this.token}`);
    const response = await fetch(this.#address(path), { cache: "no-store", ...options, headers });
    if (response.status === 401 || response.status === 403) this.#tell("unauthorised", response.status);
    if (!response.ok) {
      const text = await response.text();
      let words = text.trim();
      try {
        words = JSON.parse(text).error ?? words;
      } catch {
        // Not JSON: its text says it.
      }
      const error = new Error(words || `the hub answered ${response.status}`);
      error.status = response.status;
      throw error;
    }
    return response;
  }

  async json(path) {
    return (await this.request(path)).json();
  }

  connect() {
    clearTimeout(this.#retry);
    const before = this.#socket;
    this.#socket = null;
    before?.close();
    const socket = new WebSocket(this.socketAddress("ws/poses"));
    this.#socket = socket;
    this.#opened = performance.now();
    socket.onmessage = (event) => {
      if (socket === this.#socket && typeof event.data === "string") this.#message(event.data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
    this.#tell("state", "connecting");
  }

  #lost() {
    this.#socket = null;
    this.#tell("state", "disconnected");
    const wait = RETRY_MS[Math.min(this.#attempt, RETRY_MS.length - 1)];
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.connect(), wait);
  }

  #message(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return; // What is not JSON is from no hub that this page knows.
    }
    if (message.type === "hello") {
      this.#attempt = 0;
      this.#tell("state", "connected");
    }
    if (message.type === "cycle") this.#last = performance.now();
    this.#tell(message.type, message);
    this.#look();
  }

  #look() {
    const now = performance.now();
    const socket = this.#socket;
    if (socket) {
      const heard = Math.max(this.#opened, this.#last ?? 0);
      const patience = socket.readyState === WebSocket.OPEN ? SILENT_TOO_LONG_MS : OPEN_WITHIN_MS;
      if (now - heard > patience) this.connect();
    }
    const silent_ms = this.#last === null ? null : now - this.#last;
    const stale = silent_ms === null || silent_ms > STALE_AFTER_MS;
    // While stale, the time since goes on.
    if (stale || stale !== this.#stale) this.#tell("stale", { stale, silent_ms });
    this.#stale = stale;
  }

  #tell(type, detail) {
    if (typeof type === "string") this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** The image of motion, twice a second, on a connection of its own: it is ten times as large as a cycle, and few look at it. */
export class Images {
  #hub;
  #take;
  #socket = null;
  #wanted = true;
  #state = null;

  constructor(hub, take) {
    this.#hub = hub;
    this.#take = take;
    document.addEventListener("visibilitychange", () => this.#decide());
  }

  want(wanted) {
    this.#wanted = wanted;
    this.#decide();
  }

  /** Comes and goes with the main connection. */
  follow(state) {
    this.#state = state;
    this.#decide();
  }

  #decide() {
    const wanted = this.#wanted && this.#state === "connected" && !document.hidden;
    if (!wanted && this.#socket) {
      this.#socket.close();
      this.#socket = null;
      this.#take(null);
    } else if (wanted && !this.#socket) this.#open();
  }

  #open() {
    const socket = new WebSocket(this.#hub.socketAddress("ws/v1"));
    this.#socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "subscribe", topics: ["images"], rate_hz: 2 }));
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      const message = JSON.parse(data);
      if (message.type === "images") this.#take(message.motion);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return;
      this.#take(null);
      setTimeout(() => {
        if (socket === this.#socket) this.#socket = null;
        this.#decide();
      }, RETRY_MS.at(-1));
    };
  }
}
