"""The JSON-RPC front: the specification, and what must not reach a client."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web_house import Doings, Gate, House, Unasked, raw_ws, small_catalogue

from gateway.auth.caller import Scope
from gateway.auth.tickets import Tickets
from gateway.catalogue import Call
from gateway.config import Limits
from gateway.daemon import Daemon
from gateway.openrpc import LateDocument
from gateway.web.in_flight import InFlight
from gateway.web.jsonrpc import Answer, JsonRpc

Ask = Callable[[bytes], Awaitable[Any]]


class Front:
    """A front without a door, and a caller."""

    def __init__(self, limits: Limits | None = None, scope: Scope = Scope.ADMIN) -> None:
        self.doings = Doings()
        self.limits = limits or Limits()
        document = LateDocument(lambda: b'{"openrpc":"x"}')
        self.rpc = JsonRpc(small_catalogue(self.doings), self.limits, document=document)
        self.in_flight = InFlight()
        gate = Gate()
        self.caller = gate.admit(gate.new(scope))

    def call(self, transport: str = "ws") -> Call:
        daemon = Daemon(boot="b", limits=self.limits, rpc_url="", ws_url="")
        return Call(
            caller=self.caller,
            transport=transport,  # type: ignore[arg-type]
            terminal=Unasked(),  # type: ignore[arg-type]
            streams=None,  # type: ignore[arg-type]
            listener=None,
            daemon=daemon,
            tickets=Tickets(lambda caller: None),
        )

    async def raw(self, text: bytes) -> Answer:
        return await self.rpc.answer(text, self.call(), self.in_flight)

    async def ask(self, message: Any) -> Any:
        """Send a message; return the decoded answer, or None."""
        text = message if isinstance(message, bytes) else orjson.dumps(message)
        body = (await self.raw(text)).body
        return None if body is None else orjson.loads(body)


@pytest.fixture
async def front() -> Front:
    return Front()


def request(method: str, /, *params: Any, id: Any = 1, **named: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": list(params) or named}


@pytest.fixture(params=["http", "ws"])
async def ask(request: pytest.FixtureRequest, house: House) -> AsyncIterator[Ask]:
    """Send a text over a transport; return the decoded answer, None when there is none."""
    if request.param == "http":

        async def over_http(text: bytes) -> Any:
            status, _, body = await house.post(text)
            assert (status == 204) == (body == b"")
            return orjson.loads(body) if body else None

        yield over_http
        return
    async with raw_ws(house) as ws:

        async def over_ws(text: bytes) -> Any:
            ws.send(text)
            ws.send(b'{"jsonrpc":"2.0","id":"end","method":"get_data"}')
            answers = [await ws.json()]
            with suppress(TimeoutError):  # answers may come in any order, or not at all
                answers.append(await asyncio.wait_for(ws.json(), 0.1))
            ends = [a for a in answers if isinstance(a, dict) and a["id"] == "end"]
            assert len(ends) == 1
            answers.remove(ends[0])
            return answers[0] if answers else None

        yield over_ws


SPECIFICATION = [
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
        b'"\\ud800"', b'{"\\udfff":1}', b'"\xff\xfe"', b"\xef\xbb\xbf{}", b"{'a':1}", b"[1,]",
        b"\x00",
        b'{"a":1}{"a":1}', b"// no\n{}", b"01", b"+1", b".5", b"0x10", b"undefined", b'"\t"',
    ],
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
        ({"jsonrpc": "2.0", "method": "sum", "id": 7, "params": None}, "bad_params", 7),
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


async def test_no_text_of_an_exception_reaches_the_wire(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """jsonrpcserver sends str(exception); ours sends a trace_id, and the log has the rest."""
    answer = await front.ask(request("explode"))
    error = answer["error"]
    assert error["code"] == -32603
    assert set(error["data"]) == {"name", "retryable", "trace_id"}
    assert "hunter2" not in str(answer)
    assert error["data"]["trace_id"] in caplog.text
    assert "hunter2" in caplog.text


async def test_a_trade_that_failed_in_the_gateway_has_an_unknown_outcome(front: Front) -> None:
    """The caller must look before it tries again; also when only its result was lost."""
    for how in ("fail", "odd"):
        answer = await front.ask(request("trade", name="a", **{how: True}))
        assert answer["error"]["code"] == -32603
        assert answer["error"]["data"]["outcome"] == "unknown"
    assert "outcome" not in (await front.ask(request("no_json")))["error"]["data"]


async def test_a_result_that_is_no_json_is_that_items_error_alone(front: Front) -> None:
    """jsonrpcserver loses the whole batch to it."""
    batch = [request("sum", 1, id=1), request("no_json", id=2), request("sum", 3, id=3)]
    first, second, third = await front.ask(batch)
    assert (first["result"], third["result"]) == (1, 3)
    assert second["error"]["code"] == -32603
    assert (await front.ask(request("no_json")))["error"]["code"] == -32603


async def test_nan_never_leaves(front: Front) -> None:
    """A NaN in a result becomes null: the answer stays JSON."""
    assert (await front.ask(request("not_a_number")))["result"] == {"value": None}


async def test_something_cancelled_inside_one_item_is_that_items_error_alone(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """jsonrpcserver leaves the caller without an answer while the siblings run on."""
    batch = [request("sum", 1, id=1), request("lose", id=2), request("sum", 3, id=3)]
    first, second, third = await front.ask(batch)
    assert (first["result"], third["result"]) == (1, 3)
    assert second["error"]["code"] == -32010
    assert "something that it waited for was cancelled" in caplog.text
    assert (await front.ask(request("lose")))["error"]["code"] == -32010


async def test_the_cancellation_of_the_task_itself_goes_through(front: Front) -> None:
    """Whoever stops the daemon is not answered with an error object."""
    for message in (request("wait"), [request("wait", id=1), request("wait", id=2)]):
        task = asyncio.create_task(front.ask(message))
        await front.doings.entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await front.doings.left.wait()


async def test_one_bad_item_leaves_its_siblings_alone(front: Front) -> None:
    """jsonrpcserver rejects the whole batch."""
    batch = [request("sum", 1, id=1), {"method": "sum"}, request("sum", 3, id=3), 5]
    answers = await front.ask(batch)
    assert [("result" in a, a["id"]) for a in answers] == [
        (True, 1),
        (False, None),
        (True, 3),
        (False, None),
    ]


async def test_a_batch_over_the_limit_is_one_error_and_nothing_runs(front: Front) -> None:
    """jsonrpcserver has no limit: 10,000 notifications would hold up the loop."""
    limit = front.limits.max_batch
    answer = await front.ask([{"jsonrpc": "2.0", "method": "update"}] * (limit + 1))
    assert answer["id"] is None
    data = answer["error"]["data"]
    assert (data["reason"], data["limit"]) == ("batch_too_large", limit)
    assert front.doings.calls == []
    assert await front.ask([{"jsonrpc": "2.0", "method": "update"}] * limit) is None
    assert len(front.doings.calls) == limit


async def test_a_batch_that_trades_runs_in_order_one_after_the_other(front: Front) -> None:
    """Each item is done before the next begins, and answers are in order."""
    batch = [
        request("trade", name="a", id=1),
        request("wait", name="b", id=2),
        request("trade", name="c", id=3),
    ]
    front.doings.open.set()
    answers = await front.ask(batch)
    assert [answer["result"] for answer in answers] == ["a", "b", "c"]
    assert front.doings.calls == ["a", "a done", "b", "c", "c done"]


async def test_a_batch_of_reads_runs_together_but_not_all_at_once(front: Front) -> None:
    """At most 32 at a time, as many as that where there are more; answers in order."""
    task = asyncio.create_task(front.ask([request("wait", name=str(n), id=n) for n in range(80)]))
    for _ in range(100):
        await asyncio.sleep(0)
    assert front.doings.waiting == 32
    front.doings.open.set()
    assert [answer["id"] for answer in await task] == list(range(80))
    assert front.doings.most_waiting == 32


async def test_a_trade_sent_as_a_notification_is_dropped_and_counted(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody could learn how it ended, so it does not happen."""
    note = {"jsonrpc": "2.0", "method": "trade", "params": {"name": "a"}}
    assert await front.ask(note) is None
    answers = await front.ask([note, request("sum", 1)])
    assert [answer["result"] for answer in answers] == [1]
    assert front.doings.calls == []
    assert front.rpc.dropped_notifications == 2
    assert "dropped a trade" in caplog.text


async def test_errors_of_methods_keep_code_name_and_numbers(front: Front) -> None:
    """The error tree's data arrives as the handler gave it."""
    error = (await front.ask(request("refuse", how="market")))["error"]
    assert (error["code"], error["data"]["name"]) == (2006, "market_closed")
    assert error["data"]["retryable"] is True
    assert error["data"]["outcome"] == "rejected"


async def test_a_token_without_the_scope_is_forbidden_to_trade() -> None:
    """-32003 names the scope; the handler never runs."""
    front = Front(scope=Scope.READ)
    error = (await front.ask(request("trade", name="a")))["error"]
    assert (error["code"], error["data"]["scope"]) == (-32003, "trade")
    assert front.doings.calls == []


async def test_an_answer_over_the_limit_says_so_instead() -> None:
    """A single answer, and each item of a batch from where the sum is over."""
    front = Front(Limits(max_response_bytes=65_536))
    error = (await front.ask(request("big", size=70_000)))["error"]
    assert (error["code"], error["data"]["limit"]) == (-32008, 65_536)
    assert error["data"]["size"] > 70_000
    batch = [request("big", size=30_000, id=n) for n in range(4)]
    answers = await front.ask(batch)
    assert ["result" in answer for answer in answers] == [True, True, False, False]


async def test_long_errors_count_too() -> None:
    """A batch of long errors does not get around the limit; short ones are told all the same."""
    front = Front(Limits(max_response_bytes=65_536))
    batch = [request("refuse", how="market", size=30_000, id=n) for n in range(3)]
    answers = await front.ask([*batch, request("refuse", how="market", id=3)])
    assert [answer["error"]["code"] for answer in answers] == [2006, 2006, -32008, 2006]


@pytest.mark.parametrize("name", ["sum", "trade"])
async def test_a_batch_lets_others_have_their_turn(front: Front, name: str) -> None:
    """After each item, though none of them waits for anything."""
    params = {"a": 1} if name == "sum" else {"name": "a"}
    batch = [request("sum", a=1, id=n) for n in range(49)] + [request(name, **params, id=49)]
    task = asyncio.create_task(front.ask(batch))
    turns = 0
    while not task.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(await task) == 50
    assert turns > 50


async def test_discover_gives_the_document(ask: Ask) -> None:
    """rpc.discover is the OpenRPC document itself, and takes no params."""
    answer = await ask(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}')
    assert answer["result"] == {"openrpc": "1.3.2"}
    answer = await ask(b'{"jsonrpc":"2.0","id":1,"method":"rpc.discover","params":[1]}')
    assert answer["error"]["code"] == -32602


async def test_a_method_of_ws_alone_is_not_supported_on_http(house: House) -> None:
    """-32004 names the transport."""
    for name in ("ws_only", "cancel_request"):
        error = (await house.rpc(name))["error"]
        assert (error["code"], error["data"]["transport"]) == (-32004, "http")
    async with raw_ws(house) as ws:
        ws.send(request("ws_only"))
        assert (await ws.json())["result"] == "ws"


async def test_two_requests_in_flight_cannot_share_an_id(house: House) -> None:
    """The second is refused, the first answered; afterwards the id is free again."""
    async with raw_ws(house) as ws:
        ws.send(request("wait", name="first", id="x"))
        ws.send(request("sum", 1, id="x"))
        refusal = await ws.json()
        assert refusal["id"] == "x"
        assert refusal["error"]["data"]["reason"] == "duplicate_id"
        house.doings.open.set()
        assert (await ws.json())["result"] == "first"
        ws.send(request("sum", 1, id="x"))
        assert (await ws.json())["result"] == 1


async def test_one_batch_cannot_use_an_id_twice_at_once(house: House) -> None:
    """Reads of a batch run together, so the second of two equal ids is refused."""
    async with raw_ws(house) as ws:
        ws.send([request("wait", name="first", id=5), request("wait", name="second", id=5)])
        ws.send(request("sum", 1, id=5))
        assert (await ws.json())["error"]["data"]["reason"] == "duplicate_id"
        house.doings.open.set()
        first, second = await ws.json()
        assert first["result"] == "first"
        assert second["error"]["data"]["reason"] == "duplicate_id"


def cancel(id: Any) -> dict[str, Any]:
    return request("cancel_request", id="cancel") | {"params": {"id": id}}


async def test_a_read_in_flight_can_be_cancelled(house: House) -> None:
    """It is answered with -32010."""
    async with raw_ws(house) as ws:
        ws.send(request("wait", id="x"))
        await house.doings.entered.wait()
        ws.send(cancel("x"))
        answers = {answer["id"]: answer for answer in (await ws.json(), await ws.json())}
        assert answers["x"]["error"]["code"] == -32010
        assert answers["cancel"]["result"] == {"cancelled": True}


async def test_a_batch_goes_on_after_the_item_that_was_cancelled(house: House) -> None:
    """The task that answers it is not the item's own."""
    async with raw_ws(house) as ws:
        ws.send([request("wait", id="x")] + [request("sum", 2, id=n) for n in range(40)])
        await house.doings.entered.wait()
        ws.send(cancel("x"))
        answers = [await ws.json(), await ws.json()]
        (batch,) = (answer for answer in answers if isinstance(answer, list))
        assert batch[0]["error"]["code"] == -32010
        assert [item["result"] for item in batch[1:]] == [2] * 40


async def test_a_cancelled_item_leaves_its_task_as_if_nothing_had_been(house: House) -> None:
    """Something else that is cancelled later in the batch is still that item's error alone."""
    async with raw_ws(house) as ws:
        batch = [
            request("wait", id="x"),
            request("lose", id="y"),
            request("trade", id="z", name="a"),
        ]
        ws.send(batch)
        await house.doings.entered.wait()
        ws.send(cancel("x"))
        answers = [await ws.json(), await ws.json()]
        (batch,) = (answer for answer in answers if isinstance(answer, list))
        assert [item.get("error", {}).get("code") for item in batch] == [-32010, -32010, None]
        assert batch[2]["result"] == "a"


async def test_an_order_in_flight_is_never_cancelled(house: House) -> None:
    """cancel_request says false; the trade goes on to its end."""
    async with raw_ws(house) as ws:
        ws.send(request("trade", name="a", slow=True, id="x"))
        await house.doings.entered.wait()
        ws.send(cancel("x"))
        assert await ws.json() == {
            "jsonrpc": "2.0",
            "result": {"cancelled": False},
            "id": "cancel",
        }
        house.doings.open.set()
        assert (await ws.json())["result"] == "a"


@pytest.mark.parametrize("params", [{}, {"id": None}, {"id": [1]}, {"id": 1, "x": 2}, [1, 2]])
async def test_cancel_request_takes_one_id(front: Front, params: Any) -> None:
    """Anything else is invalid_params."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "cancel_request", "params": params}
    assert (await front.ask(message))["error"]["code"] == -32602
    message["params"] = ["nobody"]
    assert (await front.ask(message))["result"] == {"cancelled": False}


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5)
    ),
    max_leaves=20,
)
MEMBERS = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | JSON_VALUES,
        "method": st.sampled_from(["sum", "update", "trade", "explode", "no_json", "nope"])
        | JSON_VALUES,
        "params": JSON_VALUES,
        "id": JSON_VALUES,
        "auth_token": JSON_VALUES,
    },
)
TEXTS = (
    st.binary(max_size=200)
    | (JSON_VALUES | MEMBERS | st.lists(MEMBERS, max_size=6)).map(lambda v: repr(v).encode())
    | (JSON_VALUES | MEMBERS | st.lists(MEMBERS | JSON_VALUES, max_size=6)).map(
        lambda v: json.dumps(v).encode()
    )
)


def check_any_answer(text: bytes) -> None:
    """Whatever comes in: an answer in the right shape, or none, and no exception."""

    async def run() -> None:
        front = Front()
        body = (await front.raw(text)).body
        if body is None:
            return
        answer = orjson.loads(body)
        assert b"hunter2" not in body
        for item in answer if isinstance(answer, list) else [answer]:
            assert item["jsonrpc"] == "2.0"
            assert item.keys() in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"})
            assert type(item["id"]) in (int, str, float, type(None))
            if "error" in item:
                assert {"code", "message", "data"} == item["error"].keys()
                assert {"name", "retryable"} <= item["error"]["data"].keys()

    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(run())
    finally:
        logging.disable(logging.NOTSET)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS)
def test_any_text_gets_a_well_formed_answer(text: bytes) -> None:
    """T6, short form."""
    check_any_answer(text)


@pytest.mark.long
@pytest.mark.timeout(0)
@settings(max_examples=200_000, deadline=None)
@given(text=TEXTS)
def test_any_text_gets_a_well_formed_answer_at_length(text: bytes) -> None:
    """T6, long form."""
    check_any_answer(text)


async def test_hostile_shapes_do_not_hold_up_the_loop(house: House) -> None:
    """Nesting and batches at every limit are answered, and the next caller is served."""
    shapes = [
        b"[" * 1000 + b"]" * 1000,
        b"[" + b"1," * 30_000 + b"1]",
        b'{"jsonrpc":"2.0","id":1,"method":"sum","params":{"a":' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"jsonrpc":"2.0","id":"' + b"x" * 60_000 + b'","method":"sum","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"method":"' + b"sum" * 20_000 + b'"}',
        b"{" + b",".join(b'"k%d":1' % n for n in range(5000)) + b"}",
        b'{"jsonrpc":"2.0","id":1,"method":"sum","params":{'
        + b",".join(b'"k%d":1' % n for n in range(5000))
        + b"}}",
    ]
    for shape in shapes:
        status, _, body = await house.post(shape)
        assert status == 200
        assert orjson.loads(body)
    assert (await house.rpc("sum", a=1))["result"] == 1
