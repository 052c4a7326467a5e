// Orders: the ticket, and the questions before anything is closed, cancelled or placed.

import { ask, tell } from "./ask.mjs";
import { el, mark, say } from "./dom.mjs";
import { lots, money, price, signed, words } from "./format.mjs";
import { accountKey } from "./model.mjs";

const OUTCOME = {
  done: ["good", "Done"], rejected: ["bad", "Rejected"], not_sent: ["bad", "Not sent"], unknown: ["warn", "Outcome unknown"],
};

/** Tell of each request of this page when it has ended, and while nobody knows. */
export function tellOutcomes(model) {
  model.addEventListener("settled", ({ detail }) => announce(detail));
}

function announce(request) {
  const [kind, word] = OUTCOME[request.outcome] ?? ["plain", request.outcome];
  tell(`${word}: ${request.about.text}${request.note ? ` (${request.note})` : ""}`, kind, request.id);
}

/** Send what a person was asked about; null if the account or the session is another one by now. */
async function send(model, asked, method, params, about) {
  if (asked.session !== model.gateway.session || asked.key !== accountKey(model.account)) {
    tell(`Not sent: ${about.text}. You were asked about ${asked.name}; now the account is ${account(model)}.`, "bad");
    return null;
  }
  const request = await model.trade(method, params, about);
  if (request.outcome === "unknown") announce(request);
  return request;
}

function account(model) {
  const told = model.account;
  if (!told) return "–";
  return `${told.login} at ${told.server}, ${told.paper ? "paper" : told.trade_mode}`;
}

/** The account that a question is about, as it is now. */
const accountAsked = (model) => ({ session: model.gateway.session, key: accountKey(model.account), name: account(model) });

const isReal = (model) => model.account?.trade_mode === "real" && !model.account.paper;

/** Ask, then place an order. Returns the request, or null if the answer was no. */
export async function place(model, params) {
  const info = await model.symbol(params.symbol);
  const { side, type } = params;
  const market = () => model.ticks.get(info.name)?.[side === "buy" ? "ask" : "bid"];
  const at = type === "market" ? market() : params.price;
  const volume = lots(params.volume, info.volume_step);
  const text = `${side === "buy" ? "Buy" : "Sell"} ${volume} ${info.name}${type === "market" ? "" : ` ${type} ${price(params.price, info.digits)}`}`;
  const asked = accountAsked(model);
  const margin = model.gateway
    .call("order_calc_margin", { symbol: info.name, side, volume: params.volume, ...(at ? { price: at } : {}) })
    .then((told) => `${money(told.margin)} ${told.currency}`);
  const sure = await ask({
    title: `${text}?`,
    facts: [
      [type === "market" ? "At market, now" : "Waits for", type === "market" ? () => price(market(), info.digits) : price(at, info.digits)],
      ["Stop loss", params.sl ? price(params.sl, info.digits) : "none"],
      ["Take profit", params.tp ? price(params.tp, info.digits) : "none"],
      ["Margin", margin],
      ["Account", asked.name],
    ],
    yes: side === "buy" ? "Buy" : "Sell",
    kind: side,
    warning: isReal(model) ? "This is real money." : "",
  });
  if (!sure) return null;
  const order = Object.fromEntries(Object.entries({ ...params, symbol: info.name }).filter(([, value]) => value !== null));
  return send(model, asked, "place_order", order, { text, symbol: info.name });
}

export async function closePosition(model, position) {
  const { digits, volume_step: step } = await model.symbol(position.symbol);
  const now = () => model.positions.get(position.ticket) ?? position;
  const asked = accountAsked(model);
  const text = `Close ${position.type} ${lots(position.volume, step)} ${position.symbol}`;
  const sure = await ask({
    title: `${text}?`,
    facts: [
      ["Ticket", String(position.ticket)], ["Opened at", price(position.price_open, digits)],
      ["Price now", () => price(now().price_current, digits)],
      ["Profit now", () => `${signed(now().profit)} ${model.account?.currency ?? ""}`], ["Account", asked.name],
    ],
    yes: "Close position", kind: "danger", warning: isReal(model) ? "This is real money." : "",
  });
  return sure ? send(model, asked, "close_position", { ticket: position.ticket }, { text, symbol: position.symbol }) : null;
}

/** Ask for a stop loss and a take profit of a position or an order; an empty field means none. */
export async function changeStops(model, item) {
  const { digits, point, volume_step: step } = await model.symbol(item.symbol);
  const input = (value, name) => el("input", { type: "number", step: point, min: "0", autocomplete: "off", placeholder: "none", ariaLabel: name, value: value ? price(value, digits) : "" });
  const sl = input(item.sl, "Stop loss");
  const tp = input(item.tp, "Take profit");
  const filled = { sl: sl.value, tp: tp.value };
  const asked = accountAsked(model);
  const text = `Stops of ${words(item.type)} ${lots(item.volume ?? item.volume_current, step)} ${item.symbol}`;
  const now = () => model.ticks.get(item.symbol)?.bid ?? item.price_current;
  const sure = await ask({
    title: `${text}?`,
    facts: [["Ticket", String(item.ticket)], ["Bid now", () => price(now(), digits)], ["Stop loss", sl], ["Take profit", tp], ["Account", asked.name]],
    yes: "Change stops", warning: isReal(model) ? "This is real money." : "",
  });
  if (!sure) return null;
  // absent means "as it is": a stop that a trailing stop has moved meanwhile is not set back
  const changed = Object.entries({ sl, tp }).filter(([name, field]) => field.value !== filled[name]);
  if (!changed.length) {
    tell("Not sent: neither stop was changed.");
    return null;
  }
  const given = Object.fromEntries(changed.map(([name, field]) => [name, field.value === "" ? null : Number(field.value)]));
  const target = item.volume === undefined ? "order" : "position";
  return send(model, asked, "modify_order", { ticket: item.ticket, target, ...given }, { text, symbol: item.symbol });
}

export async function cancelOrder(model, order) {
  const { digits, volume_step: step } = await model.symbol(order.symbol);
  const asked = accountAsked(model);
  const text = `Cancel ${words(order.type)} ${lots(order.volume_current, step)} ${order.symbol}`;
  const sure = await ask({
    title: `${text}?`,
    facts: [["Ticket", String(order.ticket)], ["Waits for", price(order.price_open, digits)], ["Account", asked.name]],
    yes: "Cancel order", kind: "danger",
  });
  return sure ? send(model, asked, "cancel_order", { ticket: order.ticket }, { text, symbol: order.symbol }) : null;
}

export async function askHalt(model) {
  const sure = await ask({
    title: "Halt trading?",
    facts: [
      ["Stops", `every new order to ${model.terminal ? model.gateway.session.terminal : "this terminal"}, of every program`],
      ["Goes on", "closing, cancelling, tightening stops"], ["Until", "somebody resumes it, also after a restart"],
    ],
    yes: "Halt trading", kind: "danger",
  });
  if (sure) await attempt(() => model.setTrading(false, "halted on the live page"), "Trading is halted");
}

export async function askResume(model) {
  const sure = await ask({ title: "Resume trading?", facts: [["Lets through", "new orders of every program"]], yes: "Resume trading" });
  if (sure) await attempt(() => model.setTrading(true), "Trading goes on");
}

async function attempt(act, done) {
  try {
    await act();
    tell(done, "good");
  } catch (error) {
    tell(error.message, "bad");
  }
}

/** The ticket: volume, type, stops, and two buttons that show their prices. */
export class Ticket {
  #symbol = null;
  #info = null;

  constructor(model) {
    this.model = model;
    const number = (name, more) => el("input", { type: "number", inputMode: "decimal", step: "any", min: "0", autocomplete: "off", name, ...more });
    this.volume = number("volume", { required: true, value: "0.10" });
    this.type = el("select", { name: "type", onchange: () => this.#typed() },
      ["market", "limit", "stop"].map((kind) => el("option", { value: kind }, kind[0].toUpperCase() + kind.slice(1))));
    this.at = number("price");
    this.sl = number("sl", { placeholder: "none" });
    this.tp = number("tp", { placeholder: "none" });
    this.atField = field("Price", this.at);
    this.sell = this.#button("sell", "Sell");
    this.buy = this.#button("buy", "Buy");
    this.why = el("p.why", { role: "note" });
    this.node = el("form.ticket.card", { ariaLabel: "Order ticket", onsubmit: (event) => event.preventDefault() },
      el("div.sides", {}, this.sell.node, this.spread = el("span.spread", { title: "Spread in points" }), this.buy.node),
      el("div.fields", {}, field("Volume, lots", this.volume), field("Type", this.type), this.atField,
        field("Stop loss", this.sl), field("Take profit", this.tp)),
      this.why);
    this.#typed();
  }

  #button(side, word) {
    const shown = el("b", {}, "–");
    const node = el(`button.${side}`, { type: "button", onclick: () => this.#place(side) }, el("span", {}, word), shown);
    return { node, shown };
  }

  #typed() {
    const waits = this.type.value !== "market";
    this.at.disabled = !waits;
    this.at.required = waits;
    this.at.placeholder = waits ? "" : "market";
    if (!waits) this.at.value = "";
  }

  async show(symbol) {
    if (this.#symbol === symbol) return;
    this.#symbol = symbol;
    this.#info = null;
    const info = await this.model.symbol(symbol);
    if (this.#symbol !== symbol) return;
    this.#info = info;
    for (const input of [this.at, this.sl, this.tp]) {
      input.step = info.point;
      input.value = "";
    }
    Object.assign(this.volume, { step: info.volume_step, min: info.volume_min, max: info.volume_max });
    if (!this.volume.validity.valid) this.volume.value = lots(Math.max(info.volume_min, 0.1), info.volume_step);
    this.update();
  }

  update() {
    const tick = this.model.ticks.get(this.#symbol);
    const digits = this.#info?.digits ?? null;
    say(this.sell.shown, tick ? price(tick.bid, digits) : "–");
    say(this.buy.shown, tick ? price(tick.ask, digits) : "–");
    say(this.spread, tick?.ask && this.#info ? String(Math.round((tick.ask - tick.bid) / this.#info.point)) : "");
    const why = this.#reason();
    say(this.why, why);
    mark(this.why, "shown", why);
    for (const { node } of [this.sell, this.buy]) node.disabled = Boolean(why);
  }

  #reason() {
    const { model } = this;
    if (!model.canTrade) return "This session only shows. Sign in with orders allowed to trade here.";
    if (!model.isLive) return "There is no live connection to the terminal.";
    if (model.trading && !model.trading.trading_enabled) return "Trading is halted: see Account.";
    return this.#info ? "" : "Waiting for the symbol.";
  }

  async #place(side) {
    if (!this.node.reportValidity()) return;
    const given = (input) => (input.value === "" ? null : Number(input.value));
    try {
      await place(this.model, {
        symbol: this.#symbol, side, type: this.type.value, volume: Number(this.volume.value),
        price: given(this.at), sl: given(this.sl), tp: given(this.tp),
      });
    } catch (error) {
      tell(error.message, "bad");
    }
  }
}

function field(name, input) {
  return el("label.field", {}, el("span", {}, name), input);
}
