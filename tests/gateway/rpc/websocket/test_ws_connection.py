"""A WebSocket connection at work: order, concurrency, bad frames, silence."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from small_catalogue import event
from web_server_fixture import RawWs, Server, masked, open_server, raw_ws, until

from gateway.config import Limits


def request(method: str, id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


async def serves(ws: RawWs) -> bool:
    """The connection still answers."""
    ws.send(request("update", id="still"))
    return bool((await ws.json())["id"] == "still")


async def test_the_answer_to_subscribe_precedes_its_first_event(house: Server) -> None:
    """Also when the events were there before the answer was written."""
    async with raw_ws(house) as ws:
        for _ in range(20):
            ws.send(request("follow", count=3))
            assert (await ws.json())["result"] == "following"
            assert [(await ws.json())["params"]["seq"] for _ in range(3)] == [0, 1, 2]


async def test_the_answer_precedes_the_events_even_when_the_reader_is_slow(
    house: Server,
) -> None:
    """Congestion changes when, not in which order."""
    async with raw_ws(house, receive_buffer=4096) as ws:
        ws.send(request("big", id="big", size=300_000))
        ws.send(request("follow", id="follow", count=3))
        assert (await ws.json())["id"] == "big"
        assert (await ws.json())["id"] == "follow"
        assert [(await ws.json())["params"]["seq"] for _ in range(3)] == [0, 1, 2]


async def test_events_arrive_in_order_mixed_with_answers(house: Server) -> None:
    """One channel's events keep their order, whatever is answered between them."""
    async with raw_ws(house) as ws:
        assert await serves(ws)
        for number in range(0, 300, 3):
            house.streams.publish(*(event("orders", number + n) for n in range(3)))
            ws.send(request("update", id=number))
            if number % 30 == 0:
                await asyncio.sleep(0)
        seen, answered = [], []
        for _ in range(400):
            message = await ws.json()
            if "id" in message:
                answered.append(message["id"])
            else:
                seen.append(message["params"]["seq"])
        assert seen == list(range(300))
        assert sorted(answered) == list(range(0, 300, 3))


async def test_a_slow_call_holds_up_nobody(house: Server) -> None:
    """Requests run concurrently; answers come as they are ready."""
    async with raw_ws(house) as ws:
        ws.send(request("wait", id="slow"))
        for number in range(50):
            ws.send(request("sum", id=number, a=number))
        assert {(await ws.json())["id"] for _ in range(50)} == set(range(50))
        house.doings.open.set()
        assert (await ws.json())["id"] == "slow"


async def test_slow_calls_one_after_the_other_are_each_answered(house: Server) -> None:
    """Reading is handed on each time an answer waits, and nothing is lost on the way."""
    async with raw_ws(house) as ws:
        for number in range(20):
            house.doings.open.clear()
            ws.send(request("wait", id=number))
            await house.doings.entered.wait()
            ws.send(request("sum", id="between", a=1))
            assert (await ws.json())["id"] == "between"
            house.doings.open.set()
            assert (await ws.json())["id"] == number
            await house.doings.left.wait()


async def test_a_full_house_is_not_read_until_one_is_answered() -> None:
    """max_in_flight bounds the calls; TCP makes the client wait, nothing is refused."""
    async with open_server(limits=Limits(max_in_flight=4)) as house, raw_ws(house) as ws:
        for number in range(10):
            ws.send(request("wait", id=number, name=str(number)))
        await house.doings.entered.wait()
        await asyncio.sleep(0.05)
        assert house.doings.waiting == 4
        house.doings.open.set()
        assert {(await ws.json())["id"] for _ in range(10)} == set(range(10))
        assert house.doings.most_waiting <= 4


async def test_a_lost_connection_ends_reads_but_not_trades(house: Server) -> None:
    """Nobody waits for a read any more; an order that was begun is carried out."""
    async with raw_ws(house) as ws:
        ws.send(request("trade", id=1, name="a", slow=True))
        ws.send([request("trade", id=2, name="b", slow=True), request("trade", id=3, name="c")])
        ws.send(request("wait", id=4, name="read"))
        ws.send([request("wait", id=5), request("wait", id=6)])
        await until(lambda: house.doings.waiting == 5)
        ws.writer.transport.abort()
        await until(lambda: house.doings.waiting == 2)
        assert house.streams.listeners == []
        house.doings.open.set()
        await house.doings.left.wait()
        await until(lambda: "c done" in house.doings.calls)
        assert {"a done", "b done", "c done"} <= set(house.doings.calls)


async def test_a_trade_that_is_done_protects_nothing_any_more(house: Server) -> None:
    """A read on the same connection still ends when the connection does."""
    async with raw_ws(house) as ws:
        ws.send(request("trade", name="a"))
        assert (await ws.json())["result"] == "a"
        ws.send(request("wait"))
        await house.doings.entered.wait()
        ws.writer.transport.abort()
        await house.doings.left.wait()


async def test_ten_messages_that_are_no_json_are_borne(house: Server) -> None:
    """Each gets -32700; the eleventh ends the connection with 4502."""
    async with raw_ws(house) as ws:
        for _ in range(10):
            ws.send(b"nonsense")
            assert (await ws.json())["error"]["code"] == -32700
        assert await serves(ws)
        ws.send(b"nonsense")
        assert (await ws.json())["error"]["code"] == -32700
        assert await ws.close_code() == 4502


BAD_FRAMES = [
    (masked(b"{}", 0x82), 1003, "binary"),
    (masked(b"\xff\xfe", 0x81), 1007, "text that is no UTF-8"),
    (masked(b"{}", 0x83), 1002, "unknown opcode 3"),
    (masked(b"{}", 0x8B), 1002, "unknown opcode 11"),
    (masked(b"{}", 0xC1), 1002, "RSV1 without an extension"),
    (masked(b"{}", 0xA1), 1002, "RSV2"),
    (masked(b"{}", 0x91), 1002, "RSV3"),
    (masked(b"", 0x09), 1002, "fragmented ping"),
    (masked(b"x" * 126, 0x89), 1002, "ping over 125 bytes"),
    (masked(b"{}", 0x80), 1002, "continuation of nothing"),
    (masked(b"{}", 0x01) + masked(b"{}", 0x81), 1002, "text within a fragmented text"),
    (masked(b"\x03", 0x88), 1002, "close with half a code"),
    (masked(b"\x03\xe7", 0x88), 1002, "close with a code that nobody may send"),
    (b"\x81\x02{}", 1002, "a frame without a mask"),
    (b"\x89\x00", 1002, "a ping without a mask"),
    (masked(b"x" * 125, 0x01) + b"\x80\x01}", 1002, "a fragment without a mask"),
    (b"\x81\xfe\x00\x02\x00\x00\x00\x00{}", 1002, "a length of 2 in two bytes"),
    (b"\x81\xff" + (125).to_bytes(8, "big") + bytes(129), 1002, "a length of 125 in eight"),
    (b"\x81\xff" + (65_535).to_bytes(8, "big"), 1002, "a length of 65535 in eight"),
    (masked((1004).to_bytes(2, "big"), 0x88), 1002, "close with 1004"),
    (masked((1006).to_bytes(2, "big"), 0x88), 1002, "close with 1006"),
    (masked((5000).to_bytes(2, "big"), 0x88), 1002, "close with 5000"),
    (masked((65_535).to_bytes(2, "big"), 0x88), 1002, "close with 65535"),
    (b"\x81\xff" + (2**62).to_bytes(8, "big") + b"mask", 1009, "a length of 2**62"),
    (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffmask", 1002, "a length of 2**64"),
]


@pytest.mark.parametrize(
    ("frames", "code"), [(f, c) for f, c, _ in BAD_FRAMES], ids=[n for _, _, n in BAD_FRAMES]
)
async def test_a_bad_frame_ends_the_connection_with_its_code(
    house: Server, frames: bytes, code: int
) -> None:
    """1002, 1003, 1007 or 1009; the server goes on."""
    async with raw_ws(house) as ws:
        assert await serves(ws)
        ws.writer.write(frames)
        got = await ws.close_code()
        assert got == code or (code == 1002 and got == 1009)
        ws.send(b"", 8)
        assert await ws.ended()
    assert (await house.rpc("sum", a=1))["result"] == 1


async def test_a_message_over_the_limit_ends_with_1009() -> None:
    """In one frame or in many; at the limit it is answered."""
    async with open_server(limits=Limits(max_message_bytes=8192)) as house:
        async with raw_ws(house) as ws:
            ws.send(b'{"jsonrpc":"2.0","id":1,"method":"update"}'.ljust(8192))
            assert (await ws.json())["id"] == 1
            ws.send(b" " * 8193)
            assert await ws.close_code() == 1009
        async with raw_ws(house) as ws:
            ws.send(b" " * 5000, head=0)
            ws.send(b" " * 5000, 0)
            assert await ws.close_code() == 1009


async def test_a_message_may_come_in_fragments_with_pings_between(house: Server) -> None:
    """RFC 6455, section 5.4; byte by byte as well."""
    async with raw_ws(house) as ws:
        text = b'{"jsonrpc":"2.0","id":1,"method":"update"}'
        ws.send(text[:10], head=0)
        ws.send(b"hi", 9)
        ws.send(text[10:20], 0, head=0)
        ws.send(text[20:], 0)
        assert await ws.frame() == (10, b"hi")
        assert (await ws.json())["id"] == 1
        for byte in masked(text, 0x81):
            ws.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await ws.json())["id"] == 1


async def test_a_message_may_come_in_fragments_of_one_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any legal message may: its fragments are not taken for a flood."""
    monkeypatch.setattr("gateway.rpc.websocket.connection.QUEUED_BYTES", 0)
    limits = Limits(max_message_bytes=4096)
    async with open_server(limits=limits) as house, raw_ws(house) as ws:
        text = b'{"jsonrpc":"2.0","id":1,"method":"update"}'.ljust(4096)
        ws.send(text[:1], head=0)
        for byte in text[1:-1]:
            ws.send(bytes([byte]), 0, head=0)
        ws.send(text[-1:], 0)
        assert (await ws.json())["id"] == 1


@pytest.mark.parametrize("between", [b"", masked(b"", 0x89)], ids=["alone", "with pings"])
async def test_fragments_that_carry_nothing_have_an_end(
    between: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1009: a message that never ends would keep the gateway busy for ever, and no limit of sizes
    would ever be met."""
    monkeypatch.setattr("gateway.rpc.websocket.connection.QUEUED_BYTES", 0)
    limits = Limits(max_message_bytes=4096)
    async with open_server(limits=limits) as house, raw_ws(house) as ws:
        ws.send(b"[", head=0)
        for _ in range(20):
            ws.writer.write(masked(b"", 0) * 500 + between)
            await ws.writer.drain()
            await asyncio.sleep(0)
        assert await ws.close_code() == 1009
        assert await ws.ended()


async def test_a_burst_of_calls_is_no_flood() -> None:
    """However short a message may be at most: what is not read yet waits on its way to us."""
    limits = Limits(max_message_bytes=4096, max_in_flight=1)
    async with open_server(limits=limits) as house, raw_ws(house) as ws:
        ws.send(request("wait", id="first"))
        await house.doings.entered.wait()
        frame = masked(orjson.dumps(request("update")).ljust(4096), 0x81)
        ws.writer.write(frame * 500)
        await until(lambda: _reading_stopped(house))
        house.doings.open.set()
        assert [(await ws.json())["id"] for _ in range(501)] == ["first"] + [1] * 500


def _reading_stopped(house: Server) -> bool:
    """The server reads no more, for too much waits already."""
    assert house.server._connections is not None
    [connection] = house.server._connections._open
    assert connection._wire is not None
    return not connection._wire.is_reading()


async def test_what_was_taken_adds_up_to_no_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may send calls, or listen and send pings, for years."""
    monkeypatch.setattr("gateway.rpc.websocket.connection.QUEUED_BYTES", 0)
    monkeypatch.setattr("gateway.rpc.websocket.connection.MAX_PINGS", 1000)
    limits = Limits(max_message_bytes=4096)
    async with open_server(limits=limits) as house, raw_ws(house) as ws:
        for _ in range(500):
            ws.send(b"x" * 125, 9)
            assert (await ws.frame())[0] == 10
        for _ in range(20):
            ws.send(orjson.dumps(request("update")).ljust(4096))
            assert (await ws.json())["id"] == 1


async def test_a_client_that_closes_gets_its_code_back(house: Server) -> None:
    """And the socket ends; the streams forget the listener."""
    for sent, echoed in ((b"", 1000), (b"\x03\xe8bye", 1000), (b"\x0f\xa1", 4001)):
        async with raw_ws(house) as ws:
            assert await serves(ws)
            ws.send(sent, 8)
            assert await ws.close_code() == echoed
            assert await ws.ended()
            assert house.streams.listeners == []


async def test_nothing_is_answered_after_the_close(house: Server) -> None:
    """What was read behind the close frame is not carried out."""
    async with raw_ws(house) as ws:
        assert await serves(ws)
        calls = len(house.doings.calls)
        ws.send(b"{}", 2)
        for number in range(5):
            ws.send(request("update", id=number))
        assert await ws.close_code() == 1003
        ws.send(b"", 8)
        assert await ws.ended()
        assert len(house.doings.calls) == calls


async def test_a_peer_that_does_not_pong_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """4001 when nothing was heard after a ping; any message counts as a sign of life."""
    # by an idle clock no time at all; on Windows, which has none, a busy machine needs some
    monkeypatch.setattr("gateway.rpc.websocket.connection.PING_EVERY_S", 1.0)
    monkeypatch.setattr("gateway.rpc.websocket.connection.PONG_WITHIN_S", 0.5)
    async with open_server() as house, raw_ws(house) as ws:
        for _ in range(2):
            assert (await ws.frame())[0] == 9
            ws.send(b"", 10)
        assert (await ws.frame())[0] == 9
        assert await serves(ws)
        assert (await ws.frame())[0] == 9
        assert await ws.close_code() == 4001


async def test_who_waits_for_our_answers_is_not_taken_for_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While we don't read, for the house is full, its pongs cannot be seen."""
    monkeypatch.setattr("gateway.rpc.websocket.connection.PING_EVERY_S", 0.06)
    monkeypatch.setattr("gateway.rpc.websocket.connection.PONG_WITHIN_S", 0.03)
    async with open_server(limits=Limits(max_in_flight=2)) as house, raw_ws(house) as ws:
        for number in range(3):
            ws.send(request("wait", id=number))
        await house.doings.entered.wait()
        await asyncio.sleep(0.3)
        house.doings.open.set()
        answers: set[int] = set()
        while len(answers) < 3:
            opcode, _ = await ws.frame()
            assert opcode in (1, 9)
            answers |= {len(answers)} if opcode == 1 else set()


async def test_a_flood_of_pings_ends_with_4003(house: Server) -> None:
    """200 between two of ours are answered; whoever sends more has to come again."""
    async with raw_ws(house) as ws:
        for _ in range(200):
            ws.send(b"", 9)
        for _ in range(200):
            assert await ws.frame() == (10, b"")
        ws.send(b"", 9)
        assert await ws.close_code() == 4003


async def test_a_flood_of_pongs_ends_so_too(house: Server) -> None:
    """Nobody asked for them."""
    async with raw_ws(house) as ws:
        for _ in range(201):
            ws.send(b"", 10)
        assert await ws.close_code() == 4003


async def test_a_call_that_fails_in_the_door_is_logged_and_the_rest_goes_on(
    house: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect of ours costs one connection at most, never the daemon."""
    async with raw_ws(house) as ws:
        assert await serves(ws)

        def fail(*_: object) -> None:
            raise RuntimeError("a defect")

        monkeypatch.setattr("gateway.rpc.requests.RpcContext.call", fail)
        ws.send(request("update"))
        assert await ws.close_code() == 1011
        monkeypatch.undo()
    assert "a task of /ws failed" in caplog.text
    assert (await house.rpc("sum", a=1))["result"] == 1
