// Live: watch list, candles with what is open on them, and the order ticket.

import { Chart } from "./chart.mjs";
import { el, icon, mark, Rows, say } from "./dom.mjs";
import { lots, price, signed, stamp, words } from "./format.mjs";
import { Ticket } from "./orders.mjs";
import { positionsTable } from "./blotter.mjs";

const FRAMES = ["M1", "M5", "M15", "H1", "H4", "D1"];
const BARS = 400;
const MAX_WATCHED = 12;
const KEPT = "mtg-live-chart";

export class Live {
  name = "Chart";
  key = "live";

  constructor(model) {
    this.model = model;
    this.gateway = model.gateway;
    this.shown = load();
    this.watched = [];
    this.ticket = new Ticket(model);
    this.canvas = el("canvas", { tabIndex: 0, role: "img" });
    this.chart = new Chart(this.canvas);
    this.chart.onHover = (bar) => this.#legend(bar);
    this.chart.onOlder = (before) => this.#older(before);
    this.list = el("ul.watch", { ariaLabel: "Watch list" });
    this.rows = new Rows(this.list, (name) => name, (name) => this.#row(name), (row, name) => this.#update(row, name));
    this.select = el("select", { ariaLabel: "Symbol", onchange: () => this.show(this.select.value) });
    this.frames = FRAMES.map((name) => el("button", { type: "button", onclick: () => this.show(this.shown.symbol, name) }, name));
    this.legend = el("p.legend");
    this.notice = el("p.notice");
    this.positions = positionsTable(model);
    this.facts = el("dl.facts");
    const tools = [["Zoom in", "M12 5v14M5 12h14", () => this.chart.zoom(1.3)], ["Zoom out", "M5 12h14", () => this.chart.zoom(0.77)], ["Go to the newest bar", "M4 12h12m-5-5l5 5-5 5M20 5v14", () => this.chart.latest()]]
      .map(([label, path, act]) => el("button", { type: "button", ariaLabel: label, title: label, onclick: act }, icon(path)));
    this.node = el("section.live", { ariaLabel: "Chart" },
      el("aside.card.watchlist", {}, el("h2", {}, "Watch list"), this.list),
      el("div.card.chart", {},
        el("div.toolbar", {}, this.select, el("div.segments", { role: "group", ariaLabel: "Timeframe" }, this.frames), el("div.segments.tools", {}, tools)),
        this.legend, el("div.plot", {}, this.canvas, this.notice)),
      el("div.side", {}, this.ticket.node, el("div.card.symbol", {}, el("h2", {}, "Symbol"), this.facts)),
      el("div.card.open", {}, el("h2", {}, "Open positions"), this.positions.node));
    model.addEventListener("bar", ({ detail }) => this.#bar(detail));
  }

  /** After each connection: symbols first, then bars, since some may have come meanwhile. */
  async begin() {
    const names = await this.model.loadSymbols();
    if (!names.length) return;
    const now = new Set([...this.select.options].map((option) => option.value));
    if (names.length !== now.size || names.some((name) => !now.has(name))) {
      this.select.replaceChildren(...names.map((name) => el("option", { value: name }, name)));
    }
    this.#watch(names);
    const symbol = names.includes(this.shown.symbol) ? this.shown.symbol : names.includes("EURUSD") ? "EURUSD" : names[0];
    await this.show(symbol, this.shown.frame, true);
  }

  #watch(names) {
    const first = ["EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "USDCHF", "AUDUSD", "USDCAD", "BTCUSD"].filter((name) => names.includes(name));
    const open = [...this.model.positions.values()].map((position) => position.symbol);
    this.watched = [...new Set([...open, ...first, ...names])].slice(0, MAX_WATCHED);
    this.gateway.subscribe(...this.watched.map((name) => `tick.100ms:${name}`));
    for (const name of this.watched) this.model.symbol(name).catch(() => {});
    this.rows.show(this.watched);
  }

  async show(symbol, frame = this.shown.frame, again = false) {
    if (!symbol) return;
    const channel = `bar.${frame}:${symbol}`;
    if (channel === this.channel && !again) return;
    const old = this.channel;
    this.channel = channel;
    this.shown = { symbol, frame };
    localStorage.setItem(KEPT, JSON.stringify(this.shown));
    this.select.value = symbol;
    this.frames.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === frame)));
    this.canvas.setAttribute("aria-label", `${symbol} ${frame} candles. Arrow keys move, plus and minus zoom.`);
    if (old && old !== channel) {
      this.gateway.unsubscribe(old);
      this.chart.setBars([], 0);
    }
    const tick = `tick.100ms:${symbol}`;
    if (this.extra && this.extra !== tick) this.gateway.unsubscribe(this.extra);
    this.extra = this.watched.includes(symbol) ? null : tick;
    this.gateway.subscribe(tick, channel);
    this.ticket.show(symbol).catch(() => {});
    this.rows.show(this.watched);
    this.model.symbol(symbol).then((info) => this.#facts(info), () => {});
    await this.#load(symbol, frame, channel);
  }

  async #load(symbol, frame, channel) {
    if (!this.chart.bars.length) this.#say("Loading…");
    try {
      const [info, told] = await Promise.all([this.model.symbol(symbol), this.gateway.call("get_ohlc", { symbol, timeframe: frame, count: BARS })]);
      if (this.channel !== channel) return;
      this.chart.setBars(told.bars, info.digits);
      this.#say(told.bars.length ? "" : "The terminal has no bars of this symbol.");
      this.update("positions");
    } catch (error) {
      if (this.channel === channel && !this.chart.bars.length) this.#say(error.message);
    }
  }

  async #older(before) {
    const { symbol, frame } = this.shown;
    const channel = this.channel;
    const first = this.chart.bars[0];
    const span = (this.chart.bars.at(-1).time - first.time) || 86_400_000;
    try {
      const told = await this.gateway.call("get_history_prices", { symbol, timeframe: frame, from: before - span, to: before - 1 });
      if (this.channel === channel) this.chart.addOlder(told.bars);
    } catch {
      // the chart stays as it is; the next pan asks again
    }
  }

  #bar(bar) {
    if (`bar.${bar.timeframe}:${bar.symbol}` === this.channel && this.chart.bars.length) this.chart.update(bar);
  }

  #say(text) {
    say(this.notice, text);
  }

  #legend(bar) {
    const digits = this.chart.digits;
    // the day is in the axis where there is no room for it
    const time = stamp(bar?.time).slice(this.canvas.clientWidth < 480 ? 11 : 0, 16);
    say(this.legend, bar
      ? `${time}  O ${price(bar.open, digits)}  H ${price(bar.high, digits)}  L ${price(bar.low, digits)}  C ${price(bar.close, digits)}`
      : "");
  }

  #facts(info) {
    if (info.name !== this.shown.symbol) return;
    const facts = [
      ["Name", info.description], ["Trading", words(info.trade_mode)], ["Contract", `${info.trade_contract_size.toLocaleString("en-US")} ${info.currency_base}`],
      ["Volume", `${lots(info.volume_min, info.volume_step)} to ${lots(info.volume_max, info.volume_step)}`],
      ["Stops level", `${info.trade_stops_level} points`], ["Swap long", String(info.swap_long)], ["Swap short", String(info.swap_short)],
    ];
    this.facts.replaceChildren(...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value || "–")]));
  }

  #row(name) {
    const cells = { bid: el("span.bid"), ask: el("span.ask") };
    const button = el("button", { type: "button", onclick: () => this.show(name) }, el("span.symbol", {}, name), cells.bid, cells.ask);
    return { node: el("li", {}, button), button, cells, last: null };
  }

  #update(row, name) {
    const tick = this.model.ticks.get(name);
    const digits = this.model.digits(name);
    say(row.cells.bid, tick ? price(tick.bid, digits) : "–");
    say(row.cells.ask, tick ? price(tick.ask, digits) : "–");
    if (tick && row.last !== null && tick.bid !== row.last) {
      mark(row.cells.bid, "rose", tick.bid > row.last);
      mark(row.cells.bid, "fell", tick.bid < row.last);
    }
    row.last = tick?.bid ?? null;
    row.button.setAttribute("aria-current", String(name === this.shown.symbol));
  }

  update(what) {
    if (["prices", "symbols"].includes(what)) {
      this.rows.show(this.watched);
      this.chart.quote = this.model.ticks.get(this.shown.symbol) ?? null;
      this.chart.redraw();
    }
    if (["positions", "orders", "deals", "symbols"].includes(what)) this.#draw();
    if (["positions", "symbols", "trading", "terminal", "state"].includes(what)) this.positions.show();
    this.ticket.update();
  }

  #draw() {
    const { symbol } = this.shown;
    const { model, chart } = this;
    const step = model.info.get(symbol)?.volume_step;
    const mine = (map) => [...map.values()].filter((item) => item.symbol === symbol);
    const stops = (item) => [
      { price: item.sl, color: "down", text: "SL", dash: [4, 4] },
      { price: item.tp, color: "up", text: "TP", dash: [4, 4] },
    ].filter((line) => line.price);
    chart.lines = [
      ...mine(model.positions).flatMap((p) => [
        { price: p.price_open, color: p.type === "buy" ? "up" : "down", text: `${p.type} ${lots(p.volume, step)}  ${signed(p.profit)}`, dash: [] }, ...stops(p),
      ]),
      ...mine(model.orders).flatMap((o) => [
        { price: o.price_open, color: "warn", text: `${words(o.type)} ${lots(o.volume_current, step)}`, dash: [6, 3] }, ...stops(o),
      ]),
    ];
    chart.marks = model.deals.filter((deal) => deal.symbol === symbol && deal.price)
      .map((deal) => ({ at: deal.time, price: deal.price, side: deal.type }));
    chart.redraw();
  }
}

function load() {
  try {
    const { symbol, frame } = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return { symbol: String(symbol ?? "EURUSD"), frame: FRAMES.includes(frame) ? frame : "M1" };
  } catch {
    return { symbol: "EURUSD", frame: "M1" };
  }
}
