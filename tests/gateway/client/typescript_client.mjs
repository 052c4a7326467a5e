// The client against the gateway of MT_GATEWAY_URL, through a proxy that breaks connections.
import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { inspect } from "node:util";

import { Gateway, GatewayError, MAX_WAITING, NoAnswer } from "mt-gateway-client";

const token = process.env.MT_GATEWAY_TOKEN;
const upstream = new URL(process.env.MT_GATEWAY_URL);
const BUY = { symbol: "EURUSD", side: "buy", volume: 0.01 };

/** Passes bytes on, under the gateway's own name; `swallow` answers are kept back and their connections lost. */
class Proxy {
  links = new Set();
  orders = [];
  swallow = 0;

  constructor() {
    this.server = net.createServer((client) => {
      const server = net.connect(Number(upstream.port), upstream.hostname);
      let swallowing = false;
      this.links.add(client);
      client.on("data", (bytes) => {
        const text = bytes.toString("latin1").replace(/^Host: .*$/im, `Host: ${upstream.host}`);
        const order = /"client_order_id":"([^"]+)"/.exec(text);
        if (order) this.orders.push(order[1]);
        if (order && this.swallow) (swallowing = true), this.swallow--;
        server.write(text, "latin1");
      });
      server.on("data", (bytes) => (swallowing ? client.destroy() : client.write(bytes)));
      for (const [end, other] of [[client, server], [server, client]]) {
        end.on("error", () => {});
        end.on("close", () => (other.destroy(), this.links.delete(client)));
      }
    });
  }

  async start() {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `http://127.0.0.1:${this.server.address().port}`;
  }
}

const failure = async (promise) => {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("no error came");
};

async function calls(gateway) {
  assert.equal((await gateway.call("get_account_info")).trade_mode, "demo");
  const unknown = await failure(gateway.call("get_symbol_info", { symbol: "NOPE" }));
  assert.ok(unknown instanceof GatewayError);
  assert.deepEqual([unknown.name, unknown.code, unknown.retryable], ["symbol_not_found", 3001, false]);
  const refused = await failure(new Gateway(upstream.href, `${token}x`).call("ping"));
  assert.equal(refused.name, "unauthorized");
  await assert.rejects(gateway.call("place_order", { ...BUY, volume: NaN }), RangeError);
  assert.throws(() => new Gateway("http://user:secret@127.0.0.1:1", token), TypeError);
  assert.ok(!inspect(gateway, { depth: 9, showHidden: true }).includes(token));
}

async function oneIdForAllTries(gateway, proxy) {
  const before = await gateway.call("get_positions");
  proxy.swallow = 2;
  const receipt = await gateway.call("place_order", BUY, { retryMs: 30_000 });
  assert.equal(proxy.orders.length, 3);
  assert.deepEqual(new Set(proxy.orders).size, 1);
  assert.equal(receipt.duplicate, true);
  assert.equal((await gateway.call("get_positions")).length, before.length + 1);

  // Deno's fetch asks again by itself when a connection that it had kept is lost
  const tries = "Deno" in globalThis ? 2 : 1;
  proxy.swallow = tries;
  const lost = await failure(gateway.call("place_order", { ...BUY, client_order_id: "mine" }));
  assert.ok(lost instanceof NoAnswer);
  assert.deepEqual([lost.outcome, lost.clientOrderId], ["unknown", "mine"]);
  assert.deepEqual(proxy.orders.slice(3), Array(tries).fill("mine"));
  const again = await gateway.call("place_order", { ...BUY, client_order_id: lost.clientOrderId });
  assert.equal(again.duplicate, true);
}

async function resumed(gateway, proxy) {
  const direct = new Gateway(upstream.href, token);
  // while somebody listens the stream goes on, so that it can be resumed
  const keeper = direct.subscribe("account");
  const other = direct.subscribe(["deals", "account"]);
  for (const stream of [keeper, other]) await stream.next();
  const stream = gateway.subscribe(["deals", "account"]);
  const heard = async (wanted) => {
    for (;;) {
      const { value } = await stream.next();
      if (value.channel === wanted || wanted === value.type) return value;
    }
  };
  await heard("snapshot"); // of the account: the subscriptions stand
  await direct.call("place_order", BUY);
  const first = await heard("deals");
  assert.equal(first.type, "update");
  for (const link of proxy.links) link.destroy();
  const back = await heard("deals");
  assert.equal(back.type, "reconnected");
  assert.deepEqual(back.data, { recovered: true, reason: null, replayed: 0 });
  await direct.call("place_order", BUY);
  const second = await heard("deals");
  assert.deepEqual([second.type, second.epoch, second.seq], ["update", first.epoch, first.seq + 1]);
  const { epoch, seq } = second;
  assert.deepEqual(stream.positions.deals, { epoch, seq });
  await stream.return();
  assert.deepEqual(await stream.next(), { done: true, value: undefined });

  const later = await gateway.subscribe("deals", { since: stream.positions }).next();
  assert.deepEqual([later.value.type, later.value.seq, later.value.data.recovered], ["reconnected", seq, true]);
  await other.return();
  await keeper.return();
  const no = await failure(gateway.subscribe("tick:NOPE").next());
  assert.equal(no.name, "subscribe_failed");
}

/** A reader that takes one event, or none: the client forgets what was not taken, and asks for it again. */
async function slow(take) {
  const asked = [];
  class Flood {
    constructor() {
      setTimeout(() => this.onopen());
    }

    send(text) {
      const { channels } = JSON.parse(text).params;
      asked.push(channels[0].since);
      const at = channels[0].since ?? { epoch: "e", seq: 0 };
      const entry = { channel: "deals", terminal: "t", delivery: "lossless", ...at, recovered: !!channels[0].since, reason: null, replayed: 0 };
      const tell = (message) => this.onmessage?.({ data: JSON.stringify(message) });
      queueMicrotask(() => {
        tell({ id: "subscribe", result: { subscribed: [entry], failed: [] } });
        const deal = (seq) => tell({ method: "event", params: { channel: "deals", terminal: "t", epoch: "e", seq, type: "update", ts: 1, data: {} } });
        const flood = (first, many) => Array.from({ length: many }, (_, n) => deal(first + n));
        if (asked.length > 1) flood(at.seq + 1, 2);
        else if (take) deal(1), setTimeout(() => flood(2, MAX_WAITING + 50));
        else flood(1, MAX_WAITING + 50);
      });
    }

    close() {}
  }
  const answer = async () => new Response(JSON.stringify({ jsonrpc: "2.0", id: 1, result: { subprotocol: "mtg.ticket.x" } }));
  const stream = new Gateway("http://127.0.0.1:1", "t", { WebSocket: Flood, fetch: answer }).subscribe("deals");
  const types = [];
  for await (const event of stream) {
    types.push([event.type, event.seq]);
    if (types.length === 3) break;
  }
  return [asked.slice(0, 2), types];
}

/** What a proxy says in the place of the gateway is no answer: of an order nothing is known. */
async function proxyAnswers() {
  const bodies = [
    '{"error":"upstream timed out"}',
    '{"error":{"message":"bad gateway","status":502}}',
    '{"error":{"code":502,"message":"bad gateway"}}',
    '{"jsonrpc":"2.0","id":1}',
    "null",
    "1",
  ];
  for (const body of bodies) {
    const lost = await failure(new Gateway("http://127.0.0.1:1", "t", { fetch: async () => new Response(body) }).call("place_order", BUY));
    assert.ok(lost instanceof NoAnswer, body);
    assert.deepEqual([lost.outcome, lost.retryable], ["unknown", false]);
  }
}

const TICKET = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { subprotocol: "mtg.ticket.x" } });

/** A stream over the given connections, each of events, a close code and what else is answered; `answers` are to the calls for tickets. */
function scripted(connections, answers = []) {
  const asked = [];
  class Scripted {
    constructor() {
      setTimeout(() => this.onopen());
    }

    send(text) {
      const { since } = JSON.parse(text).params.channels[0];
      asked.push(since);
      const at = since ?? { epoch: "e", seq: 0 };
      const [events, code, told] = connections.shift();
      const entry = { channel: "deals", terminal: "t", delivery: "lossless", ...at, recovered: !!since, reason: null, replayed: 0, ...told };
      queueMicrotask(() => {
        this.onmessage({ data: JSON.stringify({ id: "subscribe", result: { subscribed: [entry], failed: [] } }) });
        for (const [epoch, seq] of events) {
          const params = { channel: "deals", terminal: "t", epoch, seq, type: "update", ts: 1, data: {} };
          this.onmessage({ data: JSON.stringify({ method: "event", params }) });
        }
        if (code) this.onclose({ code, reason: "" });
      });
    }

    close() {}
  }
  const answer = async () => new Response(answers.shift() ?? TICKET);
  return [new Gateway("http://127.0.0.1:1", "t", { WebSocket: Scripted, fetch: answer }).subscribe("deals"), asked];
}

/** A gap ends before the event that follows it, so that a resume from there brings that event. */
async function gapsArePlaces() {
  const [stream] = scripted([[[["e", 1], ["e", 4], ["f", 2]]]]);
  const places = [];
  for (let n = 0; n < 5; n++) {
    const { value } = await stream.next();
    places.push([value.type, stream.positions.deals.epoch, stream.positions.deals.seq]);
  }
  await stream.return();
  assert.deepEqual(places, [["update", "e", 1], ["gap", "e", 3], ["update", "e", 4], ["gap", "e", 4], ["update", "f", 2]]);
}

/** A proxy has a page for a while, until the gateway behind it is there again. */
async function outlivesPages() {
  const answers = [TICKET, "<html>502</html>", '{"error":"down"}', TICKET];
  const [stream, asked] = scripted([[[["e", 1]], 4000], [[["e", 2]], 4502]], answers);
  const types = [];
  for (let n = 0; n < 3; n++) types.push((await stream.next()).value.type);
  assert.deepEqual([types, asked], [["update", "reconnected", "update"], [undefined, { epoch: "e", seq: 1 }]]);
  assert.match((await failure(stream.next())).message, /4502/);
}

/** A gateway that was started anew goes on where the one before has ended, in an epoch of its own. */
async function outlivesGateways() {
  const lives = [[[["e", 1]], 1001], [[["f", 2], ["f", 3]], 1001, { epoch: "f", seq: 2, replayed: 1 }], [[["f", 4]], 4502]];
  const [stream, asked] = scripted(lives);
  const told = [];
  for (let n = 0; n < 6; n++) {
    const { value } = await stream.next();
    told.push([value.type, value.epoch, value.seq]);
  }
  const places = [["update", "e", 1], ["reconnected", "f", 1], ["update", "f", 2], ["update", "f", 3]];
  assert.deepEqual(told, [...places, ["reconnected", "f", 3], ["update", "f", 4]]);
  assert.deepEqual(asked, [undefined, { epoch: "e", seq: 1 }, { epoch: "f", seq: 3 }]);
}

const proxy = new Proxy();
const gateway = new Gateway(await proxy.start(), token);
await calls(gateway);
await proxyAnswers();
await gapsArePlaces();
await outlivesPages();
await outlivesGateways();
await oneIdForAllTries(gateway, proxy);
await resumed(gateway, proxy);
assert.deepEqual(await slow(true), [[undefined, { epoch: "e", seq: 1 }], [["update", 1], ["reconnected", 1], ["update", 2]]]);
assert.deepEqual(await slow(false), [[undefined, undefined], [["gap", MAX_WAITING + 1], ["update", 1], ["update", 2]]]);
console.log("typescript client ok");
process.exit(0);
