// Client of mt-gateway for Node.js 22 and later, Deno, Bun and browsers; it needs no other package.
// Calls are one POST each; each subscription has a WebSocket of its own, opened by a ticket.
import { KEYED, READS } from "./api.js";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;
const MAX_ANNOUNCED_MS = 60_000;
/** For the answer to `subscribe`. */
const ANSWER_MS = 10_000;
/** The gateway says something every 15 seconds: after this the connection is taken for dead. */
const SILENCE_MS = 40_000;
/** Events that wait to be taken; with more the connection is given up, and resumed from the last that was taken. */
export const MAX_WAITING = 10_000;
/** Codes from here on: do not come back. */
const FINAL = 4500;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const delayOf = (failures) =>
  Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures, 20)) * (0.5 + Math.random() / 2);

/** An id that no order ever had; make it once for an order, before the first try. */
export const newClientOrderId = () => {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `ts-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
};

/** The gateway has answered with an error; `name` is its stable name, such as `market_closed`. */
export class GatewayError extends Error {
  constructor({ code, message, data }) {
    super(message);
    this.code = code;
    this.data = data ?? {};
    this.name = this.data.name ?? "unknown_error";
    this.retryable = this.data.retryable === true;
    this.outcome = this.data.outcome;
  }
}

/** No answer of the gateway came. Of a trade `outcome` is `unknown`: ask again with the same `clientOrderId`. */
export class NoAnswer extends Error {
  constructor(message, { retryable = true, outcome, cause, closeCode } = {}) {
    super(message, { cause });
    this.name = "no_answer";
    this.retryable = retryable;
    this.outcome = outcome;
    this.closeCode = closeCode;
  }
}

export class Gateway {
  #auth;
  #url;
  #timeoutMs;
  #fetch;
  #WebSocket;

  constructor(url, authToken, options = {}) {
    const base = new URL(url);
    if (!/^https?:$/.test(base.protocol) || base.username || base.password) {
      throw new TypeError("give the gateway's URL, such as http://127.0.0.1:7400, without secrets");
    }
    this.#url = base.origin;
    this.#auth = `Bearer ${authToken}`;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#fetch = options.fetch ?? ((...request) => globalThis.fetch(...request));
    this.#WebSocket = options.WebSocket ?? globalThis.WebSocket;
  }

  async call(method, params = {}, { retryMs = 0, signal } = {}) {
    const keyed = KEYED.has(method);
    // one id for all tries: the gateway answers the second as it answered the first
    const sent = keyed ? { ...params, client_order_id: params.client_order_id ?? newClientOrderId() } : params;
    const reads = READS.has(method);
    const until = Date.now() + (reads || keyed ? retryMs : 0);
    for (let failures = 0; ; failures++) {
      try {
        return await this.#once(method, sent, reads, signal);
      } catch (error) {
        if (keyed) error.clientOrderId = sent.client_order_id;
        const wait = Math.max(delayOf(failures), error.data?.retry_after_ms ?? 0);
        // an error with the outcome unknown is an answer: the gateway finds out, and get_order tells
        const again = error instanceof NoAnswer || (error.retryable && (reads || error.outcome === "not_sent"));
        if (!again || !error.retryable || signal?.aborted || Date.now() + wait > until) throw error;
        await sleep(wait);
      }
    }
  }

  async #once(method, params, reads, signal) {
    const outcome = reads ? undefined : "unknown";
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    let text, status;
    try {
      const answer = await this.#fetch(`${this.#url}/rpc`, {
        method: "POST",
        headers: { Authorization: this.#auth, "Content-Type": "application/json" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }, finite),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        redirect: "error",
      });
      status = answer.status;
      text = await answer.text();
    } catch (cause) {
      if (cause instanceof RangeError) throw cause;
      throw new NoAnswer(`no answer to ${method} came from ${this.#url}`, { outcome, cause });
    }
    let body;
    try {
      body = JSON.parse(text);
    } catch (cause) {
      throw new NoAnswer(`what answers at ${this.#url} is no gateway (HTTP ${status})`, { outcome, cause, retryable: false });
    }
    const speaks = body?.jsonrpc === "2.0";
    // a proxy tells its own errors in JSON, too: the request may have got through
    if (speaks && Number.isInteger(body.error?.code)) throw new GatewayError(body.error);
    if (!speaks || body.id !== 1 || body.error || !("result" in body)) {
      throw new NoAnswer(`what answers at ${this.#url} is no gateway (HTTP ${status})`, { outcome, retryable: false });
    }
    return body.result;
  }

  subscribe(channels, options = {}) {
    const names = [channels].flat();
    if (!names.length) throw new TypeError("name at least one channel, such as tick:EURUSD");
    return new Subscription(names, options, async () => {
      const { subprotocol } = await this.call("get_ws_ticket");
      return new this.#WebSocket(`${this.#url.replace(/^http/, "ws")}/ws`, ["mtg.v1", subprotocol]);
    });
  }
}

const finite = (key, value) => {
  if (typeof value === "number" && !Number.isFinite(value)) throw new RangeError(`${key} is ${value}`);
  return value;
};

class Subscription {
  #connect;
  #channels;
  #common;
  #since; // where the caller began, then where we are: {epoch, seq, lossless} by channel
  #taken = new Map(); // the same of the last event that the caller took
  #waiting = [];
  #wake = () => {};
  #failure;
  #closed = false;
  #running = false;
  #leave = () => {};

  constructor(channels, { snapshot = true, terminal, since = {} }, connect) {
    this.#channels = [...new Set(channels)];
    this.#common = { snapshot, ...(terminal && { terminal }) };
    this.#since = new Map(Object.entries(since));
    this.#connect = connect;
  }

  get positions() {
    return Object.fromEntries([...this.#taken].map(([name, { epoch, seq }]) => [name, { epoch, seq }]));
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async next() {
    if (!this.#running) {
      this.#running = true;
      this.#run();
    }
    while (!this.#waiting.length) {
      if (this.#failure) {
        const failure = this.#failure;
        this.#failure = undefined;
        this.#closed = true;
        throw failure;
      }
      if (this.#closed) return { done: true, value: undefined };
      await new Promise((resolve) => (this.#wake = resolve));
    }
    const value = this.#waiting.shift();
    // of the new epoch nothing was taken yet: a resume from here must not skip what follows
    const isBefore = value.type === "gap" && value.data.reason === "epoch_changed";
    if (!isBefore) this.#taken.set(value.channel, { epoch: value.epoch, seq: value.seq });
    return { done: false, value };
  }

  /** `break` out of a loop comes here, too. */
  async return() {
    this.#closed = true;
    this.#running = true;
    this.#waiting = [];
    this.#leave();
    this.#wake();
    return { done: true, value: undefined };
  }

  async #run() {
    for (let failures = 0, begun = false; !this.#closed; failures++) {
      let announced = 0;
      try {
        await this.#live(begun, () => ((begun = true), (failures = 0)), (ms) => (announced = ms));
        this.#closed = true; // closed by the gateway, in order
      } catch (error) {
        if (this.#closed) break;
        // before the first success an error is a mistake of the caller's, to be told and not healed;
        // later a proxy's page stands where a gateway was that starts again
        const final = (error instanceof GatewayError && !error.retryable) || error.closeCode >= FINAL;
        if (!begun || final) {
          this.#failure = error;
          break;
        }
        await sleep(Math.min(announced ?? 0, MAX_ANNOUNCED_MS) + delayOf(failures));
      }
    }
    this.#wake();
  }

  /** One connection, until it ends. */
  async #live(begun, answered, announce) {
    const socket = await this.#connect();
    let timer;
    try {
      await new Promise((resolve, reject) => {
        const lose = (why, options) => reject(new NoAnswer(why, options));
        const watch = (ms) => {
          clearTimeout(timer);
          timer = setTimeout(() => lose("the gateway has fallen silent"), ms);
        };
        this.#leave = resolve;
        if (this.#closed) resolve();
        watch(ANSWER_MS);
        socket.onopen = () => socket.send(this.#request());
        socket.onerror = () => {}; // a close follows
        socket.onclose = ({ code, reason }) =>
          code === 1000 ? resolve() : lose(`the gateway closed the stream: ${code} ${reason}`, { retryable: code < FINAL, closeCode: code });
        let live = false;
        socket.onmessage = ({ data }) => {
          try {
            for (const message of [JSON.parse(data)].flat()) {
              if (message.id === "subscribe") {
                this.#subscribed(message, begun);
                live = true;
                answered();
              } else if (message.method === "event") this.#event(message.params);
              else if (message.method === "server_shutdown") announce(message.params.restart_in_ms);
            }
            watch(live ? SILENCE_MS : ANSWER_MS);
          } catch (error) {
            socket.onmessage = null; // what else is on its way comes again
            reject(error);
          }
        };
      });
    } finally {
      clearTimeout(timer);
      socket.onmessage = socket.onclose = null;
      socket.close(1000);
    }
  }

  #request() {
    const channels = this.#channels.map((channel) => {
      const at = this.#since.get(channel);
      return { channel, ...this.#common, ...(at && { since: { epoch: at.epoch, seq: at.seq } }) };
    });
    return JSON.stringify({ jsonrpc: "2.0", id: "subscribe", method: "subscribe", params: { channels } });
  }

  #subscribed({ error, result }, begun) {
    if (error) throw new GatewayError(error);
    const { subscribed, failed } = result;
    if (failed.length && !begun) {
      const names = failed.map(({ channel }) => channel).join(", ");
      const data = { name: "subscribe_failed", retryable: false, failed };
      throw new GatewayError({ code: 4001, message: `These channels could not be subscribed: ${names}`, data });
    }
    for (const entry of failed) {
      const at = this.#since.get(entry.channel);
      if (at) this.#put({ ...at, channel: entry.channel, type: "end", ts: Date.now(), data: entry });
      this.#since.delete(entry.channel);
    }
    for (const { channel, terminal, epoch, seq, delivery, recovered, reason, replayed } of subscribed) {
      const before = this.#since.get(channel);
      // a recovered channel replays from where we are: its position must not jump ahead; only the
      // epoch is another one where the gateway was started anew
      const at = recovered && before ? { ...before, epoch } : { epoch, seq };
      this.#since.set(channel, { ...at, terminal, lossless: delivery === "lossless" });
      if (before) {
        const data = { recovered, reason, replayed };
        this.#put({ channel, terminal, epoch: at.epoch, seq: at.seq, type: "reconnected", ts: Date.now(), data });
      }
    }
    // from now on by their canonical names, which events carry
    this.#channels = subscribed.map(({ channel }) => channel);
  }

  #event(event) {
    const { channel, epoch, seq, type } = event;
    const at = this.#since.get(channel);
    if (!at) return; // subscribed to over /rpc: such events go to every connection of the token
    if (type === "update") {
      // it ends before the event, which a resume after it still has to bring
      const gap = (data) => this.#put({ ...event, seq: seq - 1, type: "gap", data });
      if (epoch !== at.epoch) gap({ from: null, to: null, reason: "epoch_changed" });
      else if (seq > at.seq + 1 && at.lossless) gap({ from: at.seq + 1, to: seq - 1, reason: "missing" });
    }
    this.#since.set(channel, { ...at, epoch, seq });
    this.#put(event);
  }

  #put(event) {
    if (this.#waiting.length >= MAX_WAITING) {
      // the gateway tells again what has not been taken, or says that it cannot
      this.#waiting = [];
      for (const [name, at] of this.#since) {
        const taken = this.#taken.get(name);
        if (taken) {
          this.#since.set(name, { ...at, ...taken });
          continue;
        }
        // of this one nothing was: it begins anew, with its snapshot
        this.#since.delete(name);
        const { terminal, epoch, seq } = at;
        const data = { from: null, to: null, reason: "not_taken" };
        this.#waiting.push({ channel: name, terminal, epoch, seq, type: "gap", ts: Date.now(), data });
      }
      throw new NoAnswer("the events are taken too slowly");
    }
    this.#waiting.push(event);
    this.#wake();
  }
}
