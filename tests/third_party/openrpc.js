// npm @open-rpc/schema-utils-js: accepts the document, refuses a broken copy, checks calls by it.
const assert = require("node:assert/strict");
const {
  MethodCallValidator,
  parseOpenRPCDocument,
  validateOpenRPCDocument,
} = require("@open-rpc/schema-utils-js");

async function main() {
  const response = await fetch(`${process.env.MT_GATEWAY_URL}/openrpc.json`);
  assert.equal(response.status, 200);
  const document = await response.json();
  assert.equal(validateOpenRPCDocument(document), true);

  const broken = structuredClone(document);
  delete broken.methods[0].params;
  assert.notEqual(validateOpenRPCDocument(broken), true);

  const whole = await parseOpenRPCDocument(document);
  assert.equal(whole.methods.length, document.methods.length);

  const validator = new MethodCallValidator(whole);
  assert.deepEqual(validator.validate("get_ohlc", { symbol: "EURUSD", count: 3 }), []);
  assert.notEqual(validator.validate("get_ohlc", { symbol: "EURUSD", count: "three" }).length, 0);
  assert.notEqual(validator.validate("get_ohlc", {}).length, 0);
}

main().then(() => console.log("schema-utils-js ok"));
