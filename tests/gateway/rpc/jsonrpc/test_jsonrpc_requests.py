"""The specification, and requests that are not as it says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from jsonrpc_front import Ask, Front, request

SPECIFICATION: list[tuple[bytes, Any]] = [
    (
        b'{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        {"jsonrpc": "2.0", "result": 19, "id": 1},
    ),
    (
        b'{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        {"jsonrpc": "2.0", "result": -19, "id": 2},
    ),
    (
        b'{"jsonrpc": "2.0", "method": "subtract",'
        b' "params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        {"jsonrpc": "2.0", "result": 19, "id": 3},
    ),
    (
        b'{"jsonrpc": "2.0", "method": "subtract",'
        b' "params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        {"jsonrpc": "2.0", "result": 19, "id": 4},
    ),
    (b'{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}', None),
    (b'{"jsonrpc": "2.0", "method": "foobar"}', None),
    (
        b'{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        {"jsonrpc": "2.0", "error": -32601, "id": "1"},
    ),
    (
        b'{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        {"jsonrpc": "2.0", "error": -32700, "id": None},
    ),
    (
        b'{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
        {"jsonrpc": "2.0", "error": -32600, "id": None},
    ),
    (
        b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        b'{"jsonrpc": "2.0", "method"]',
        {"jsonrpc": "2.0", "error": -32700, "id": None},
    ),
    (b"[]", {"jsonrpc": "2.0", "error": -32600, "id": None}),
    (b"[1]", [{"jsonrpc": "2.0", "error": -32600, "id": None}]),
    (b"[1,2,3]", [{"jsonrpc": "2.0", "error": -32600, "id": None}] * 3),
    (
        b'[{"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},'
        b'{"jsonrpc": "2.0", "method": "update", "params": [7]},'
        b'{"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},'
        b'{"foo": "boo"},'
        b'{"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},'
        b'{"jsonrpc": "2.0", "method": "get_data", "id": "9"}]',
        [
            {"jsonrpc": "2.0", "result": 7, "id": "1"},
            {"jsonrpc": "2.0", "result": 19, "id": "2"},
            {"jsonrpc": "2.0", "error": -32600, "id": None},
            {"jsonrpc": "2.0", "error": -32601, "id": "5"},
            {"jsonrpc": "2.0", "result": ["hello", 5], "id": "9"},
        ],
    ),
    (
        b'[{"jsonrpc": "2.0", "method": "update", "params": [1,2,4]},'
        b'{"jsonrpc": "2.0", "method": "update", "params": [7]}]',
        None,
    ),
]


def only_codes(answer: Any) -> Any:
    """Put the code where an error object was: texts and data are ours to choose."""
    if isinstance(answer, list):
        return [only_codes(item) for item in answer]
    if isinstance(answer, dict) and "error" in answer:
        return {**answer, "error": answer["error"]["code"]}
    return answer


@pytest.mark.parametrize(("sent", "answered"), SPECIFICATION)
async def test_the_examples_of_the_specification(ask: Ask, sent: bytes, answered: Any) -> None:
    """Section 7 of JSON-RPC 2.0, word for word, over both transports."""
    assert only_codes(await ask(sent)) == answered


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"nonsense", b"{", b"NaN", b"[NaN]", b'{"id":Infinity}', b"1e400", b"[-1e400]",
        b"1" * 400, b"[" * 100_000, b"[" * 50_000 + b"]" * 50_000, b'{"a":' * 100_000,
        b'"\\ud800"', b'{"\\udfff":1}', b'"\xff\xfe"', b"\xff\xfe{\x00}\x00", b"{'a':1}", b"[1,]",
        b"\x00",
        b'{"a":1}{"a":1}', b"// no\n{}", b"01", b"+1", b".5", b"0x10", b"undefined", b'"\t"',
    ],
    # pytest tells a test's name in the environment, where Windows takes 32,767 characters
    ids=lambda text: repr(text[:40]),
)  # fmt: skip
async def test_what_is_no_json_is_a_parse_error(front: Front, text: bytes) -> None:
    """-32700, id null, a reason for programs, not a character of the input."""
    answer = await front.raw(text)
    assert answer.error is not None
    assert answer.error["code"] == -32700
    assert answer.error["data"]["reason"] == "not_json"
    assert answer.body is not None
    assert orjson.loads(answer.body)["id"] is None


@pytest.mark.parametrize(
    ("item", "reason", "echoed"),
    [
        (1, "not_an_object", None),
        ("x", "not_an_object", None),
        (None, "not_an_object", None),
        ({"method": "sum", "id": 7}, "bad_version", 7),
        ({"jsonrpc": 2.0, "method": "sum", "id": 7}, "bad_version", 7),
        ({"jsonrpc": "1.0", "method": "sum", "id": "a"}, "bad_version", "a"),
        ({"jsonrpc": "2.0", "id": 7}, "bad_method", 7),
        ({"jsonrpc": "2.0", "method": ["sum"], "id": 7}, "bad_method", 7),
        ({"jsonrpc": "2.0", "method": "sum", "id": True}, "bad_id", None),
        ({"jsonrpc": "2.0", "method": "sum", "id": [1]}, "bad_id", None),
        ({"jsonrpc": "2.0", "method": "sum", "id": {}}, "bad_id", None),
        ({"jsonrpc": "2.0", "method": "sum", "id": 1e300}, "bad_id", None),
        ({"jsonrpc": "2.0", "method": "sum", "id": 7, "params": 1}, "bad_params", 7),
        ({"jsonrpc": "2.0", "method": "sum", "id": 7, "params": False}, "bad_params", 7),
        ({"jsonrpc": "2.0", "method": "sum", "id": 7, "extra": 1}, "unknown_member", 7),
        ({"jsonrpc": "2.0", "method": "sum", "extra": 1}, "unknown_member", None),
    ],
)
async def test_an_invalid_request_says_in_what(
    front: Front, item: Any, reason: str, echoed: Any
) -> None:
    """-32600 with a reason; the id comes back where it could be read."""
    for answer in (await front.ask(item), (await front.ask([item]))[0]):
        assert answer["id"] == echoed
        assert answer["error"]["code"] == -32600
        assert answer["error"]["data"]["reason"] == reason


async def test_an_integer_beyond_64_bits_is_no_id(front: Front) -> None:
    """It could not be echoed unchanged."""
    text = b'{"jsonrpc":"2.0","method":"sum","params":[1],"id":123456789012345678901}'
    assert (await front.ask(text))["error"]["data"]["reason"] == "bad_id"


@pytest.mark.parametrize("id", [0, -1, 2**63, "", "x" * 1000, "\u20ac\x00", 1.5, -0.25, None])
async def test_a_good_id_comes_back_as_it_was(front: Front, id: Any) -> None:
    """Strings and integers, fractions too; null is a request all the same."""
    answer = await front.ask(request("sum", 1, id=id))
    assert answer == {"jsonrpc": "2.0", "result": 1, "id": id}
    assert type(answer["id"]) is type(id)


async def test_a_token_in_the_body_gets_a_hint(front: Front) -> None:
    """The commonest mistake of beginners; the token is not repeated."""
    answer = await front.ask({**request("sum", 1), "auth_token": "mgt_secret", "aaa": 1})
    data = answer["error"]["data"]
    assert (data["reason"], data["member"]) == ("unknown_member", "auth_token")
    assert "Authorization: Bearer" in data["hint"]
    assert "mgt_secret" not in str(answer)


async def test_of_a_member_given_twice_the_last_counts(front: Front) -> None:
    """As with nearly every parser; stated, so that nobody has to guess."""
    text = b'{"jsonrpc":"2.0","id":1,"id":2,"method":"sum","params":{"a":1,"a":5}}'
    assert await front.ask(text) == {"jsonrpc": "2.0", "result": 5, "id": 2}


@pytest.mark.parametrize(
    "text",
    [
        b'{"jsonrpc":"2.0","id":7,"method":"trade","params":{"name":"a","name":"b"}}',
        rb'{"jsonrpc":"2.0","id":7,"method":"trade","params":{"name":"a","n\u0061me":"b"}}',
        b'{"jsonrpc":"2.0","id":7,"method":"sum","method":"trade","params":{"name":"a"}}',
        b'[{"jsonrpc":"2.0","id":7,"method":"trade","params":{"name":"a"}},'
        b'{"jsonrpc":"2.0","id":8,"method":"sum","params":{"a":1,"a":5}}]',
    ],
)
async def test_what_trades_is_refused_with_a_member_twice(front: Front, text: bytes) -> None:
    """Whoever looks at an order on its way sees the volume that is sent: nothing is."""
    answer = await front.ask(text)
    assert answer["error"]["code"] == -32600
    assert answer["error"]["data"]["reason"] == "member_twice"
    assert answer["error"]["data"]["outcome"] == "not_sent"
    assert answer["id"] == (None if text.startswith(b"[") else 7)
    assert front.doings.calls == []


async def test_what_trades_is_refused_where_it_is_too_deep(front: Front) -> None:
    """Nobody looks for members down there."""
    deep = b"[" * 1000 + b"]" * 1000
    text = b'{"jsonrpc":"2.0","id":7,"method":"trade","params":{"name":' + deep + b"}}"
    assert (await front.ask(text))["error"]["data"]["reason"] == "too_deep"


async def test_an_unknown_method_suggests_the_nearest(front: Front) -> None:
    """A typing error is told apart from a missing feature."""
    error = (await front.ask(request("substract")))["error"]
    assert error["code"] == -32601
    assert error["data"]["method"] == "substract"
    assert "subtract" in error["data"]["did_you_mean"]


async def test_params_are_validated_and_named(front: Front) -> None:
    """jsonrpcserver checks nothing: each wrong field is listed, no value is repeated."""
    answer = await front.ask(request("sum", a="secret", nope=1))
    assert answer["error"]["code"] == -32602
    fields = {error["field"] for error in answer["error"]["data"]["errors"]}
    assert fields == {"a", "nope"}
    assert "secret" not in str(answer)
    too_many = await front.ask(request("sum", 1, 2, 3, 4))
    assert too_many["error"]["code"] == -32602


async def test_a_flood_of_params_is_refused_unvalidated(front: Front) -> None:
    """The error would be longer than the request, and building it would hold up the loop."""
    answer = await front.ask(request("sum", **{f"p{n}": n for n in range(65)}))
    assert answer["error"]["data"]["reason"] == "bad_params"
    assert answer["error"]["data"]["limit"] == 64
    answer = await front.ask(request("sum", **{f"p{n}": n for n in range(64)}))
    assert len(answer["error"]["data"]["errors"]) == 65


async def test_discover_gives_the_document(ask: Ask) -> None:
    """rpc.discover is the OpenRPC document itself, and takes no params."""
    answer = await ask(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}')
    assert answer["result"] == {"openrpc": "1.3.2"}
    answer = await ask(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover","params":[1]}')
    assert answer["error"]["code"] == -32602


async def test_what_other_libraries_send_is_understood(ask: Ask) -> None:
    """``"params": null`` is none, and a byte order mark in front is no part of the message."""
    body = b'{"jsonrpc":"2.0","id":7,"method":"get_data","params":null}'
    for sent in (body, b"\xef\xbb\xbf" + body):
        assert (await ask(sent))["result"] == ["hello", 5]
    assert (await ask(b"\xef\xbb\xbf\xef\xbb\xbf" + body))["error"]["code"] == -32700


@pytest.mark.parametrize("spoilt", [{"jsonrpc": "1.0"}, {"params": 1}, {"id": True}, {"extra": 1}])
async def test_who_trades_by_an_invalid_request_is_told_that_nothing_was_sent(
    front: Front, spoilt: dict[str, Any]
) -> None:
    """Every error of a trade says what is known; one of a read speaks of no trade."""
    for method, outcome in (("trade", "not_sent"), ("sum", None)):
        item = request(method, "a") | spoilt
        for answer in (await front.ask(item), (await front.ask([item]))[0]):
            assert answer["error"]["data"].get("outcome") == outcome
    assert front.doings.calls == []
