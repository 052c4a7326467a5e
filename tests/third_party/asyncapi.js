// npm @asyncapi/parser: accepts the document without a complaint, and refuses broken copies.
const assert = require("node:assert/strict");
const { Parser } = require("@asyncapi/parser");

// a newer version of AsyncAPI is out, which fewer tools know
const HARMLESS = "asyncapi-latest-version";

async function complaints(document) {
  const parsed = await new Parser().parse(JSON.stringify(document));
  const found = parsed.diagnostics.filter(({ code }) => code !== HARMLESS);
  return { parsed: parsed.document, found };
}

// the parser takes many seconds for the whole of it
function onlyTicks({ channels, operations, components, ...rest }) {
  const messages = Object.fromEntries(
    Object.keys(channels.tick.messages).map((name) => [name, components.messages[name]]),
  );
  return {
    ...rest,
    channels: { tick: channels.tick },
    operations: { send_tick: operations.send_tick },
    components: { ...components, messages },
  };
}

async function main() {
  const response = await fetch(`${process.env.MT_GATEWAY_URL}/asyncapi.json`);
  assert.equal(response.status, 200);
  const document = await response.json();
  const { parsed, found } = await complaints(document);
  assert.deepEqual(found, []);

  const base = new URL(process.env.MT_GATEWAY_URL);
  assert.equal(parsed.servers().get("gateway").host(), base.host);
  assert.equal(parsed.channels().get("tick").address(), "tick:{symbol}");
  const [request] = parsed.operations().get("subscribe").messages().all();
  assert.equal(request.payload().json().properties.method.const, "subscribe");
  const [reply] = parsed.operations().get("subscribe").reply().messages().all();
  assert.ok(reply.payload().json().properties.result);

  const part = onlyTicks(document);
  assert.deepEqual((await complaints(part)).found, []);
  const aimless = structuredClone(part);
  aimless.operations.send_tick.channel.$ref = "#/channels/none";
  assert.notDeepEqual((await complaints(aimless)).found, []);
  const undirected = structuredClone(part);
  delete undirected.operations.send_tick.action;
  assert.notDeepEqual((await complaints(undirected)).found, []);
}

main().then(() => console.log("asyncapi ok"));
