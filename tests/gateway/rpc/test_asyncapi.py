"""The published description of ``/ws``: complete, true to its examples, and of one source."""

from __future__ import annotations

import json
from typing import Any

import pytest
from document_checks import dangling, nameless, nodes
from jsonschema import Draft7Validator
from scripted_terminal import CATALOGUE

from gateway.http.websocket_frames import CloseCode
from gateway.rpc.asyncapi import asyncapi_document
from gateway.rpc.openrpc import METHODS_OF_THE_FRONT, openrpc_document
from gateway.streams import hub
from gateway.streams.channels import FORMS, OF_SYMBOL, TOPICS, parse_channel
from gateway.trading.kill_switch import disconnects

DOCUMENT = asyncapi_document(CATALOGUE)
MESSAGES = DOCUMENT["components"]["messages"]
CONNECTION = DOCUMENT["channels"]["connection"]
ON_WS = [
    *(name for name, method in CATALOGUE.items() if "ws" in method.transports),
    *(str(method["name"]) for method in METHODS_OF_THE_FRONT),
]
OF_EVENTS = [name for name in MESSAGES if name.endswith("Event")]
WITHOUT_EXAMPLE = {"RpcDiscoverRequest", "RpcDiscoverResponse"}
"""Its answer is the OpenRPC document."""


def accepts(message: str, payload: Any) -> bool:
    """Whether a message's schema takes a payload."""
    schema = {"allOf": [MESSAGES[message]["payload"]], "components": DOCUMENT["components"]}
    return bool(Draft7Validator(schema).is_valid(payload))


def told_by(operation: dict[str, Any]) -> list[str]:
    """Return the names of an operation's messages, those of its reply behind them."""
    refs = [*operation["messages"], *operation.get("reply", {}).get("messages", ())]
    return [ref["$ref"].rpartition("/")[2] for ref in refs]


def test_every_method_of_ws_is_a_request_with_a_reply() -> None:
    """Methods of /rpc alone are not here."""
    operations = DOCUMENT["operations"]
    asked = [name for name, one in operations.items() if one["action"] == "receive"]
    assert sorted(asked) == sorted(ON_WS)
    for name in asked:
        request, response, error = told_by(operations[name])
        assert (request.removesuffix("Request"), error) == (
            response.removesuffix("Response"),
            "ErrorResponse",
        )
        assert {request, response, error} <= set(CONNECTION["messages"])
        method = DOCUMENT["components"]["schemas"][f"{request.removesuffix('Request')}Method"]
        assert method["const"] == name


def test_every_channel_is_described() -> None:
    """With its delivery class, and with each parameter that its address has."""
    assert list(DOCUMENT["channels"]) == ["connection", *(form.id for form in FORMS)]
    assert {parse_channel(form.example).topic for form in FORMS} == set(TOPICS)
    for form in FORMS:
        channel = DOCUMENT["channels"][form.id]
        assert channel["x-delivery"] == parse_channel(form.example).delivery
        assert channel["x-delivery"] in channel["description"]
        parameters = channel.get("parameters", {})
        filled = form.address
        for name, parameter in parameters.items():
            assert f"{{{name}}}" in filled
            filled = filled.replace(f"{{{name}}}", parameter["examples"][0])
        assert "{" not in filled
        assert parse_channel(filled).name == filled
        assert ("symbol" in parameters) == (parse_channel(filled).topic in OF_SYMBOL)
        sent = DOCUMENT["operations"][f"send_{form.id}"]
        assert sent["action"] == "send"
        assert told_by(sent) == list(channel["messages"])


def test_the_gateway_sends_what_nobody_asked_for() -> None:
    """The welcome, the sign of life, the goodbye."""
    assert told_by(DOCUMENT["operations"]["notify"]) == [
        "WelcomeNotification",
        "HeartbeatNotification",
        "ServerShutdownNotification",
    ]


def test_every_close_code_is_told() -> None:
    """Those of rooms below, too; and whether to connect again."""
    told = {one["code"]: one for one in CONNECTION["x-close-codes"]}
    assert set(told) == set(CloseCode)
    assert told[hub.MISSED]["name"] == "insufficient_state"
    assert told[disconnects.REPLACED]["name"] == "replaced"
    assert all(one["description"] for one in told.values())
    again = {code for code, one in told.items() if one["reconnect"]}
    assert again == {code for code in CloseCode if code < 4500}


def test_every_reference_leads_somewhere_and_nothing_is_unused() -> None:
    """Within the document: nobody needs the network to read it."""
    assert dangling(DOCUMENT) == []
    refs = {node["$ref"] for node in nodes(DOCUMENT) if "$ref" in node}
    for section in ("messages", "schemas", "securitySchemes"):
        for name in DOCUMENT["components"][section]:
            assert f"#/components/{section}/{name}" in refs
    errors = {name for one in DOCUMENT["operations"].values() for name in one.get("x-errors", ())}
    assert errors == set(DOCUMENT["components"]["x-errors"])


def test_every_enumeration_has_a_name() -> None:
    """So has every text of a form, and every union: generators make types of them."""
    for schema in DOCUMENT["components"]["schemas"].values():
        assert list(nameless(schema)) == []
    assert [name for name in DOCUMENT["components"]["schemas"] if not name.isalnum()] == []


def test_both_documents_call_the_same_by_the_same_name() -> None:
    """A shape that stands in both is the same in both."""
    ours = DOCUMENT["components"]["schemas"]
    theirs = openrpc_document(CATALOGUE)["components"]["schemas"]
    shared = ours.keys() & theirs.keys()
    assert {"OrderReceipt", "OrderType", "Subscribed"} <= shared
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def test_descriptions_are_for_readers() -> None:
    """No markup of the source's documentation."""
    text = json.dumps(DOCUMENT)
    for markup in (":class:", ":mod:", ":meth:", ":func:", ":data:", "Raises:\\n", "Args:\\n"):
        assert markup not in text


@pytest.mark.parametrize("name", MESSAGES)
def test_every_example_is_such_a_message(name: str) -> None:
    """Every message has one; with another member, or without one, it is none any more."""
    examples = [example["payload"] for example in MESSAGES[name].get("examples", ())]
    assert bool(examples) is (name not in WITHOUT_EXAMPLE)
    for payload in examples:
        assert accepts(name, payload), payload
        assert not accepts(name, payload | {"more": 1})
        assert not accepts(name, {key: payload[key] for key in payload if key != "jsonrpc"})


@pytest.mark.parametrize("name", [name for name in MESSAGES if not name.endswith("Response")])
def test_a_message_that_is_no_answer_tells_by_itself_what_it_is(name: str) -> None:
    """No other message's schema takes it."""
    others = [one for one in MESSAGES if one != name]
    for example in MESSAGES[name].get("examples", ()):
        assert [one for one in others if accepts(one, example["payload"])] == []


@pytest.mark.parametrize("name", OF_EVENTS)
def test_an_event_has_the_data_of_its_own_channel(name: str) -> None:
    """Of another channel it is refused."""
    for example in MESSAGES[name]["examples"]:
        params = example["payload"]["params"]
        assert parse_channel(params["channel"]).name == params["channel"]
        elsewhere = "terminal" if params["channel"] != "terminal" else "orders"
        assert not accepts(name, example["payload"] | {"params": params | {"channel": elsewhere}})


def test_the_server_is_where_it_listens() -> None:
    """The daemon puts its own address in."""
    document = asyncapi_document(CATALOGUE, ws_url="ws://127.0.0.1:1/ws")
    (server,) = document["servers"].values()
    assert (server["protocol"], server["host"], server["pathname"]) == (
        "ws",
        "127.0.0.1:1",
        "/ws",
    )
