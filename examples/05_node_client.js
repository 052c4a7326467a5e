// Calls and ticks over one WebSocket, from Node.js.
//
//   npm install ws
//   node examples/05_node_client.js

const WebSocket = require("ws");

const base = process.env.MT_GATEWAY_URL ?? "http://127.0.0.1:7400";
const socket = new WebSocket(`${base.replace(/^http/, "ws")}/ws`, {
  headers: { Authorization: `Bearer ${process.env.MT_GATEWAY_TOKEN}` },
  perMessageDeflate: false,
});

const waiting = new Map();
let lastId = 0;
let ticks = 0;

function call(method, params = {}) {
  const id = ++lastId;
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

socket.on("message", (text) => {
  if (socket.readyState !== WebSocket.OPEN) return; // what was still on its way when we closed
  const message = JSON.parse(text);
  if (message.method === "event") {
    const { channel, data } = message.params;
    console.log(`${channel}  ${data.bid} / ${data.ask}`);
    if (++ticks === 10) socket.close(1000);
  } else if (waiting.has(message.id)) {
    const { resolve, reject } = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) reject(new Error(`${message.error.code} ${message.error.message}`));
    else resolve(message.result);
  }
});

socket.on("open", async () => {
  const account = await call("get_account_info");
  console.log(`Account ${account.login}: ${account.equity.toFixed(2)} ${account.currency}`);
  const { failed } = await call("subscribe", { channels: ["tick:EURUSD"] });
  for (const one of failed) console.error(`${one.channel}: ${one.message}`);
});

socket.on("close", (code, reason) => {
  if (code !== 1000) console.error(`closed: ${code} ${reason}`);
});
