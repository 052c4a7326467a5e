// npm json-rpc-2.0: the same client over HTTP and over a WebSocket.
const assert = require("node:assert/strict");
const { JSONRPCClient, createJSONRPCRequest } = require("json-rpc-2.0");
const WebSocket = require("ws");

const base = process.env.MT_GATEWAY_URL;
const headers = { Authorization: `Bearer ${process.env.MT_GATEWAY_TOKEN}` };

function overHttp() {
  const client = new JSONRPCClient(async (request) => {
    const response = await fetch(`${base}/rpc`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body: JSON.stringify(request),
    });
    if (response.status === 200) client.receive(await response.json());
    else assert.equal(response.status, 204);
  });
  return client;
}

function overWebSocket(socket) {
  const client = new JSONRPCClient((request) => socket.send(JSON.stringify(request)));
  socket.on("message", (text) => {
    const message = JSON.parse(text);
    if (message.method === undefined) client.receive(message);
  });
  return client;
}

async function check(client) {
  const account = await client.request("get_account_info", {});
  assert.equal(account.trade_mode, "demo");

  const wanted = createJSONRPCRequest(100, "get_symbol_info", { symbol: "NOPE" });
  const refused = await client.requestAdvanced(wanted);
  assert.equal(refused.error.code, 3001);
  assert.equal(refused.error.data.name, "symbol_not_found");

  const [pong, symbols, missing] = await client.requestAdvanced([
    createJSONRPCRequest(101, "ping", { t: 7 }),
    createJSONRPCRequest(102, "get_symbols", {}),
    createJSONRPCRequest(103, "no_such_method", {}),
  ]);
  assert.equal(pong.result.t, 7);
  assert.ok(symbols.result.includes("EURUSD"));
  assert.equal(missing.error.code, -32601);

  client.notify("ping", {});
  const orders = await client.request("get_orders", {});
  assert.ok(Array.isArray(orders));
}

async function main() {
  await check(overHttp());
  const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws`, { headers });
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  await check(overWebSocket(socket));
  socket.close(1000);
}

main().then(() => console.log("json-rpc-2.0 ok"));
