"""The published description of ``/ws``: complete, true to its examples, and of one source."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from document_checks import dangling, nameless, nodes
from jsonschema import Draft7Validator
from scripted_terminal import CATALOGUE

from gateway.http.websocket_frames import CloseCode
from gateway.rpc.asyncapi import asyncapi_document
from gateway.rpc.openrpc import METHODS_OF_THE_FRONT, openrpc_document
from gateway.streams import hub
from gateway.streams.channels import FORMS, OF_SYMBOL, TOPICS, parse_channel
from gateway.trading.kill_switch import disconnects

ON_WS = [
    *(name for name, method in CATALOGUE.items() if "ws" in method.transports),
    *(str(method["name"]) for method in METHODS_OF_THE_FRONT),
]
WITHOUT_EXAMPLE = {"RpcDiscoverRequest", "RpcDiscoverResponse"}
"""Its answer is the OpenRPC document."""


@cache  # and not made by whoever only imports this
def document() -> dict[str, Any]:
    """The whole, as it is published."""
    return asyncapi_document(CATALOGUE)


def messages() -> dict[str, Any]:
    """All messages, by name."""
    return document()["components"]["messages"]


def examples_of(name: str) -> list[Any]:
    """Return the payloads that the document shows of a message."""
    return [example["payload"] for example in messages()[name].get("examples", ())]


@cache
def validator(name: str) -> Draft7Validator:
    """The schema of a message's payload."""
    components = document()["components"]
    return Draft7Validator({"allOf": [messages()[name]["payload"]], "components": components})


def accepts(message: str, payload: Any) -> bool:
    """Whether a message's schema takes a payload."""
    return bool(validator(message).is_valid(payload))


def told_by(operation: dict[str, Any]) -> list[str]:
    """Return the names of an operation's messages, those of its reply behind them."""
    refs = [*operation["messages"], *operation.get("reply", {}).get("messages", ())]
    return [ref["$ref"].rpartition("/")[2] for ref in refs]


def test_every_method_of_ws_is_a_request_with_a_reply() -> None:
    """Methods of /rpc alone are not here."""
    operations = document()["operations"]
    asked = [name for name, one in operations.items() if one["action"] == "receive"]
    assert sorted(asked) == sorted(ON_WS)
    for name in asked:
        request, response, error = told_by(operations[name])
        assert (request.removesuffix("Request"), error) == (
            response.removesuffix("Response"),
            "ErrorResponse",
        )
        assert {request, response, error} <= set(document()["channels"]["connection"]["messages"])
        method = document()["components"]["schemas"][f"{request.removesuffix('Request')}Method"]
        assert method["const"] == name


def test_every_channel_is_described() -> None:
    """With its delivery class, and with each parameter that its address has."""
    assert list(document()["channels"]) == ["connection", *(form.id for form in FORMS)]
    assert {parse_channel(form.example).topic for form in FORMS} == set(TOPICS)
    for form in FORMS:
        channel = document()["channels"][form.id]
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
        sent = document()["operations"][f"send_{form.id}"]
        assert sent["action"] == "send"
        assert told_by(sent) == list(channel["messages"])


def test_the_gateway_sends_what_nobody_asked_for() -> None:
    """The welcome, the sign of life, the goodbye."""
    assert told_by(document()["operations"]["notify"]) == [
        "WelcomeNotification",
        "HeartbeatNotification",
        "ServerShutdownNotification",
    ]


def test_every_close_code_is_told() -> None:
    """Those of rooms below, too; and whether to connect again."""
    told = {one["code"]: one for one in document()["channels"]["connection"]["x-close-codes"]}
    assert set(told) == set(CloseCode)
    assert told[hub.MISSED]["name"] == "insufficient_state"
    assert told[disconnects.REPLACED]["name"] == "replaced"
    assert all(one["description"] for one in told.values())
    again = {code for code, one in told.items() if one["reconnect"]}
    assert again == {code for code in CloseCode if code < 4500}


def test_every_reference_leads_somewhere_and_nothing_is_unused() -> None:
    """Within the document: nobody needs the network to read it."""
    assert dangling(document()) == []
    refs = {node["$ref"] for node in nodes(document()) if "$ref" in node}
    for section in ("messages", "schemas", "securitySchemes"):
        for name in document()["components"][section]:
            assert f"#/components/{section}/{name}" in refs
    errors = {
        name for one in document()["operations"].values() for name in one.get("x-errors", ())
    }
    assert errors == set(document()["components"]["x-errors"])


def test_every_enumeration_has_a_name() -> None:
    """So has every text of a form, and every union: generators make types of them."""
    for schema in document()["components"]["schemas"].values():
        assert list(nameless(schema)) == []
    assert [name for name in document()["components"]["schemas"] if not name.isalnum()] == []


def test_both_documents_call_the_same_by_the_same_name() -> None:
    """A shape that stands in both is the same in both."""
    ours = document()["components"]["schemas"]
    theirs = openrpc_document(CATALOGUE)["components"]["schemas"]
    shared = ours.keys() & theirs.keys()
    assert {"OrderReceipt", "OrderType", "Subscribed"} <= shared
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def test_descriptions_are_for_readers() -> None:
    """No markup of the source's documentation."""
    text = json.dumps(document())
    for markup in (":class:", ":mod:", ":meth:", ":func:", ":data:", "Raises:\\n", "Args:\\n"):
        assert markup not in text


def test_every_example_is_such_a_message() -> None:
    """Every message has one; with another member, or without one, it is none any more."""
    for name in messages():
        assert bool(examples_of(name)) is (name not in WITHOUT_EXAMPLE), name
        for payload in examples_of(name):
            assert accepts(name, payload), (name, payload)
            assert not accepts(name, payload | {"more": 1}), name
            short = {key: payload[key] for key in payload if key != "jsonrpc"}
            assert not accepts(name, short), name


def test_a_message_that_is_no_answer_tells_by_itself_what_it_is() -> None:
    """No other message's schema takes it."""
    told = [name for name in messages() if not name.endswith("Response")]
    assert told
    for name in told:
        for payload in examples_of(name):
            others = [other for other in messages() if accepts(other, payload)]
            assert others == [name]


def test_an_event_has_the_data_of_its_own_channel() -> None:
    """Of another channel it is refused."""
    events = [name for name in messages() if name.endswith("Event")]
    assert events
    for name in events:
        for payload in examples_of(name):
            params = payload["params"]
            assert parse_channel(params["channel"]).name == params["channel"], name
            elsewhere = "terminal" if params["channel"] != "terminal" else "orders"
            moved = payload | {"params": params | {"channel": elsewhere}}
            assert not accepts(name, moved), name


def test_the_server_is_where_it_listens() -> None:
    """The daemon puts its own address in."""
    served = asyncapi_document(CATALOGUE, ws_url="ws://127.0.0.1:1/ws")
    (server,) = served["servers"].values()
    assert (server["protocol"], server["host"], server["pathname"]) == (
        "ws",
        "127.0.0.1:1",
        "/ws",
    )
