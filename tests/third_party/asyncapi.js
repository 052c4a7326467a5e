// npm @asyncapi/parser: accepts the document without a complaint, and refuses broken copies.
// It takes many seconds for the whole, which it is given with `whole`; else one call and one channel.
const assert = require("node:assert/strict");
const { Parser } = require("@asyncapi/parser");

// a newer version of AsyncAPI is out, which fewer tools know
const HARMLESS = "asyncapi-latest-version";

async function complaints(document) {
  const parsed = await new Parser().parse(JSON.stringify(document));
  const found = parsed.diagnostics.filter(({ code }) => code !== HARMLESS);
  return { parsed: parsed.document, found };
}

function only(names, all) {
  return Object.fromEntries(names.map((name) => [name, all[name]]));
}

function partOf({ channels, operations, components, ...rest }) {
  const calls = ["SubscribeRequest", "SubscribeResponse", "ErrorResponse"];
  const messages = [...calls, ...Object.keys(channels.tick.messages)];
  const { tick, connection } = channels;
  return {
    ...rest,
    channels: { tick, connection: { ...connection, messages: only(calls, connection.messages) } },
    operations: only(["subscribe", "send_tick"], operations),
    components: { ...components, messages: only(messages, components.messages) },
  };
}

async function main() {
  const response = await fetch(`${process.env.MT_GATEWAY_URL}/asyncapi.json`);
  assert.equal(response.status, 200);
  const whole = await response.json();
  const part = partOf(whole);
  const { parsed, found } = await complaints(process.argv[2] === "whole" ? whole : part);
  assert.deepEqual(found, []);

  const base = new URL(process.env.MT_GATEWAY_URL);
  assert.equal(parsed.servers().get("gateway").host(), base.host);
  assert.equal(parsed.channels().get("tick").address(), "tick:{symbol}");
  const [request] = parsed.operations().get("subscribe").messages().all();
  assert.equal(request.payload().json().properties.method.const, "subscribe");
  const [reply] = parsed.operations().get("subscribe").reply().messages().all();
  assert.ok(reply.payload().json().properties.result);

  const aimless = structuredClone(part);
  aimless.operations.send_tick.channel.$ref = "#/channels/none";
  assert.notDeepEqual((await complaints(aimless)).found, []);
  const undirected = structuredClone(part);
  delete undirected.operations.send_tick.action;
  assert.notDeepEqual((await complaints(undirected)).found, []);
}

main().then(() => console.log("asyncapi ok"));
