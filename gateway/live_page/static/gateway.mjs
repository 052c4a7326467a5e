// The way to the gateway: session, calls, and one WebSocket that comes back by itself.

const STORE = "mtg-live";
const MAX_SAMPLES = 400;
const CALL_S = 15;
const PING_MS = 2000;
const SILENT_MS = 9000;
const ALIVE_MS = 60_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;

/** The gateway refused a call: code, name, message and data as it told them. */
export class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.code;
    this.data = error.data ?? {};
    this.name = this.data.name ?? String(error.code);
  }
}

/** No answer came: nobody can tell whether the call was carried out. */
export class NoAnswer extends Error {}

/** The session is over. */
export class SignedOut extends Error {}

/**
 * Events: "state" (the connection changed), "event" (of a channel), "signed-out".
 * State is "offline", "connecting", "online" or "waiting" (until the next try).
 */
export class Gateway extends EventTarget {
  state = "offline";
  retryAt = 0;
  lastHeard = 0;
  session = null;
  welcome = null;
  samples = [];
  roundTrips = [];
  channels = new Map();
  #socket = null;
  #sent = new Map();
  #id = 0;
  #wait = FIRST_WAIT_MS;
  #timer = 0;
  #clockOffset = 0;

  constructor() {
    super();
    setInterval(() => this.#look(), PING_MS);
    setInterval(() => this.session && this.call("ping").catch(() => {}), ALIVE_MS);
  }

  /** The gateway's clock now, UTC milliseconds. */
  now() {
    return Date.now() + this.#clockOffset;
  }

  /** Go on with the session of before a reload; false if there is none. */
  async resume() {
    try {
      this.session = JSON.parse(sessionStorage.getItem(STORE) ?? "null");
    } catch {
      this.session = null;
    }
    if (!this.session) return false;
    try {
      await this.call("ping");
      return true;
    } catch (error) {
      if (error instanceof SignedOut) return false;
      throw error;
    }
  }

  /** Sign in by a one-time code or a token; neither is kept. */
  async signIn({ code = null, token = null, trade = false }) {
    const headers = { "Content-Type": "application/json" };
    if (token) headers.Authorization = `Bearer ${token}`;
    const answer = await fetch("/ui/session", {
      method: "POST", headers, body: JSON.stringify({ code, trade }), cache: "no-store",
    });
    const body = await answer.json();
    if (!answer.ok) throw new Refused(body.error ?? { code: answer.status, message: "Refused" });
    this.session = body;
    // half of the secret: the other half is a cookie that no script reads
    sessionStorage.setItem(STORE, JSON.stringify(body));
  }

  async signOut() {
    const headers = this.session ? { "X-CSRF-Token": this.session.csrf } : {};
    await fetch("/ui/session", { method: "DELETE", headers }).catch(() => {});
    this.#over("You have signed out.");
  }

  #over(reason) {
    sessionStorage.removeItem(STORE);
    const was = this.session;
    this.session = null;
    this.#drop();
    this.#become("offline");
    if (was) this.dispatchEvent(new CustomEvent("signed-out", { detail: reason }));
  }

  /** Call a method. A refusal throws Refused, silence NoAnswer: it is never sent twice. */
  async call(method, params = {}) {
    if (!this.session) throw new SignedOut("Sign in first");
    const began = performance.now();
    const answer = await this.#fetch("/ui/rpc", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": this.session.csrf },
      body: JSON.stringify({ jsonrpc: "2.0", id: ++this.#id, method, params, timing: true }),
    });
    if (answer.timing_ms) {
      this.samples.push({ method, at: Date.now(), trip: performance.now() - began, ...answer.timing_ms });
      if (this.samples.length > MAX_SAMPLES) this.samples.shift();
    }
    if (answer.error) throw new Refused(answer.error);
    if (method === "ping") this.#clockOffset = answer.result.time - Date.now();
    return answer.result;
  }

  /** Figures of the daemon, and the orders that nobody can tell of. */
  figures() {
    return this.#fetch("/ui/figures", { headers: { "X-CSRF-Token": this.session?.csrf ?? "" } });
  }

  async #fetch(path, options) {
    let answer;
    let body;
    try {
      answer = await fetch(path, { ...options, cache: "no-store", signal: AbortSignal.timeout(CALL_S * 1000) });
      body = await answer.json();
    } catch {
      throw new NoAnswer("The gateway did not answer");
    }
    if (answer.status === 401) {
      this.#over(body.error?.message ?? "The session is over.");
      throw new SignedOut(body.error?.message);
    }
    if (!answer.ok && !body.error) throw new NoAnswer(`The gateway answered with status ${answer.status}`);
    return body;
  }

  // --- events ------------------------------------------------------------------------------

  /** Hear a channel, now and after each new connection. */
  subscribe(...names) {
    const fresh = names.filter((name) => !this.channels.has(name));
    for (const name of fresh) this.channels.set(name, { name, events: 0, since: Date.now(), last: 0, gaps: 0, seq: null });
    if (fresh.length && this.state === "online") this.#send("subscribe", { channels: fresh });
  }

  unsubscribe(...names) {
    const there = names.filter((name) => this.channels.delete(name));
    if (there.length && this.state === "online") this.#send("unsubscribe", { channels: there });
  }

  /** What the gateway says of our subscriptions: queued, merged. */
  subscriptions() {
    return new Promise((resolve, reject) => {
      if (this.state !== "online") reject(new NoAnswer("There is no connection"));
      else this.#send("get_subscriptions", {}, resolve, reject);
    });
  }

  async connect() {
    clearTimeout(this.#timer);
    if (!this.session || this.#socket) return;
    this.#become("connecting");
    try {
      const { subprotocol } = await this.call("get_ws_ticket");
      if (this.#socket || !this.session) return;
      this.#open(subprotocol);
    } catch (error) {
      if (!(error instanceof SignedOut)) this.#later();
    }
  }

  #open(subprotocol) {
    const url = new URL("/ui/ws", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url, ["mtg.v1", subprotocol]);
    this.#socket = socket;
    this.lastHeard = Date.now();
    socket.onmessage = ({ data }) => this.#heard(JSON.parse(data));
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) return;
      this.#drop();
      if (code === 4506) this.#over(`The session is over (${reason}).`);
      else this.#later();
    };
  }

  #heard(message) {
    this.lastHeard = Date.now();
    if (message.method === "event") this.#event(message.params);
    else if (message.method === "welcome") {
      this.welcome = message.params;
      this.#wait = FIRST_WAIT_MS;
      for (const channel of this.channels.values()) channel.seq = null;
      this.#become("online");
      if (this.channels.size) this.#send("subscribe", { channels: [...this.channels.keys()] });
    } else if (message.id !== undefined && this.#sent.has(message.id)) {
      const sent = this.#sent.get(message.id);
      this.#sent.delete(message.id);
      sent.done(message);
    }
  }

  #event(params) {
    const channel = this.channels.get(params.channel);
    if (channel) {
      channel.events += 1;
      channel.last = Date.now();
      channel.seq = params.seq;
      if (params.type === "gap") channel.gaps += 1;
    }
    this.dispatchEvent(new CustomEvent("event", { detail: params }));
  }

  #send(method, params, resolve = () => {}, reject = () => {}) {
    const id = ++this.#id;
    const began = performance.now();
    const done = (message) => {
      if (method === "ping" && message.result) {
        this.roundTrips.push({ at: Date.now(), ms: performance.now() - began });
        if (this.roundTrips.length > MAX_SAMPLES) this.roundTrips.shift();
      }
      if (method === "subscribe") this.dispatchEvent(new CustomEvent("subscribed", { detail: message.result }));
      if (message.error) reject(new Refused(message.error));
      else resolve(message.result);
    };
    this.#sent.set(id, { done, reject });
    this.#socket?.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  }

  /** Ping, and give a connection up that says nothing: a sleeping machine gets no close frame. */
  #look() {
    if (this.state !== "online") return;
    if (Date.now() - this.lastHeard > SILENT_MS) {
      this.#drop();
      this.#later();
    } else this.#send("ping", {});
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    for (const { reject } of this.#sent.values()) reject(new NoAnswer("The connection was lost"));
    this.#sent.clear();
    socket?.close();
  }

  #later() {
    this.retryAt = Date.now() + this.#wait;
    this.#become("waiting");
    this.#timer = setTimeout(() => this.connect(), this.#wait);
    this.#wait = Math.min(LONGEST_WAIT_MS, this.#wait * 2);
  }

  #become(state) {
    if (this.state === state) return;
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
