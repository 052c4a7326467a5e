// Streams: channels as this page hears them, what waits in the gateway, and calls by hand.

import { ask, tell } from "./ask.mjs";
import { el, say, Table } from "./dom.mjs";
import { age } from "./format.mjs";
import { NoAnswer } from "./gateway.mjs";

const LOOK_MS = 2000;
const MAX_SHOWN = 20_000;

export class Streams {
  name = "Streams";
  key = "streams";
  #told = new Map();
  #counted = new Map();

  constructor(model) {
    this.model = model;
    this.gateway = model.gateway;
    const tile = (name, reading) => ({ name, reading, shown: el("b", {}, "–") });
    this.tiles = [
      tile("Connections to /ws", "websockets"), tile("Events delivered", "events_delivered_total"), tile("Events merged", "events_merged_total"),
      tile("Messages waiting", "outbox_messages"), tile("Calls waiting", "calls_waiting"), tile("Refused requests", "refused_requests_total"),
    ];
    const text = (name, of, kind = "num") => ({ name, kind, text: of });
    this.table = new Table([
      text("Channel", (c) => c.name, "symbol"), text("Delivery", (c) => c.delivery, ""), text("State", (c) => c.state, ""), text("seq", (c) => c.seq),
      text("Events", (c) => String(c.events)), text("Per second", (c) => c.rate), text("Last", (c) => c.age),
      text("Waiting", (c) => c.queued), text("Merged", (c) => c.merged), text("Gaps", (c) => String(c.gaps)),
    ], { label: "Channels of this page", empty: "No channels.", keyOf: (c) => c.name });
    this.topics = new Table([
      text("Topic", ([name]) => name, "symbol"), text("Subscriptions", ([, n]) => String(n)),
    ], { label: "Subscriptions of all programs", empty: "None.", keyOf: ([name]) => name });
    this.playground = new Playground(model);
    this.node = el("section.streams", { ariaLabel: "Streams" },
      el("div.tiles", {}, this.tiles.map((t) => el("div.card.tile", {}, el("span", {}, t.name), el("p", {}, t.shown)))),
      el("div.card.channels", {}, el("h2", {}, "Channels of this page"), this.table.node),
      el("div.card.topics", {}, el("h2", {}, "Of all programs, by topic"), this.topics.node), this.playground.node);
    setInterval(() => this.node.isConnected && !document.hidden && this.#look(), LOOK_MS);
  }

  async #look() {
    try {
      const { subscriptions } = await this.gateway.subscriptions();
      this.#told = new Map(subscriptions.map((each) => [each.channel, each]));
    } catch {
      this.#told.clear();
    }
    this.#show();
  }

  update(what) {
    if (what === "show") this.#look();
    if (what === "show") this.playground.load();
    if (["figures", "show"].includes(what)) this.#figures();
  }

  #figures() {
    const readings = this.model.figures?.readings;
    if (!readings) return;
    for (const { reading, shown } of this.tiles) {
      const values = readings[reading].values;
      say(shown, values.reduce((sum, [, value]) => sum + value, 0).toLocaleString("en-US"));
    }
    this.topics.show([...readings.subscriptions.values].map(([[name], n]) => [name, n]).filter(([, n]) => n).sort());
  }

  #show() {
    const now = Date.now();
    this.table.show([...this.gateway.channels.values()].map((channel) => {
      const told = this.#told.get(channel.name);
      const before = this.#counted.get(channel.name);
      const rate = before && now > before.at ? ((channel.events - before.events) * 1000) / (now - before.at) : null;
      this.#counted.set(channel.name, { at: now, events: channel.events });
      return {
        ...channel, delivery: told?.delivery ?? "–", state: told ? (told.live ? "live" : "waits for the terminal") : "not subscribed",
        seq: String(channel.seq ?? told?.seq ?? "–"), rate: rate === null ? "–" : rate.toFixed(1), age: channel.last ? `${age(now - channel.last)} ago` : "–",
        queued: String(told?.queued ?? "–"), merged: String(told?.conflated_total ?? "–"),
      };
    }));
    for (const name of this.#counted.keys()) if (!this.gateway.channels.has(name)) this.#counted.delete(name);
  }
}

/** A form made from the OpenRPC document. */
class Playground {
  #methods = new Map();
  #isLoading = false;

  constructor(model) {
    this.model = model;
    this.select = el("select", { ariaLabel: "Method", onchange: () => this.#choose() });
    this.about = el("p.muted");
    this.params = el("textarea", { rows: 7, spellcheck: false, ariaLabel: "Params, as JSON" });
    this.send = el("button.primary", { type: "button", onclick: () => this.#send() }, "Call");
    this.answer = el("pre", { tabIndex: 0, role: "group", ariaLabel: "Answer" });
    const copies = Object.keys(COPIES).map((name) => el("button.small", { type: "button", onclick: () => this.#copy(name) }, name));
    this.node = el("div.card.playground", {}, el("h2", {}, "Playground"),
      el("div.form", {}, this.select, this.about, this.params, el("div.row", {}, this.send, el("span.muted", {}, "Copy as"), copies)), this.answer);
  }

  async load() {
    if (this.#methods.size || this.#isLoading) return;
    this.#isLoading = true;
    try {
      const { methods } = await this.model.gateway.call("rpc.discover");
      this.#methods = new Map(methods.filter(isForHttp).map((method) => [method.name, method]));
      this.select.replaceChildren(...[...this.#methods.keys()].map((name) => el("option", { value: name }, name)));
      this.select.value = this.#methods.has("get_ohlc") ? "get_ohlc" : this.select.value;
      this.#choose();
    } catch (error) {
      say(this.about, error.message);
    } finally {
      this.#isLoading = false;
    }
  }

  #choose() {
    const method = this.#methods.get(this.select.value);
    if (!method) return;
    say(this.about, method.summary ?? "");
    const example = method.examples?.find((each) => each.params) ?? { params: [] };
    const given = Object.fromEntries(example.params.map(({ name, value }) => [name, value]));
    // an id of its own: that of the example would be the same request each time
    if (method["x-mutates"] && method.params.some(({ name }) => name === "client_order_id")) given.client_order_id = this.model.newId();
    this.params.value = JSON.stringify(given, null, 2);
  }

  #read() {
    try {
      const params = JSON.parse(this.params.value || "{}");
      if (params && typeof params === "object") return params;
    } catch {
      // told below
    }
    tell("The params are no JSON object.", "bad");
    return null;
  }

  async #send() {
    const params = this.#read();
    const name = this.select.value;
    if (!params) return;
    const mutates = this.#methods.get(name)?.["x-mutates"] && params.validate_only !== true;
    if (mutates && !(await ask({ title: `Call ${name}?`, facts: [["It may change", "the account, or what programs may do"], ["Params", JSON.stringify(params)]], yes: "Call", kind: "danger" }))) return;
    this.send.disabled = true;
    const began = performance.now();
    try {
      const result = await this.model.gateway.call(name, params);
      this.#show(result, began);
    } catch (error) {
      // of silence nobody knows what it means; the id in the params is what the journal is asked by
      const outcome = mutates && error instanceof NoAnswer ? { outcome: "unknown", ask: "get_order with this client_order_id" } : {};
      this.#show({ error: { code: error.code, message: error.message, data: error.data, ...outcome } }, began);
    } finally {
      this.send.disabled = false;
    }
  }

  #show(value, began) {
    const text = JSON.stringify(value, null, 2);
    const cut = text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}\n… ${text.length - MAX_SHOWN} characters more` : text;
    say(this.answer, `// ${(performance.now() - began).toFixed(1)} ms\n${cut}`);
  }

  async #copy(kind) {
    const params = this.#read();
    if (!params) return;
    try {
      await navigator.clipboard.writeText(COPIES[kind](location.origin, this.select.value, params));
      tell(`Copied as ${kind}. It reads the token from MT_GATEWAY_TOKEN.`, "good");
    } catch {
      tell("The browser did not let the page copy.", "bad");
    }
  }
}

// what closes the page's own connection, or has no answer, is nothing to try here
const isForHttp = ({ name }) => !["hello", "logout", "subscribe", "unsubscribe", "get_ws_ticket"].includes(name);

const body = (method, params) => JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const COPIES = {
  curl: (url, method, params) => `curl -s ${url}/rpc -H "Authorization: Bearer $MT_GATEWAY_TOKEN" \\\n  -H 'Content-Type: application/json' -d ${quoted(body(method, params))}`,
  PowerShell: (url, method, params) => `Invoke-RestMethod ${url}/rpc -Method Post -ContentType application/json \`\n  -Headers @{Authorization="Bearer $env:MT_GATEWAY_TOKEN"} -Body '${body(method, params).replaceAll("'", "''")}'`,
  Python: (url, method, params) => `import os\nimport json\nfrom gateway.client import SyncGatewayClient\n\nparams = json.loads(${JSON.stringify(JSON.stringify(params))})\nwith SyncGatewayClient("${url}", os.environ["MT_GATEWAY_TOKEN"]) as client:\n    print(client.call("${method}", **params))\n`,
  TypeScript: (url, method, params) => `const answer = await fetch("${url}/rpc", {\n  method: "POST",\n  headers: { Authorization: \`Bearer \${process.env.MT_GATEWAY_TOKEN}\`, "Content-Type": "application/json" },\n  body: JSON.stringify(${body(method, params)}),\n});\nconsole.log(await answer.json());\n`,
};
