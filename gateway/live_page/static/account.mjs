// Account: sums, the equity curve of this session, what is used of limits, and the halt.

import { LineChart } from "./chart.mjs";
import { el, mark, say } from "./dom.mjs";
import { money, signed, stampWithZone } from "./format.mjs";
import { askHalt, askResume } from "./orders.mjs";

const TILES = [
  ["Equity", (a) => money(a.equity)], ["Balance", (a) => money(a.balance)], ["Floating profit", (a) => signed(a.profit), (a) => a.profit],
  ["Margin used", (a) => money(a.margin)], ["Margin free", (a) => money(a.margin_free)],
  ["Margin level", (a) => (a.margin_level === null ? "–" : `${money(a.margin_level)} %`)],
];

export class Account {
  name = "Account";
  key = "account";

  constructor(model) {
    this.model = model;
    this.tiles = TILES.map(([name, text, sign]) => ({ text, sign, name, shown: el("b", {}, "–"), unit: el("small") }));
    const canvas = el("canvas", { role: "img", ariaLabel: "Equity and balance since this page was opened" });
    this.curve = new LineChart(canvas, [{ field: "balance", color: "muted" }, { field: "equity", color: "accent", fill: true }], (value) => money(value));
    this.facts = el("dl.facts");
    this.limits = el("div.limits");
    this.halt = el("p.halt");
    this.button = el("button", { type: "button", onclick: () => (this.isHalted ? askResume(model) : askHalt(model)) }, "Halt trading");
    this.node = el("section.account", { ariaLabel: "Account" },
      el("div.tiles", {}, this.tiles.map((tile) => el("div.card.tile", {}, el("span", {}, tile.name), el("p", {}, tile.shown, tile.unit)))),
      el("div.card.curve", {}, el("h2", {}, "Equity", el("span.key.accent", {}, "equity"), el("span.key", {}, "balance"), this.since = el("small")), el("div.plot", {}, canvas)),
      el("div.card", {}, el("h2", {}, "Used of what is allowed"), this.limits),
      el("div.card", {}, el("h2", {}, "Trading"), this.halt, this.button),
      el("div.card.who", {}, el("h2", {}, "Account"), this.facts));
  }

  get isHalted() {
    return this.model.trading ? !this.model.trading.trading_enabled : false;
  }

  update(what) {
    const { account, trading } = this.model;
    if (account && ["account", "show", "positions", "orders"].includes(what)) this.#account(account);
    this.#halt(trading);
  }

  #account(account) {
    for (const tile of this.tiles) {
      say(tile.shown, tile.text(account));
      say(tile.unit, tile.name === "Margin level" ? "" : account.currency);
      mark(tile.shown, "up", tile.sign?.(account) > 0);
      mark(tile.shown, "down", tile.sign?.(account) < 0);
    }
    const { equity } = this.model;
    this.curve.show(equity);
    say(this.since, equity.length ? `since ${stampWithZone(equity[0].at)}` : "");
    this.#show(this.facts, [
      ["Login", String(account.login)], ["Server", account.server], ["Company", account.company], ["Name", account.name],
      ["Kind", account.paper ? "paper: no order reaches the market" : account.trade_mode], ["Leverage", `1:${account.leverage}`],
      ["Positions", account.margin_mode], ["Currency", account.currency],
    ]);
    this.#bars(account);
  }

  #show(list, pairs) {
    const key = JSON.stringify(pairs);
    if (list.dataset.shown === key) return;
    list.dataset.shown = key;
    list.replaceChildren(...pairs.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
  }

  #bars(account) {
    const { model } = this;
    const call = account.margin_so_mode === "percent" ? account.margin_so_call : null;
    const bars = [
      ["Margin of equity", account.margin, account.equity, `${money(account.margin)} of ${money(account.equity)} ${account.currency}`],
      call && account.margin ? ["Towards the margin call", call, account.margin_level, `level ${money(account.margin_level)} %, call at ${money(call)} %`] : null,
      account.limit_orders ? ["Pending orders", model.orders.size, account.limit_orders, `${model.orders.size} of ${account.limit_orders}`] : null,
    ].filter(Boolean);
    const key = JSON.stringify(bars);
    if (this.limits.dataset.shown === key) return;
    this.limits.dataset.shown = key;
    this.limits.replaceChildren(...bars.map(([name, used, allowed, text]) =>
      el("div.limit", {}, el("span", {}, name), el("meter", { min: 0, max: 1, high: 0.8, low: 0.5, optimum: 0, value: allowed ? Math.min(1, used / allowed) : 0, ariaLabel: name }), el("small", {}, text))));
  }

  #halt(trading) {
    const { model } = this;
    const halts = trading?.halts ?? [];
    say(this.halt, !trading ? "…" : trading.trading_enabled
      ? "New orders are let through."
      : `Halted by ${halts[0]?.armed_by ?? "somebody"} since ${stampWithZone(halts[0]?.since)}${halts[0]?.reason ? `: ${halts[0].reason}` : ""}. Closing and cancelling ${halts[0]?.reductions === false ? "are stopped, too" : "go on"}.`);
    mark(this.halt, "halted", this.isHalted);
    say(this.button, this.isHalted ? "Resume trading" : "Halt trading");
    mark(this.button, "danger", !this.isHalted);
    this.button.disabled = !model.canTrade || model.gateway.state !== "online";
    this.button.title = model.canTrade ? "" : "This session only shows";
  }
}
