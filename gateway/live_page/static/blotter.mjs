// Blotter: positions, pending orders, what was asked for and what became of it, and fills.

import { el, mark, say, Table } from "./dom.mjs";
import { lots, price, signed, stamp, words, zone } from "./format.mjs";
import { cancelOrder, changeStops, closePosition } from "./orders.mjs";
import { tell } from "./ask.mjs";

const num = (name, text) => ({ name, kind: "num", text });

function button(word, label, act, enabled) {
  return {
    name: "", spoken: word, kind: "act",
    fill: (cell, item) => cell.append(el("button.small", {
      type: "button", onclick: () => act(item()).catch((error) => tell(error.message, "bad")),
    }, word)),
    set: (cell, item) => {
      const node = cell.firstElementChild;
      const wanted = label(item);
      if (node.ariaLabel !== wanted) node.ariaLabel = wanted;
      if (node.disabled !== !enabled()) node.disabled = !enabled();
    },
  };
}

const side = (name, of) => ({
  name,
  fill: (cell) => cell.append(el("span.side")),
  set: (cell, item) => {
    const type = of(item);
    say(cell.firstElementChild, words(type));
    mark(cell, "buy", type.startsWith("buy"));
    mark(cell, "sell", type.startsWith("sell"));
  },
});

const profit = (of) => ({
  name: "Profit", kind: "num profit",
  set: (cell, item) => {
    const value = of(item);
    say(cell, signed(value));
    mark(cell, "up", value > 0);
    mark(cell, "down", value < 0);
  },
});

const when = (name, of) => ({ name: `${name} (${zone()})`, kind: "time", text: (item) => stamp(of(item)) });

/** Table of positions, with a way to show those that pass a filter. */
export function positionsTable(model) {
  const digits = (p) => model.digits(p.symbol);
  const step = (p) => model.info.get(p.symbol)?.volume_step;
  const table = new Table([
    { name: "Symbol", kind: "symbol", text: (p) => p.symbol }, side("Side", (p) => p.type),
    num("Volume", (p) => lots(p.volume, step(p))), num("Open", (p) => price(p.price_open, digits(p))),
    num("Now", (p) => price(p.price_current, digits(p))), num("Stop loss", (p) => price(p.sl, digits(p))),
    num("Take profit", (p) => price(p.tp, digits(p))), profit((p) => p.profit),
    { name: "Ticket", kind: "num minor", text: (p) => String(p.ticket) }, { ...when("Opened", (p) => p.time), kind: "time minor" },
    button("Stops", (p) => `Change stops of position ${p.ticket}`, (p) => changeStops(model, p), () => model.canTrade && model.isLive),
    button("Close", (p) => `Close position ${p.ticket}, ${p.type} ${p.symbol}`, (p) => closePosition(model, p), () => model.canTrade && model.isLive),
  ], { label: "Open positions", empty: "No open positions.", keyOf: (p) => p.ticket });
  const show = (passes = () => true) =>
    table.show([...model.positions.values()].filter(passes).sort((a, b) => b.ticket - a.ticket));
  return { node: table.node, show };
}

function ordersTable(model) {
  const digits = (o) => model.digits(o.symbol);
  const table = new Table([
    { name: "Symbol", kind: "symbol", text: (o) => o.symbol }, side("Type", (o) => o.type),
    num("Volume", (o) => lots(o.volume_current, model.info.get(o.symbol)?.volume_step)),
    num("Price", (o) => price(o.price_open, digits(o))), num("Now", (o) => price(now(model, o), digits(o))),
    num("Stop loss", (o) => price(o.sl, digits(o))), num("Take profit", (o) => price(o.tp, digits(o))),
    { name: "State", text: (o) => words(o.state) },
    { name: "Ticket", kind: "num minor", text: (o) => String(o.ticket) }, { ...when("Placed", (o) => o.time_setup), kind: "time minor" },
    button("Stops", (o) => `Change stops of order ${o.ticket}`, (o) => changeStops(model, o), () => model.canTrade && model.isLive),
    button("Cancel", (o) => `Cancel order ${o.ticket}, ${words(o.type)} ${o.symbol}`, (o) => cancelOrder(model, o), () => model.canTrade && model.isLive),
  ], { label: "Pending orders", empty: "No pending orders.", keyOf: (o) => o.ticket });
  return { node: table.node, show: (passes) => table.show([...model.orders.values()].filter(passes).sort((a, b) => b.ticket - a.ticket)) };
}

/** The price that an order waits against; the order's own is of when it last changed. */
function now(model, order) {
  const tick = model.ticks.get(order.symbol);
  if (!tick) return order.price_current;
  return order.type.startsWith("buy") ? tick.ask : tick.bid;
}

const OUTCOMES = { pending: "under way", done: "done", rejected: "rejected", not_sent: "not sent", unknown: "unknown" };

function requestsTable(model) {
  const table = new Table([
    when("Asked", (r) => r.at), { name: "Request", text: (r) => r.text },
    {
      name: "Outcome",
      fill: (cell) => cell.append(el("span.outcome")),
      set: (cell, r) => {
        const badge = cell.firstElementChild;
        say(badge, OUTCOMES[r.outcome] ?? r.outcome);
        badge.className = `outcome ${r.outcome}`;
      },
    },
    { name: "What is known", kind: "wide", text: (r) => r.note },
    { name: "client_order_id", kind: "id minor", text: (r) => r.id },
  ], { label: "Requests", empty: "No requests of this page yet, and none of unknown outcome.", keyOf: (r) => r.id });
  return { node: table.node, show: (passes) => table.show(requests(model).filter(passes)) };
}

/** Those of this page, and those of any program of which nobody knows the outcome. */
function requests(model) {
  const own = model.requests.map((r) => ({ id: r.id, at: r.at, text: r.about.text, symbol: r.symbol, outcome: r.outcome, note: r.note }));
  const ids = new Set(own.map((r) => r.id));
  const others = model.unknown.filter((r) => !ids.has(r.client_order_id)).map((r) => {
    const sent = r.sends[0];
    const text = [words(r.method ?? "the gateway itself"), words(sent?.type), sent?.volume, sent?.symbol].filter(Boolean).join(" ");
    const isUnderWay = r.outcome === "pending";
    return {
      id: r.client_order_id, at: r.time_created, text, symbol: sent?.symbol ?? "", outcome: r.outcome,
      note: isUnderWay ? "being carried out" : "It may have been executed. The gateway goes on looking; mt-gateway settle ends it by hand.",
    };
  });
  return [...own, ...others].sort((a, b) => b.at - a.at);
}

function dealsTable(model) {
  const digits = (d) => model.digits(d.symbol);
  const table = new Table([
    when("Time", (d) => d.time), { name: "Symbol", kind: "symbol", text: (d) => d.symbol || words(d.type) },
    side("Side", (d) => d.type), { name: "Entry", text: (d) => words(d.entry ?? "") },
    num("Volume", (d) => (d.symbol ? lots(d.volume, model.info.get(d.symbol)?.volume_step) : "–")),
    num("Price", (d) => (d.symbol ? price(d.price, digits(d)) : "–")),
    num("Costs", (d) => signed((d.commission ?? 0) + (d.swap ?? 0) + (d.fee ?? 0))), profit((d) => d.profit),
    { name: "Deal", kind: "num minor", text: (d) => String(d.ticket) }, { name: "Order", kind: "num minor", text: (d) => String(d.order ?? "–") },
    { name: "Comment", kind: "minor", text: (d) => d.comment },
  ], { label: "Fills", empty: "No fills in the last 30 days.", keyOf: (d) => d.ticket, max: 200 });
  return { node: table.node, show: (passes) => table.show(model.deals.filter(passes)) };
}

export class Blotter {
  name = "Blotter";
  key = "blotter";

  constructor(model) {
    this.model = model;
    this.parts = [
      ["Positions", positionsTable(model), () => model.positions.size],
      ["Orders", ordersTable(model), () => model.orders.size],
      ["Requests", requestsTable(model), () => requests(model).length],
      ["Fills", dealsTable(model), () => model.deals.length],
    ].map(([name, table, count], index) => {
      const number = el("span.count", {}, "0");
      const tab = el("button", { type: "button", role: "tab", id: `tab-${index}`, onclick: () => this.open(index) }, name, number);
      const panel = el("div.panel", { role: "tabpanel", "aria-labelledby": `tab-${index}` }, table.node);
      return { name, table, count, number, tab, panel };
    });
    this.filter = el("input", { type: "search", placeholder: "Filter: symbol, ticket, magic, comment, id", ariaLabel: "Filter", oninput: () => this.update("filter") });
    this.tabs = el("div.segments", { role: "tablist", ariaLabel: "Blotter", onkeydown: (event) => this.#key(event) }, this.parts.map((part) => part.tab));
    this.node = el("section.blotter.card", { ariaLabel: "Blotter" },
      el("div.toolbar", {}, this.tabs, this.filter), this.parts.map((part) => part.panel));
    this.open(0);
  }

  open(index) {
    this.parts.forEach((part, i) => {
      part.panel.hidden = i !== index;
      part.tab.setAttribute("aria-selected", String(i === index));
      part.tab.tabIndex = i === index ? 0 : -1;
    });
    this.at = index;
    this.update("filter");
  }

  #key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    this.open((this.at + step + this.parts.length) % this.parts.length);
    this.parts[this.at].tab.focus();
  }

  #passes = (item) => {
    const wanted = this.filter.value.trim().toLowerCase();
    if (!wanted) return true;
    const { symbol, ticket, magic, comment, id, text, order } = item;
    return [symbol, ticket, magic, comment, id, text, order].some((value) => String(value ?? "").toLowerCase().includes(wanted));
  };

  update() {
    for (const part of this.parts) say(part.number, String(part.count()));
    this.parts[this.at].table.show(this.#passes);
  }
}
