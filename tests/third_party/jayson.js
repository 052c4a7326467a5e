// npm jayson: calls, an error and a batch over HTTP.
const assert = require("node:assert/strict");
const jayson = require("jayson/promise");

const url = new URL(process.env.MT_GATEWAY_URL);
const client = jayson.Client.http({
  host: url.hostname,
  port: url.port,
  path: "/rpc",
  headers: { Authorization: `Bearer ${process.env.MT_GATEWAY_TOKEN}` },
});

async function main() {
  const account = await client.request("get_account_info", {});
  assert.equal(account.error, undefined);
  assert.equal(account.result.trade_mode, "demo");

  const refused = await client.request("get_symbol_info", { symbol: "NOPE" });
  assert.equal(refused.error.code, 3001);
  assert.equal(refused.error.data.name, "symbol_not_found");

  const batch = await client.request([
    client.request("ping", { t: 1 }, undefined, false),
    client.request("get_symbols", {}, undefined, false),
    client.request("no_such_method", {}, undefined, false),
  ]);
  assert.equal(batch.length, 3);
  assert.equal(batch[0].result.t, 1);
  assert.ok(batch[1].result.includes("EURUSD"));
  assert.equal(batch[2].error.code, -32601);

  const silence = await client.request("ping", {}, null);
  assert.equal(silence, undefined);
}

main().then(() => console.log("jayson ok"));
