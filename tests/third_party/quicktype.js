// npm quicktype-core: types of a document, each with a name that we have given. C# and Go, with `all`
// Rust, Java and Kotlin too.
const assert = require("node:assert/strict");
const { FetchingJSONSchemaStore, InputData, JSONSchemaInput, quicktype } = require("quicktype-core");

// what quicktype puts before names that collide, and the numbers behind them
const MADE_UP =
  /^(Purple|Fluffy|Tentacled|Sticky|Indigo|Indecent|Hilarious|Ambitious|Cunning|Magenta|Frisky|Mischievous|Braggadocious)|\d$/;
const LANGUAGES = {
  // what it calls PurpleMinMaxLengthCheckConverter is internal, and no type of the document's
  csharp: /\bpublic (?:partial )?(?:class|enum|struct) (\w+)/g,
  rust: /\bpub (?:enum|struct) (\w+)/g,
  go: /^type (\w+)/gm,
  java: /\bpublic (?:class|enum) (\w+)/g,
  kotlin: /\b(?:class|typealias) (\w+)/g,
};

async function typesOf(schemas, lang) {
  const definitions = JSON.parse(
    JSON.stringify(schemas).replaceAll("#/components/schemas/", "#/definitions/"),
  );
  const properties = Object.fromEntries(
    Object.keys(definitions).map((name) => [name, { $ref: `#/definitions/${name}` }]),
  );
  const required = Object.keys(properties);
  const schema = JSON.stringify({ type: "object", definitions, properties, required });
  const input = new JSONSchemaInput(new FetchingJSONSchemaStore());
  await input.addSource({ name: "Everything", schema });
  const inputData = new InputData();
  inputData.addInput(input);
  const { lines } = await quicktype({ inputData, lang });
  return [...lines.join("\n").matchAll(LANGUAGES[lang])].map(([, name]) => name);
}

async function main() {
  const languages = process.argv[2] === "all" ? ["rust", "go", "java", "kotlin"] : ["go"];
  for (const path of ["/openrpc.json", "/asyncapi.json"]) {
    const response = await fetch(`${process.env.MT_GATEWAY_URL}${path}`);
    assert.equal(response.status, 200);
    const { schemas } = (await response.json()).components;
    // their names are made from the same: one document will do for most languages
    const rest = path === "/openrpc.json" ? languages : [];
    for (const lang of ["csharp", ...rest]) {
      const types = await typesOf(schemas, lang);
      assert.ok(types.includes("OrderReceipt"), `${path}, ${lang}: ${types}`);
      const madeUp = types.filter((name) => MADE_UP.test(name));
      assert.deepEqual(madeUp, [], `${path}, ${lang}`);
    }
  }
  // two enumerations without names collide, so that what is made up is recognized
  const nameless = (...words) => ({
    type: "object",
    properties: { kind: { type: "object", properties: { kind: { enum: words } } } },
  });
  const broken = await typesOf({ Order: nameless("a", "b"), Deal: nameless("c", "d") }, "csharp");
  assert.ok(broken.some((name) => MADE_UP.test(name)), broken.join(" "));
}

main().then(() => console.log("quicktype ok"));
