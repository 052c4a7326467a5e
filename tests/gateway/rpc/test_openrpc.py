"""The published description: derived, complete, and true to its examples."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import orjson
import pytest
from document_checks import dangling, nameless, nodes
from documented_calls import EXAMPLES, answers
from scripted_terminal import CATALOGUE

from gateway.rpc.catalogue import shape_adapter
from gateway.rpc.openrpc import METHODS_OF_THE_FRONT, openrpc_document

NAMES = [*CATALOGUE, *(method["name"] for method in METHODS_OF_THE_FRONT)]


@cache  # and not made by whoever only imports this
def document() -> dict[str, Any]:
    """The whole, as it is published."""
    return openrpc_document(CATALOGUE)


def described(name: str) -> dict[str, Any]:
    """Description of a method in the document."""
    (found,) = (method for method in document()["methods"] if method["name"] == name)
    return found


def test_every_method_is_described() -> None:
    """The catalogue's, and the two that the JSON-RPC front answers."""
    assert [method["name"] for method in document()["methods"]] == NAMES


def test_every_reference_leads_somewhere() -> None:
    """Within the document: nobody needs the network to read it."""
    assert dangling(document()) == []


def test_schemas_are_of_draft_7() -> None:
    """No tuples of the newer draft, no definitions inside, and nothing beside a `$ref`."""
    for node in nodes(document()["components"]["schemas"] | {"methods": document()["methods"]}):
        assert "prefixItems" not in node
        assert "$defs" not in node
        if "$ref" in node:
            assert len(node) == 1


def test_every_enumeration_has_a_name() -> None:
    """So has every text of a form, and every union: generators make types of them."""
    for schema in document()["components"]["schemas"].values():
        assert list(nameless(schema)) == []
    for method in document()["methods"]:
        given = {param["name"]: param["schema"] for param in method["params"]}
        given["result"] = method["result"]["schema"]
        assert list(nameless({"properties": given})) == []


def test_names_are_those_of_the_source() -> None:
    """None was made of a module's path, since two of it were called the same."""
    assert [name for name in document()["components"]["schemas"] if not name.isalnum()] == []


def test_nothing_unused_is_published() -> None:
    """Every schema and every error is referred to."""
    refs = {node["$ref"] for node in nodes(document()) if "$ref" in node}
    for section in ("schemas", "errors"):
        for name in document()["components"][section]:
            assert f"#/components/{section}/{name}" in refs


def test_descriptions_are_for_readers() -> None:
    """No markup of the source's documentation."""
    text = json.dumps(document())
    for markup in (":class:", ":mod:", ":meth:", ":func:", "Raises:\\n", "Args:\\n"):
        assert markup not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_param_says_what_it_is(name: str) -> None:
    """But for those whose name says all."""
    plain = {"price_open", "price_close"}
    for param in described(name)["params"]:
        assert param["name"] in plain or param.get("description"), param["name"]


@pytest.mark.parametrize("name", CATALOGUE)
def test_scope_and_transports_are_told(name: str) -> None:
    """As extensions, for people and generators."""
    method = described(name)
    assert method["x-scope"] in ("read", "trade", "admin", None)
    assert set(method["x-transports"]) <= {"http", "ws"}
    assert method["x-mutates"] is CATALOGUE[name].mutates
    assert method["paramStructure"] == "by-name"


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_method_has_examples_that_fit(name: str) -> None:
    """Params that the method accepts, a result of the documented shape."""
    assert described(name)["examples"]
    for example in described(name)["examples"]:
        params = {param["name"]: param["value"] for param in example["params"]}
        CATALOGUE[name].params.model_validate(params)
        result = orjson.dumps(example["result"]["value"])
        shape_adapter(CATALOGUE[name].result).validate_json(result, strict=True)


async def test_examples_are_what_the_methods_answer() -> None:
    """Nothing in the document is made up."""
    assert orjson.loads(EXAMPLES.read_bytes()) == orjson.loads(orjson.dumps(await answers()))


@pytest.mark.parametrize("name", NAMES)
def test_what_any_call_may_meet_is_documented(name: str) -> None:
    """Bad params everywhere; the wrong transport or an EA too old for it; `cancel_request`."""
    method = described(name)
    codes = {
        document()["components"]["errors"][error["$ref"].rpartition("/")[2]]["code"]
        for error in method["errors"]
    }
    assert {-32001, -32602, -32603} <= codes
    takes_terminal = any(param["name"] == "terminal" for param in method["params"])
    if takes_terminal or method["x-transports"] != ["http", "ws"]:
        assert -32004 in codes
    if name in CATALOGUE and not method["x-mutates"]:
        assert -32010 in codes


def test_servers_are_where_it_listens() -> None:
    """The daemon puts its own addresses in."""
    served = openrpc_document(
        CATALOGUE, rpc_url="http://127.0.0.1:1/rpc", ws_url="ws://127.0.0.1:1/ws"
    )
    assert [one["url"] for one in served["servers"]] == [
        "http://127.0.0.1:1/rpc",
        "ws://127.0.0.1:1/ws",
    ]


def test_errors_carry_their_codes() -> None:
    """Each once, with the stable name."""
    errors = document()["components"]["errors"].values()
    codes = [error["code"] for error in errors]
    assert len(set(codes)) == len(codes)
    assert all(error["data"]["name"] and error["message"] for error in errors)
