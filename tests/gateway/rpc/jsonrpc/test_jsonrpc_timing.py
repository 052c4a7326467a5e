"""Where a call's milliseconds went: told on request, and counted for each method."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from jsonrpc_front import Front, request

from ea_bridge.host import Host, handed_in
from gateway.config import Limits


def timed(method: str, /, *params: Any, **more: Any) -> dict[str, Any]:
    return {**request(method, *params, **more), "timing": True}


async def test_whoever_asks_is_told_how_long_a_call_took(front: Front) -> None:
    """Beside the result, which is as ever; a method that asks no terminal has no such stages."""
    answer = await front.ask(timed("sum", 1, 2))
    timing = answer.pop("timing_ms")
    assert answer == {"jsonrpc": "2.0", "result": 3, "id": 1}
    assert (timing["queue"], timing["terminal"]) == (None, None)
    assert timing["whole"] >= 0


class StandingClock(Host):
    """Host whose finest clock goes on when a test says so."""

    now_s = 100.0

    def perf_s(self) -> float:  # type: ignore[override]  # the real one is the built-in itself
        return self.now_s


async def test_the_whole_has_what_the_call_waited_for() -> None:
    """From the message's arrival until the answer was there."""
    clock = StandingClock()
    with handed_in(clock):
        front = Front()
    asking = asyncio.create_task(front.ask(timed("wait")))
    await front.doings.entered.wait()
    clock.now_s += 0.25
    front.doings.open.set()
    answer = await asking
    assert answer["timing_ms"]["whole"] == 250


@pytest.mark.parametrize("unasked", [{}, {"timing": False}])
async def test_whoever_does_not_ask_is_told_nothing(
    front: Front, unasked: dict[str, bool]
) -> None:
    """The response has JSON-RPC's own members alone."""
    answer = await front.ask({**request("sum", 1), **unasked})
    assert answer == {"jsonrpc": "2.0", "result": 1, "id": 1}


async def test_an_error_is_timed_as_well(front: Front) -> None:
    """Of a method, and one that came in place of a result that cannot be sent."""
    for name in ("explode", "no_json"):
        answer = await front.ask(timed(name))
        assert set(answer) == {"jsonrpc", "error", "id", "timing_ms"}


async def test_each_item_of_a_batch_asks_for_itself(front: Front) -> None:
    """And is told its own time; a notification is told nothing."""
    unheard = {"jsonrpc": "2.0", "method": "sum", "params": [1], "timing": True}
    answers = await front.ask([timed("sum", 1, id=1), request("sum", 2, id=2), unheard])
    assert ["timing_ms" in answer for answer in answers] == [True, False]


@pytest.mark.parametrize("given", [1, 0, None, "true", {}, []])
async def test_timing_is_true_or_false(front: Front, given: Any) -> None:
    """Whatever else it is, the request is refused, and nothing of it was done."""
    answer = await front.ask({**request("trade", name="a"), "timing": given})
    assert answer["error"]["data"]["reason"] == "bad_timing"
    assert answer["error"]["data"]["outcome"] == "not_sent"
    assert front.doings.calls == []


async def test_timing_opens_the_envelope_to_nothing_else(front: Front) -> None:
    """A member of another name is refused as before, the same word among the params too."""
    answer = await front.ask({**timed("sum", 1), "extra": 1})
    assert (
        answer["error"]["data"] | {"reason": "unknown_member", "member": "extra"}
        == (answer["error"]["data"])
    )
    answer = await front.ask(request("sum", a=1, timing=True))
    assert answer["error"]["data"]["errors"][0]["field"] == "timing"


async def test_calls_are_counted_by_method_and_error(front: Front) -> None:
    """A message that names no method of ours counts under no name, whatever it says."""
    await front.ask(request("sum", 1))
    await front.ask([request("sum", 1, id=1), request("sum", "x", id=2), 5])
    await front.ask(request("no_such_method"))
    await front.raw(b"{")
    await front.raw(b"[]")
    sum_, others = front.rpc.metrics["sum"], front.rpc.metrics[""]
    assert sum(sum_.whole.read()[0]) == 3
    assert sum_.errors == {"invalid_params": 1}
    assert sum(others.whole.read()[0]) == 4
    assert others.errors == {"invalid_request": 2, "method_not_found": 1, "parse_error": 1}
    assert "no_such_method" not in front.rpc.metrics


async def test_an_answer_that_was_too_large_counts_as_the_error_that_came(front: Front) -> None:
    """The method was well, its caller was not."""
    front = Front(limits=Limits(max_response_bytes=100_000))
    await front.ask(request("big", 200_000))
    assert front.rpc.metrics["big"].errors == {"too_large": 1}
