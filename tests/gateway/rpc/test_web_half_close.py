"""Clients that have nothing more to ask, and listen."""

from __future__ import annotations

import asyncio

import orjson
from web_server_fixture import Server, raw_ws, until


def request(house: Server, number: int, name: str = "wait") -> bytes:
    """Return one whole call."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": number, "method": name})
    head = house.head("/rpc", "POST", f"Content-Length: {len(body)}")
    return head.encode() + b"\r\n" + body


async def test_who_half_closes_gets_the_answer(house: Server) -> None:
    """``nc -N`` does so: an order that is carried out is answered, and then it is over."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(request(house, 7))
    writer.write_eof()
    await house.doings.entered.wait()
    house.doings.open.set()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert orjson.loads(answer.rpartition(b"\r\n\r\n")[2])["id"] == 7
    await until(lambda: house.server.open_connections == 0)


async def test_all_that_was_asked_before_is_answered(house: Server) -> None:
    """Calls that were sent ahead get their answers too, whenever the end comes."""
    house.doings.open.set()
    for late in (False, True):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(b"".join(request(house, number) for number in range(5)))
        if late:
            await reader.readuntil(b'"id":0}')
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        assert [number for number in range(5) if b'"id":%d}' % number in answer] == (
            [1, 2, 3, 4] if late else [0, 1, 2, 3, 4]
        )
        await until(lambda: house.server.open_connections == 0)


async def test_half_a_request_is_not_waited_for(house: Server) -> None:
    """Nothing can come any more: the connection ends at once, and nothing is done."""
    whole = request(house, 1, "update")
    for sent in (b"", whole[:20], whole[:-5]):
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(sent)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 2) == b""
        writer.close()
    assert house.doings.calls == []


async def test_a_half_closed_websocket_is_over(house: Server) -> None:
    """Its protocol has a farewell of its own, and events would go on for ever."""
    async with raw_ws(house) as ws:
        ws.writer.write_eof()
        assert await asyncio.wait_for(ws.ended(), 2)
    await until(lambda: not house.streams.listeners)
