"""Requests in flight: their ids, their transport, and how a read is cancelled."""

from __future__ import annotations

from typing import Any

import pytest
from jsonrpc_front import Front, request
from web_server_fixture import Server, raw_ws


async def test_a_method_of_ws_alone_is_not_supported_on_http(house: Server) -> None:
    """-32004 names the transport."""
    for name in ("ws_only", "cancel_request"):
        error = (await house.rpc(name))["error"]
        assert (error["code"], error["data"]["transport"]) == (-32004, "http")
    async with raw_ws(house) as ws:
        ws.send(request("ws_only"))
        assert (await ws.json())["result"] == "ws"


async def test_two_requests_in_flight_cannot_share_an_id(house: Server) -> None:
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


async def test_a_trade_whose_id_is_in_flight_was_not_sent(house: Server) -> None:
    """Every error of a trade says what is known."""
    async with raw_ws(house) as ws:
        ws.send(request("wait", id="x"))
        ws.send(request("trade", "a", id="x"))
        data = (await ws.json())["error"]["data"]
        assert (data["reason"], data["outcome"]) == ("duplicate_id", "not_sent")
        house.doings.open.set()


async def test_one_batch_cannot_use_an_id_twice_at_once(house: Server) -> None:
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


async def test_a_read_in_flight_can_be_cancelled(house: Server) -> None:
    """It is answered with -32010."""
    async with raw_ws(house) as ws:
        ws.send(request("wait", id="x"))
        await house.doings.entered.wait()
        ws.send(cancel("x"))
        answers = {answer["id"]: answer for answer in (await ws.json(), await ws.json())}
        assert answers["x"]["error"]["code"] == -32010
        assert answers["cancel"]["result"] == {"cancelled": True}


async def test_a_batch_goes_on_after_the_item_that_was_cancelled(house: Server) -> None:
    """The task that answers it is not the item's own."""
    async with raw_ws(house) as ws:
        ws.send([request("wait", id="x")] + [request("sum", 2, id=n) for n in range(40)])
        await house.doings.entered.wait()
        ws.send(cancel("x"))
        answers = [await ws.json(), await ws.json()]
        (batch,) = (answer for answer in answers if isinstance(answer, list))
        assert batch[0]["error"]["code"] == -32010
        assert [item["result"] for item in batch[1:]] == [2] * 40


async def test_a_cancelled_item_leaves_its_task_as_if_nothing_had_been(
    house: Server,
) -> None:
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


async def test_an_order_in_flight_is_never_cancelled(house: Server) -> None:
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
