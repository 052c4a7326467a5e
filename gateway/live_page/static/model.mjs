// What is known of the terminal. Each list is bounded: a page may stay open for days.

import { price } from "./format.mjs";
import { NoAnswer, Refused, SignedOut } from "./gateway.mjs";

export const MAX_DEALS = 300;
export const MAX_REQUESTS = 200;
export const MAX_POINTS = 2000;
export const MAX_LINK_EVENTS = 200;
const DAY_MS = 86_400_000;
const ASK_AGAIN_MS = 1500;
const WORTH_SENDING_MS = 5000;
/** After the deadline of an order no copy of it can still be on its way. */
const SURELY_GONE_MS = 10_000;

/** Events: "change" with the name of what changed: prices, account, positions, orders ... */
export class Model extends EventTarget {
  symbols = [];
  info = new Map();
  ticks = new Map();
  positions = new Map();
  orders = new Map();
  deals = [];
  requests = [];
  unknown = [];
  equity = [];
  linkEvents = [];
  account = null;
  terminal = null;
  trading = null;
  figures = null;
  #asked = new Map();

  constructor(gateway) {
    super();
    this.gateway = gateway;
    gateway.addEventListener("event", ({ detail }) => this.#event(detail));
    gateway.addEventListener("state", ({ detail }) => {
      this.#note(detail === "online" ? "connected" : detail === "waiting" ? "connection lost" : null);
      if (detail === "online") this.load();
    });
  }

  get canTrade() {
    return Boolean(this.gateway.session?.trade);
  }

  get isLinked() {
    return this.terminal?.state === "ready";
  }

  get isLive() {
    return this.gateway.state === "online" && this.isLinked;
  }

  digits(symbol) {
    const info = this.info.get(symbol);
    if (!info && symbol) this.symbol(symbol).catch(() => {});
    return info?.digits ?? null;
  }

  /** Read all that no snapshot tells; after each connection, since much may have happened. */
  async load() {
    this.gateway.subscribe("terminal", "account", "positions", "orders", "deals", "pnl");
    const told = await Promise.allSettled([this.#loadTrading(), this.#loadDeals(), this.refreshFigures()]);
    for (const { reason } of told) if (reason && !isExpected(reason)) throw reason;
  }

  async loadSymbols() {
    const names = await this.gateway.call("get_symbols");
    this.symbols = names;
    this.#changed("symbols");
    return names;
  }

  /** Return a symbol's properties; each is asked for once. */
  symbol(name) {
    if (!this.#asked.has(name)) {
      const asked = this.gateway.call("get_symbol_info", { symbol: name }).then((info) => {
        this.info.set(info.name, info);
        if (!this.ticks.has(info.name) && info.bid !== null) {
          this.ticks.set(info.name, { symbol: info.name, bid: info.bid, ask: info.ask, time: info.time });
        }
        this.#changed("symbols");
        return info;
      });
      asked.catch(() => this.#asked.delete(name));
      this.#asked.set(name, asked);
    }
    return this.#asked.get(name);
  }

  async #loadTrading() {
    this.trading = await this.gateway.call("get_trading_enabled");
    this.#changed("trading");
  }

  async #loadDeals() {
    const from = this.gateway.now() - 30 * DAY_MS;
    const { deals } = await this.gateway.call("get_history_orders", { kind: "deals", from });
    const known = new Map([...deals, ...this.deals].map((deal) => [deal.ticket, deal]));
    this.deals = [...known.values()].sort((a, b) => b.time - a.time || b.ticket - a.ticket).slice(0, MAX_DEALS);
    this.#changed("deals");
  }

  async refreshFigures() {
    this.figures = await this.gateway.figures();
    this.unknown = this.figures.unknown;
    this.#changed("requests", "figures");
  }

  // --- events ------------------------------------------------------------------------------

  #event({ channel, type, data, ts }) {
    const topic = channel.split(/[.:]/)[0];
    if (type === "gap" || type === "end") return;
    if (topic === "tick") {
      this.ticks.set(data.symbol, data);
      this.#changed("prices");
    } else if (topic === "bar") this.dispatchEvent(new CustomEvent("bar", { detail: data }));
    else if (topic === "account") this.#account(data, ts);
    else if (topic === "positions") this.#keep(this.positions, data, data.positions, data.position, "positions");
    else if (topic === "orders") this.#orders(data);
    else if (topic === "deals") this.#deal(data.deal);
    else if (topic === "pnl") this.#pnl(data);
    else if (topic === "terminal") this.#terminal(data);
  }

  #account(data, ts) {
    this.account = data;
    const last = this.equity.at(-1);
    const point = { at: ts, equity: data.equity, balance: data.balance };
    // a point a second: what came within it is one
    if (last && ts - last.at < 1000) this.equity[this.equity.length - 1] = { ...point, at: last.at };
    else this.equity.push(point);
    // of an older half every second point goes, so that the whole session stays visible
    if (this.equity.length > MAX_POINTS) {
      const half = this.equity.length >> 1;
      this.equity = this.equity.filter((_, i) => i >= half || i % 2 === 0);
    }
    this.#changed("account");
  }

  #keep(map, data, all, item, what) {
    if (all) {
      map.clear();
      for (const each of all) map.set(each.ticket, each);
    } else if (data.op === "remove") map.delete(item.ticket);
    else map.set(item.ticket, item);
    this.#changed(what);
  }

  #orders(data) {
    if (data.op === "settled") {
      const request = this.requests.find((each) => each.id === data.client_order_id);
      if (request) this.#settle(request, data.outcome, data);
      this.unknown = this.unknown.filter((each) => each.client_order_id !== data.client_order_id);
      this.#changed("requests");
    } else if (data.order && isOver(data.order)) {
      this.orders.delete(data.order.ticket);
      this.#changed("orders");
    } else this.#keep(this.orders, data, data.orders, data.order, "orders");
  }

  #deal(deal) {
    if (this.deals.some((each) => each.ticket === deal.ticket)) return;
    this.deals.unshift(deal);
    this.deals.length = Math.min(this.deals.length, MAX_DEALS);
    this.#changed("deals");
  }

  #pnl(data) {
    for (const told of data.positions) {
      const position = this.positions.get(told.ticket);
      if (position) Object.assign(position, told);
    }
    this.#changed("positions");
  }

  #terminal(data) {
    if (data.event === "kill_switch") {
      this.#loadTrading().catch(() => {});
      this.#note(data.trading_enabled ? "trading resumed" : "trading halted");
      return;
    }
    if (this.terminal && this.terminal.state !== data.state) this.#note(`terminal ${data.state}`);
    this.terminal = data;
    this.#changed("terminal");
  }

  #note(text) {
    if (!text) return;
    this.linkEvents.unshift({ key: `${Date.now()}-${this.linkEvents.length}`, at: Date.now(), text });
    this.linkEvents.length = Math.min(this.linkEvents.length, MAX_LINK_EVENTS);
    this.#changed("link");
  }

  // --- trades ------------------------------------------------------------------------------

  /**
   * Send what changes the account, once. What became of it is kept among the requests: done,
   * rejected, not_sent, or unknown until the gateway's journal tells.
   */
  async trade(method, params, about) {
    const now = this.gateway.now();
    const id = this.newId();
    const request = {
      id, method, about, at: now, outcome: "pending", note: "being carried out", symbol: params.symbol ?? about.symbol,
      account: accountKey(this.account), session: this.gateway.session,
    };
    this.requests.unshift(request);
    this.requests.length = Math.min(this.requests.length, MAX_REQUESTS);
    this.#changed("requests");
    request.deadline = now + WORTH_SENDING_MS;
    try {
      const receipt = await this.gateway.call(method, { ...params, client_order_id: id, deadline_ms: request.deadline });
      this.#settle(request, "done", { result: receipt });
    } catch (error) {
      if (error instanceof Refused && error.data.outcome && error.data.outcome !== "unknown") {
        this.#settle(request, error.data.outcome, { error });
      } else {
        request.outcome = "unknown";
        request.note = `${error.message}. It may have been executed; asking the gateway’s journal.`;
        this.#changed("requests");
        this.#followUp(request);
      }
    }
    return request;
  }

  /** Return a client_order_id that nobody has used. */
  newId() {
    return `live-${this.gateway.now().toString(36)}-${[...crypto.getRandomValues(new Uint32Array(2))].map((n) => n.toString(36)).join("")}`;
  }

  /** Ask the journal what became of a request, until it tells. It is not sent again. */
  async #followUp(request) {
    while (request.outcome === "unknown") {
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      // another session may be of another terminal, whose journal knows nothing of it
      if (this.gateway.session !== request.session) return;
      const isDue = this.gateway.now() > request.deadline + SURELY_GONE_MS;
      // the journal looks only among the orders of the account that is logged in to now
      const wasThere = isDue && (await this.#isLoggedInTo(request.account));
      try {
        const told = await this.gateway.call("get_order", { client_order_id: request.id });
        if (["done", "rejected", "not_sent"].includes(told.outcome)) this.#settle(request, told.outcome, told);
      } catch (error) {
        const isAbsent = error instanceof Refused && error.name === "order_not_found";
        if (isAbsent && wasThere && (await this.#isLoggedInTo(request.account)) && request.outcome === "unknown") {
          this.#settle(request, "not_sent", { error });
        }
      }
    }
  }

  /** Whether the terminal is logged in to an account now; false where nobody can tell. */
  async #isLoggedInTo(account) {
    try {
      return account !== null && accountKey(await this.gateway.call("get_account_info")) === account;
    } catch {
      return false;
    }
  }

  #settle(request, outcome, { result, error }) {
    request.outcome = outcome;
    request.result = result ?? null;
    request.note = noteOf(outcome, result, error, (symbol) => this.digits(symbol));
    this.#changed("requests");
    this.dispatchEvent(new CustomEvent("settled", { detail: request }));
  }

  async setTrading(enabled, reason = "") {
    this.trading = await this.gateway.call("set_trading_enabled", enabled ? { enabled } : { enabled, reason });
    this.#changed("trading");
  }

  #changed(...names) {
    for (const name of names) this.dispatchEvent(new CustomEvent("change", { detail: name }));
  }
}

/** What tells one account from another; null while it is not known. */
export const accountKey = (told) => (told?.login && told.server ? JSON.stringify([told.login, told.server, Boolean(told.paper)]) : null);

const isOver = (order) => ["canceled", "filled", "rejected", "expired"].includes(order.state);

const isExpected = (error) => [NoAnswer, Refused, SignedOut].some((kind) => error instanceof kind);

function noteOf(outcome, result, error, digits) {
  if (outcome === "done") {
    const order = result?.order;
    if (!order) return "done";
    if (!order.avg_price) return `${order.state ?? "changed"}, order ${order.order ?? order.position}`;
    return `${order.state} at ${price(order.avg_price, digits(order.symbol))}, order ${order.order}`;
  }
  return error?.message ?? outcome;
}
