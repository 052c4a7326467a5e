"""HTTP connections: deadlines, caps, and what a failing door answers."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection

import orjson
import pytest
from web_server_fixture import (
    Server,
    open_server,
    raw_ws,
    read_response,
    split_response,
    until,
)

from gateway.config import Limits
from gateway.http.connections import SEND_BUFFER_BYTES, Connection

GREETING = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "drop"),
    [(b"", b""), (b"POST /rpc HT", b""), (b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: ", b"x")],
)
async def test_a_connection_without_a_whole_request_is_cut(
    sent: bytes, drop: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slowloris: whatever trickles in, the first header must be whole in time."""
    monkeypatch.setattr("gateway.http.server.FIRST_REQUEST_S", 0.1)
    async with open_server() as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(sent)

        async def trickle() -> None:
            while True:
                writer.write(drop)
                await asyncio.sleep(0.02)

        slowly = asyncio.create_task(trickle())
        assert await read_response(reader) == b""
        slowly.cancel()
        writer.close()
        assert (await house.rpc("sum", a=1))["result"] == 1


async def test_a_request_in_time_ends_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow call and a second request on the connection are not cut."""
    monkeypatch.setattr("gateway.http.server.FIRST_REQUEST_S", 0.1)
    async with open_server() as house:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        for _ in range(2):
            writer.write(GREETING % house.port)
            assert split_response(await read_response(reader))[0] == 200
            await asyncio.sleep(0.15)
        writer.close()


async def test_idle_connections_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep-alive has an end, also for half a second request."""
    monkeypatch.setattr("gateway.http.server.KEEP_ALIVE_S", 0.1)
    async with open_server() as house:
        for rest in (b"", b"GET /heal"):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.write(GREETING % house.port + rest)
            assert split_response(await read_response(reader))[0] == 200
            assert await reader.read() == b""
            writer.close()


async def connect(house: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection, and wait until the server has counted it."""
    before = house.server.open_connections
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    await until(lambda: house.server.open_connections != before)
    return reader, writer


async def test_a_flood_of_strangers_pushes_out_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest stranger makes room, so a caller with a token always gets in."""
    monkeypatch.setattr("gateway.http.server.FIRST_REQUEST_S", 1000)
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 0)
    async with open_server(limits=Limits(max_unauthenticated=4)) as house:
        strangers = [await connect(house) for _ in range(4)]
        for _ in range(3):
            assert (await house.rpc("sum", a=1))["result"] == 1
        assert await strangers[0][0].read() == b""
        assert house.server.open_connections <= 4
        for _, writer in strangers:
            writer.close()


async def test_a_burst_of_callers_is_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are opened together have time to show their tokens: none is pushed out by
    the others, though they are more than there may be strangers."""
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 1000)
    async with open_server(limits=Limits(max_unauthenticated=4)) as house:
        answers = await asyncio.gather(*(house.rpc("sum", a=one) for one in range(30)))
        assert [one["result"] for one in answers] == list(range(30))


async def test_a_burst_does_not_break_the_house(monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more connections than there may be at all, however young they are."""
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 1000)
    limits = Limits(max_connections=8, max_unauthenticated=4)
    async with open_server(limits=limits) as house:
        strangers = [await asyncio.open_connection("127.0.0.1", house.port) for _ in range(20)]
        assert (await house.rpc("sum", a=1))["result"] == 1
        assert house.server.open_connections <= 8
        for _, writer in strangers:
            writer.close()


async def test_callers_with_tokens_are_not_pushed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that has shown its token outlives any flood of strangers."""
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 0)
    async with open_server(limits=Limits(max_unauthenticated=2)) as house, raw_ws(house) as ws:
        ws.send({"jsonrpc": "2.0", "id": 1, "method": "update"})
        assert (await ws.json())["id"] == 1
        for _ in range(10):
            _, writer = await asyncio.open_connection("127.0.0.1", house.port)
            writer.close()
        assert (await house.rpc("sum", a=1))["result"] == 1
        ws.send({"jsonrpc": "2.0", "id": 2, "method": "update"})
        assert (await ws.json())["id"] == 2


async def test_a_full_house_says_so() -> None:
    """Over max_connections: 503, -32006, Retry-After; when one leaves there is room again."""
    limits = Limits(max_connections=2, max_unauthenticated=2)
    async with open_server(limits=limits) as house:
        async with raw_ws(house), raw_ws(house):
            raw = await house.raw(GREETING % house.port)
            status, headers, body = split_response(raw)
            assert (status, headers["retry-after"]) == (503, "1")
            assert orjson.loads(body)["error"]["code"] == -32006
            assert house.server.open_connections == 2
        await until(lambda: not house.server.open_connections)
        assert (await house.rpc("sum", a=1))["result"] == 1


class Kept:
    """A client that keeps its connection."""

    def __init__(self, house: Server) -> None:
        self._house = house
        self._writer: asyncio.StreamWriter | None = None
        self.reader = asyncio.StreamReader()

    async def ask(self, method: str, *, receive_buffer: int = 0, **params: object) -> None:
        """Send a call, and wait for no answer."""
        if self._writer is None:
            sock = socket.socket(proto=socket.IPPROTO_TCP)
            sock.setblocking(False)
            if receive_buffer:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            address = ("127.0.0.1", self._house.port)
            await asyncio.get_running_loop().sock_connect(sock, address)
            self.reader, self._writer = await asyncio.open_connection(
                sock=sock, limit=receive_buffer or 65_536
            )
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        head = self._house.head("/rpc", "POST", f"Content-Length: {len(body)}")
        self._writer.write(head.encode() + b"\r\n" + body)

    async def status(self) -> int:
        """Read an answer."""
        return split_response(await read_response(self.reader))[0]

    async def works(self) -> bool:
        """The connection is served."""
        await self.ask("sum", a=1)
        return await self.status() == 200

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


@pytest.fixture
async def kept() -> AsyncIterator[Callable[[Server], Kept]]:
    """Makes clients that keep their connections until the test is over."""
    clients: list[Kept] = []

    def new(house: Server) -> Kept:
        clients.append(Kept(house))
        return clients[-1]

    yield new
    for client in clients:
        client.close()


async def test_the_caller_that_is_idle_for_longest_makes_room(
    kept: Callable[[Server], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that never closes its connections does not keep the others out. Whoever waits for an
    answer stays."""
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 0)
    async with open_server(limits=Limits(max_connections=3)) as house:
        busy, first, second, third = (kept(house) for _ in range(4))
        await busy.ask("wait")
        await house.doings.entered.wait()
        assert await first.works()
        assert await second.works()
        assert await third.works()
        assert await first.reader.read() == b""
        assert await second.works()
        assert (await house.rpc("sum", a=1))["result"] == 1
        assert await third.reader.read() == b""
        house.doings.open.set()
        assert await busy.status() == 200
        assert await second.works()


async def test_who_has_not_read_its_answer_yet_is_not_idle(
    kept: Callable[[Server], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets all of it, however many want in."""
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 0)
    # the kernel may keep both ends waiting for a moment, and an idle clock would jump that far
    monkeypatch.setattr("gateway.http.connections.UNREAD_S", math.inf)
    async with open_server(limits=Limits(max_connections=1)) as house:
        reader = kept(house)
        await reader.ask("big", size=4_000_000, receive_buffer=4096)
        await reader.reader.readexactly(1)
        assert split_response(await house.raw(GREETING % house.port))[0] == 503
        part = b""
        while not part.endswith(b"}"):
            part = await reader.reader.read(65_536)
            assert part, "the answer was cut"
        assert (await house.rpc("sum", a=1))["result"] == 1


async def test_a_caller_is_not_idle_at_once(
    kept: Callable[[Server], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next call may be on its way: no trade is left in doubt to let another caller in."""
    monkeypatch.setattr("gateway.http.connections.GRACE_S", 1000)
    async with open_server(limits=Limits(max_connections=1)) as house:
        caller = kept(house)
        assert await caller.works()
        assert split_response(await house.raw(GREETING % house.port))[0] == 503
        assert await caller.works()


Deaf = tuple[Kept, Connection]
"""A client that does not read, and its connection in the server."""


@pytest.fixture
def deaf(house: Server, kept: Callable[[Server], Kept]) -> Callable[[], Awaitable[Deaf]]:
    """Makes clients that ask for 4 MB and leave nearly all of it unread."""

    async def ask() -> Deaf:
        client = kept(house)
        await client.ask("big", size=4_000_000, receive_buffer=4096)
        await client.reader.readexactly(1)  # then the server has written all of it
        return client, list(stalled(house))[-1]

    return ask


def stalled(house: Server) -> Collection[Connection]:
    """Return the connections whose answers are unread, the oldest first."""
    assert house.server._connections is not None
    return house.server._connections._stalled


async def test_an_answer_that_nobody_reads_is_thrown_away(
    house: Server, deaf: Callable[[], Awaitable[Deaf]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, with its connection: it would lie in memory until the client went."""
    monkeypatch.setattr("gateway.http.connections.UNREAD_S", 0.1)
    await deaf()
    await until(lambda: not house.server.open_connections)
    assert not stalled(house)


async def test_a_little_that_nobody_reads_is_thrown_away_as_well(
    house: Server, kept: Callable[[Server], Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer is so short that its connection could stay for ever."""
    monkeypatch.setattr("gateway.http.connections.UNREAD_S", 0.1)
    monkeypatch.setattr("gateway.http.connections.SEND_BUFFER_BYTES", 4096)
    client = kept(house)
    await client.ask("big", size=60_000, receive_buffer=4096)
    await client.reader.readexactly(1)
    assert [connection.unread < 65_536 for connection in stalled(house)] == [True]
    await until(lambda: not house.server.open_connections)


async def test_a_slow_reader_that_reads_on_gets_its_answer(
    house: Server, deaf: Callable[[], Awaitable[Deaf]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock starts anew while the answer gets shorter; the connection serves on."""
    # the kernel may keep both ends waiting for a moment, and an idle clock would jump that far
    monkeypatch.setattr("gateway.http.connections.UNREAD_S", math.inf)
    client, connection = await deaf()
    before = connection.unread
    await client.reader.readexactly(1_000_000)
    connection._cut_or_watch(before)
    while not (some := await client.reader.read(65_536)).endswith(b"}"):
        assert some, "it was cut"
    assert not stalled(house)
    assert await client.works()


async def test_answers_that_nobody_reads_have_a_common_bound(
    house: Server, deaf: Callable[[], Awaitable[Deaf]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest go where there is more; the newest stays, however long it is."""
    _, oldest = await deaf()
    _, second = await deaf()
    assert list(stalled(house)) == [oldest, second]
    monkeypatch.setattr("gateway.http.connections.MAX_UNREAD_BYTES", 10_000_000)
    _, third = await deaf()
    assert list(stalled(house)) == [second, third]
    monkeypatch.setattr("gateway.http.connections.MAX_UNREAD_BYTES", 1_000_000)
    _, newest = await deaf()
    assert list(stalled(house)) == [newest]
    assert house.server.open_connections == 1


async def test_the_kernel_holds_little_for_a_stalled_reader(
    house: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SO_SNDBUF is set on accepted sockets; Linux doubles what it is given."""
    sizes = []
    known = house.server._connections.__class__.known  # type: ignore[union-attr]

    def note(self: object, connection: object) -> None:
        sock = connection._wire.get_extra_info("socket")  # type: ignore[attr-defined]
        sizes.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF))
        known(self, connection)  # type: ignore[arg-type]

    monkeypatch.setattr("gateway.http.connections.Connections.known", note)
    await house.rpc("sum", a=1)
    assert SEND_BUFFER_BYTES <= sizes[0] <= 2 * SEND_BUFFER_BYTES


async def test_a_door_that_fails_tells_nothing(
    house: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with a trace_id, which the log has beside the traceback."""

    async def fail(*_: object) -> None:
        raise RuntimeError("secret=hunter2")

    monkeypatch.setattr("gateway.rpc.server.RpcHandler.answer", fail)
    status, headers, body = await house.post({"jsonrpc": "2.0", "id": 1, "method": "update"})
    error = orjson.loads(body)["error"]
    assert (status, error["code"], headers["connection"]) == (500, -32603, "close")
    assert b"hunter2" not in body
    assert error["data"]["trace_id"] in caplog.text
    assert "hunter2" in caplog.text
