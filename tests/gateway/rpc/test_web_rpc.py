"""POST /rpc: bodies, statuses, keep-alive."""

from __future__ import annotations

import asyncio
from typing import Any

import jsonrpcclient
import orjson
import pytest
from web_server_fixture import Server, open_server, read_response, split_response, until

from gateway.config import Limits
from gateway.http.server import HttpConnection

UPDATE = {"jsonrpc": "2.0", "id": 1, "method": "update"}


async def test_an_answer_is_json_that_nobody_keeps(house: Server) -> None:
    """200, application/json, no-store."""
    status, headers, body = await house.post(UPDATE)
    assert (status, orjson.loads(body)["result"]) == (200, None)
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers
    assert "connection" not in headers


async def test_the_version_alias_is_the_same_door(house: Server) -> None:
    """/v1/rpc is /rpc for ever."""
    body = orjson.dumps(UPDATE)
    head = house.head("/v1/rpc", "POST", f"Content-Length: {len(body)}")
    status, _, answer = split_response(await house.raw(head.encode() + b"\r\n" + body))
    assert (status, orjson.loads(answer)["id"]) == (200, 1)


@pytest.mark.parametrize("note", [{"jsonrpc": "2.0", "method": "update"}])
async def test_notifications_alone_get_204_and_nothing_else(
    house: Server, note: dict[str, str]
) -> None:
    """One or a batch of them; they are carried out all the same."""
    for body in (note, [note, note]):
        status, headers, answer = await house.post(body)
        assert (status, answer) == (204, b"")
        assert "content-type" not in headers
    assert len(house.doings.calls) == 3


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"{", 200),
        ([], 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "nope"}, 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "explode"}, 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "refuse", "params": ["market"]}, 200),
        ({"jsonrpc": "2.0", "id": 1, "method": "refuse", "params": ["limit"]}, 429),
        ({"jsonrpc": "2.0", "id": 1, "method": "refuse", "params": ["overloaded"]}, 503),
        ([{"jsonrpc": "2.0", "id": 1, "method": "refuse", "params": ["limit"]}], 200),
    ],
)
async def test_the_status_speaks_of_the_transport_alone(
    house: Server, message: object, status: int
) -> None:
    """An error object travels in a 200, but for limits that are the whole answer."""
    got, headers, body = await house.post(message)
    assert got == status
    assert b'"error"' in body or isinstance(message, list)
    assert ("retry-after" in headers) == (status in (429, 503))
    assert headers.get("retry-after") in (None, "1", "2")


async def test_a_body_over_the_limit_is_refused_unread(house: Server) -> None:
    """413 and -32008 with the numbers, by the length that was announced."""
    limit = house.limits.max_message_bytes
    head = house.head("/rpc", "POST", f"Content-Length: {limit + 1}")
    status, headers, body = split_response(await house.raw(head.encode() + b"\r\n"))
    error = orjson.loads(body)["error"]
    assert (status, headers["connection"]) == (413, "close")
    assert (error["code"], error["data"]["limit"]) == (-32008, limit)
    assert error["data"]["size"] == limit + 1


async def test_a_chunked_body_over_the_limit_is_cut_off() -> None:
    """Without a length the bytes are counted; at the limit all is well."""
    async with open_server(limits=Limits(max_message_bytes=8192)) as house:
        for size, expected in ((8192, 200), (8193, 413), (200_000, 413)):
            text = orjson.dumps(UPDATE).ljust(size)
            chunks = b"".join(
                b"%x\r\n%s\r\n" % (len(part), part)
                for part in (text[i : i + 1000] for i in range(0, size, 1000))
            )
            head = house.head("/rpc", "POST", "Transfer-Encoding: chunked")
            raw = await house.raw(head.encode() + b"\r\n" + chunks + b"0\r\n\r\n")
            assert split_response(raw)[0] == expected


async def test_a_body_without_end_is_cut_off_at_the_limit() -> None:
    """What is over the limit is not collected while the deadline runs."""
    async with open_server(limits=Limits(max_message_bytes=8192)) as house:
        head = house.head("/rpc", "POST", "Transfer-Encoding: chunked")
        raw = await house.raw(head.encode() + b"\r\n" + b"2001\r\n" + b" " * 8193 + b"\r\n")
        assert split_response(raw)[0] == 413


@pytest.mark.parametrize(
    ("chunks", "status"),
    [
        (b"zz\r\n", 400),
        (b"-1\r\n", 400),
        (b"5\r\nabcdeXX", 400),
        (b"ffffffffffffffffff\r\na", 400),
        (b"5\r\nabcde\r\n0\r\nContent-Length: 5\r\n\r\n", 400),
        (b"5;" + b"x" * 20_000 + b"\r\n", 408),
    ],
)
async def test_a_broken_chunk_ends_the_request(
    house: Server,
    chunks: bytes,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Unreadable, or never complete; nothing is carried out, nothing traced."""
    monkeypatch.setattr("gateway.http.messages.BODY_S", 0.1)
    head = house.head("/rpc", "POST", "Transfer-Encoding: chunked")
    raw = await house.raw(head.encode() + b"\r\n" + chunks)
    assert split_response(raw)[0] == status
    assert "Traceback" not in caplog.text


async def test_a_client_that_hangs_up_within_its_body_leaves_no_trace(
    house: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """It happens every day: no error in the log, nothing carried out."""
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(house.head("/rpc", "POST", "Content-Length: 1000").encode() + b"\r\n{")
    await writer.drain()
    await until(lambda: house.gate.admitted)
    writer.transport.abort()
    await until(lambda: not house.server.open_connections)
    await asyncio.sleep(0.01)
    assert caplog.text == ""


async def test_a_client_that_hung_up_before_its_request_was_begun_is_gone(
    house: Server, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its head and the handler of it lies a turn of the loop, in which it may go."""
    begin, begun = HttpConnection._handle_request, asyncio.Event()

    async def late(self: HttpConnection, *args: Any) -> Any:
        writer.transport.abort()
        await until(lambda: self.transport is None)
        try:
            return await begin(self, *args)
        finally:
            begun.set()

    monkeypatch.setattr(HttpConnection, "_handle_request", late)
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(house.head("/rpc", "POST", "Content-Length: 1000").encode() + b"\r\n{")
    await begun.wait()
    assert caplog.text == ""


async def test_a_body_that_does_not_come_is_given_up(
    house: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """408 after the deadline, however steadily it trickles, and the connection closes."""
    monkeypatch.setattr("gateway.http.messages.BODY_S", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    writer.write(house.head("/rpc", "POST", "Content-Length: 1000").encode() + b"\r\n")

    async def trickle() -> None:
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.01)

    slowly = asyncio.create_task(trickle())
    status, headers, body = split_response(await read_response(reader))
    slowly.cancel()
    error = orjson.loads(body)["error"]
    assert (status, headers["connection"]) == (408, "close")
    assert (error["code"], error["data"]["timeout_ms"]) == (-32009, 100)
    assert error["data"]["outcome"] == "not_sent"
    writer.close()
    assert house.doings.calls == []


@pytest.mark.parametrize(
    ("token", "more", "status"),
    [
        ("", f"Content-Length: {2**24}", 413),
        ("mgt_wrong", "Content-Length: 2", 401),
        ("", "Content-Length: 2\r\nContent-Encoding: gzip", 415),
        ("", "Content-Length: 2\r\nReferer: http://a/", 403),
    ],
)
async def test_who_may_have_traded_is_told_that_nothing_was_sent(
    house: Server, token: str, more: str, status: int
) -> None:
    """A refusal before the body was read; others than /rpc take no trades in that form."""
    for path, outcome in (("/rpc", "not_sent"), ("/v1/rpc", "not_sent"), ("/healthz", None)):
        head = house.head(path, "POST", more, token=token)
        got, _, body = split_response(await house.raw(head.encode() + b"\r\n{}"))
        assert got == (status if outcome or status == 403 else 405)
        assert orjson.loads(body)["error"]["data"].get("outcome") == outcome


async def test_who_finds_no_room_has_sent_nothing() -> None:
    """Nothing was read on a connection that is turned away."""
    async with open_server(limits=Limits(max_connections=1)) as house:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(house.head("/rpc", "POST", "Content-Length: 9").encode() + b"\r\n{")
        await until(lambda: house.gate.admitted)
        status, _, body = split_response(await house.raw(b""))
        assert (status, orjson.loads(body)["error"]["data"]["outcome"]) == (503, "not_sent")
        writer.close()


async def test_a_client_that_waits_to_be_asked_is_asked(house: Server) -> None:
    """Expect: 100-continue, as curl sends with large bodies; a refused one is not asked."""
    body = orjson.dumps(UPDATE)
    length = f"Content-Length: {len(body)}"
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    head = house.head("/rpc", "POST", length, "Expect: 100-continue")
    writer.write(head.encode() + b"\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert split_response(await read_response(reader))[0] == 200
    writer.write(head.replace(house.token, "mgt_wrong").encode() + b"\r\n")
    assert split_response(await read_response(reader))[0] == 401
    writer.close()


async def test_a_failure_after_asking_is_answered(
    house: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The interim response does not count as the answer."""

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("gateway.rpc.requests.RpcContext.call", fail)
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    head = house.head("/rpc", "POST", "Content-Length: 2", "Expect: 100-continue")
    writer.write(head.encode() + b"\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    writer.write(b"{}")
    assert split_response(await read_response(reader))[0] == 500
    writer.close()


async def test_a_connection_serves_many_calls_pipelined_or_not(house: Server) -> None:
    """Keep-alive; answers come in the order of the requests."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    for number in range(20):
        body = orjson.dumps({**UPDATE, "id": number})
        head = house.head("/rpc", "POST", f"Content-Length: {len(body)}")
        writer.write(head.encode() + b"\r\n" + body)
    for number in range(20):
        _, _, answer = split_response(await read_response(reader))
        assert orjson.loads(answer)["id"] == number
    writer.close()


async def test_the_token_is_checked_on_each_request_of_a_connection(house: Server) -> None:
    """What is revoked between two requests is refused at the second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    body = orjson.dumps(UPDATE)
    request = house.head("/rpc", "POST", f"Content-Length: {len(body)}").encode() + b"\r\n" + body
    writer.write(request)
    assert split_response(await read_response(reader))[0] == 200
    house.gate.revoke(house.token)
    writer.write(request)
    status, _, answer = split_response(await read_response(reader))
    assert (status, orjson.loads(answer)["error"]["data"]["reason"]) == (401, "revoked")
    writer.close()


async def test_a_call_goes_on_when_its_client_hangs_up(house: Server) -> None:
    """An order that was begun is carried out, whoever still listens."""
    body = orjson.dumps({**UPDATE, "method": "trade", "params": {"name": "a", "slow": True}})
    _, writer = await asyncio.open_connection("127.0.0.1", house.port)
    head = house.head("/rpc", "POST", f"Content-Length: {len(body)}")
    writer.write(head.encode() + b"\r\n" + body)
    await house.doings.entered.wait()
    writer.transport.abort()
    house.doings.open.set()
    await house.doings.left.wait()
    await asyncio.sleep(0.01)
    assert house.doings.calls == ["a", "a done"]


async def test_a_client_of_another_maker_makes_calls_and_a_batch(house: Server) -> None:
    """jsonrpcclient builds the requests and parses the answers."""
    request = jsonrpcclient.request("subtract", params=(42, 23))
    _, _, body = await house.post(orjson.dumps(request))
    answer = jsonrpcclient.parse(orjson.loads(body))
    assert isinstance(answer, jsonrpcclient.Ok)
    assert answer.result == 19
    batch = [jsonrpcclient.request("sum", params={"a": n}) for n in range(3)]
    _, _, body = await house.post(orjson.dumps([*batch, jsonrpcclient.request("nope")]))
    answers = list(jsonrpcclient.parse(orjson.loads(body)))
    assert [a.result for a in answers if isinstance(a, jsonrpcclient.Ok)] == [0, 1, 2]
    assert isinstance(answers[3], jsonrpcclient.Error)
