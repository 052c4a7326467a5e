"""What comes back of results, errors and batches, and what must not reach a client."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from jsonrpc_front import Front, request

from gateway.auth.caller import Scope
from gateway.config import Limits


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


async def test_a_database_that_cannot_be_used_is_told_as_such(
    front: Front, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it lies, and what to do, is for the log."""
    error = (await front.ask(request("read_disk")))["error"]
    assert error["code"] == -32603
    assert "database cannot be used" in error["message"]
    assert "hunter2" not in str(error)
    assert "read_disk: /home/hunter2: the disk reports errors" in caplog.text


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


async def test_a_batch_over_the_limit_that_trades_was_not_sent(front: Front) -> None:
    """Every error of a trade says what is known."""
    batch = [request("sum", 1)] * front.limits.max_batch
    assert "outcome" not in (await front.ask([*batch, request("sum", 1)]))["error"]["data"]
    refused = await front.ask([*batch, request("trade", "a")])
    assert refused["error"]["data"]["outcome"] == "not_sent"
    assert front.doings.calls == []


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


async def test_long_lists_of_a_batch_count_though_they_are_written_side_by_side() -> None:
    """Others take room while one is written chunk by chunk: what is left in the end decides."""
    front = Front(Limits(max_response_bytes=200_000))
    batch = [request("many", count=600, id=n) for n in range(20)]
    answers = await front.ask(batch)
    assert sum("result" in answer for answer in answers) == 3
    assert len(orjson.dumps(answers)) < 200_000 + 20 * 4096


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
