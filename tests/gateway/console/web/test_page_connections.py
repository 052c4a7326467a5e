"""Names, sizes and deadlines: what a request is before anybody looks at what it wants."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from console_fixtures import CHEAP
from page_client import PageClient

from gateway.config import ConsoleServer as ServerSettings
from gateway.config import Secrets
from gateway.console.server import PageServer
from gateway.console.service import open_console
from gateway.console.settings import ConsoleSettings
from gateway.console.web import request_context
from gateway.http.guard import FORM


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}"])
async def test_our_names_are_answered(stranger: PageClient, server: PageServer, host: str) -> None:
    """The loopback ones with the port; a form comes from the name that it was shown under."""
    name = host.format(port=server.port)
    assert (await stranger.get("/sign-in", Host=name)).status == 200
    form = {"email": "a@example.com", "password": "x"}
    page = await stranger.post("/sign-in", form, Host=name, Origin=f"http://{name}")
    assert page.status == 401
    if not name.startswith("127"):
        assert (await stranger.post("/sign-in", form, Host=name)).status == 403


FOREIGN = (
    "evil.test",
    "evil.test:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost.:{port}",
    "x.localhost:{port}",
    "127.1:{port}",
    "0.0.0.0:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "127.0.0.1:{port}@evil.test",
    "127.0.0.1:{port}, evil.test",
    "",
)


@pytest.mark.parametrize("path", ["/sign-in", "/api/v1/me", "/v1/keys", "/static/x"])
async def test_a_name_that_is_not_ours_is_refused(server: PageServer, path: str) -> None:
    """A page of another site may have made it resolve to this machine."""
    for host in FOREIGN:
        name = host.format(port=server.port)
        answer = await _raw(server, f"GET {path} HTTP/1.1\r\nHost: {name}\r\n\r\n")
        assert answer.startswith((b"HTTP/1.1 421 ", b"HTTP/1.1 400 ")), (name, answer[:80])


@pytest.mark.parametrize(
    "head",
    [
        "GET http://127.0.0.1:{port}/sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "GET //evil.test/ HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1:{port}",
        "GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.test",
        "GET /sign-in HTTP/1.1",
    ],
)
async def test_the_target_is_a_path_and_there_is_one_host(server: PageServer, head: str) -> None:
    """Else two programs may understand two things."""
    answer = await _raw(server, head.format(port=server.port) + "\r\n\r\n")
    assert answer.split(b" ", 2)[1] in (b"400", b"405", b"421")


@pytest.mark.parametrize("path", ["/sign-in", "/static/x", "/nope", "/v1/keys", "/api/v1/me"])
@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"Expect: \xff", 417),
        (b"Expect: 101-switch", 417),
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"User-Agent: \xff", 0),
        (b"Cookie: __Host-mgs=\xff", 0),
        (b"Origin: \xff", 0),
        (b"Sec-Fetch-Site: \xff", 0),
        (b"X-Forwarded-For: \xff", 0),
    ],
)
async def test_heads_beyond_reason_are_no_failure_of_ours(
    server: PageServer, caplog: pytest.LogCaptureFixture, path: str, line: bytes, status: int
) -> None:
    """A stranger could fill the log with tracebacks, hundreds a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n"
    writer.write(head.encode() + line + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    got = int(answer.split(b" ", 2)[1])
    assert got == status or (not status and got < 500)
    assert b"Content-Security-Policy: " in answer
    assert not [
        record for record in caplog.records if record.levelname == "ERROR" or record.exc_info
    ]


async def _raw(server: PageServer, text: str) -> bytes:
    """Send bytes and return what comes, until the other side closes or has said all."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(text.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").encode())
    answer = await reader.read()
    writer.close()
    return answer


async def test_the_proxy_of_a_public_url_says_who_asks(tmp_path: Path) -> None:
    """The last entry of X-Forwarded-For, which is the proxy's own; elsewhere it is never read.

    On this machine's own address it is http, so each delicate act needs the password there.
    """
    settings = ConsoleSettings(
        console_server=ServerSettings(
            port=0, public_url="https://console.example.com", trusted_proxy=True
        ),
        secrets=Secrets(store="file"),
    )
    async with (
        open_console(tmp_path / "home", settings, costs=CHEAP) as console,
        PageServer(console) as server,
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
    ):
        user = await console.users.create("ann@example.com", "ann", "correct horse battery")
        for host, scheme in (
            ("console.example.com", "https"),
            (f"127.0.0.1:{server.port}", "http"),
        ):
            visitor = PageClient(f"http://127.0.0.1:{server.port}", http)
            named = {"Host": host, "X_Forwarded_For": "198.51.100.1, 203.0.113.9"}
            await visitor.get("/sign-in", **named)
            form = {"email": user.email, "password": "correct horse battery"}
            page = await visitor.post("/sign-in", form, Origin=f"{scheme}://{host}", **named)
            assert page.status == 303
        sessions = await console.sessions.list(user.id)
        addresses = {(session.ip, session.https) for session in sessions}
        assert addresses == {("203.0.113.9", True), ("127.0.0.1", False)}


async def test_a_body_has_a_bound(ann: PageClient) -> None:
    """Whether its length is said or not."""
    size = request_context.MAX_BODY_BYTES + 1
    assert (await ann.post("/tokens", {"name": "x" * size})).status == 413

    async def pieces() -> object:
        for _ in range(size // 1024 + 1):
            yield b"x" * 1024

    headers = {"Content-Type": FORM}
    assert (await ann.ask("POST", "/tokens", headers, data=pieces())).status == 413
    headers = {"Content-Encoding": "gzip", "Content-Type": FORM}
    assert (await ann.ask("POST", "/tokens", headers, data=b"x")).status == 415


@pytest.mark.parametrize("form", ["&".join(f"f{n}=" for n in range(200)), "a=%ff", "a=\xff"])
async def test_a_form_that_cannot_be_read_is_refused(ann: PageClient, form: str) -> None:
    """Too many fields, or no UTF-8."""
    headers = {"Content-Type": FORM}
    page = await ann.ask("POST", "/tokens", headers, data=form.encode("latin-1"))
    assert page.status == 400


async def test_a_body_that_does_not_come_is_not_waited_for(
    server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection goes."""
    monkeypatch.setattr(request_context, "BODY_S", 0.05)
    origin = f"http://127.0.0.1:{server.port}"
    head = (
        f"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {origin}\r\n"
        f"Content-Type: {FORM}\r\nContent-Length: 10\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("path", ["/sign-in", "/v1/daemon/sync"])
async def test_a_body_that_is_cut_off_or_garbled_is_nobodys_failure(
    server: PageServer, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    """Neither stands in the log as ours."""
    origin = f"http://127.0.0.1:{server.port}"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nOrigin: {origin}\r\n"
        f"Content-Type: {FORM}\r\n"
    )
    answer = await _raw(server, head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n")
    assert b" 400 " in answer.partition(b"\r\n")[0]
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write((head + "Content-Length: 10\r\n\r\nhalf").encode())
    await writer.drain()
    writer.transport.abort()
    async with asyncio.timeout(10):
        while True:
            if not server.open_connections:
                break
            await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: "])
async def test_who_says_nothing_is_not_waited_for(
    server: PageServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Five seconds for the first whole request."""
    monkeypatch.setattr("gateway.http.server.FIRST_REQUEST_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(sent)
    assert await _rest(reader) == b""
    writer.close()


async def test_the_longest_idle_connection_makes_room(
    server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever floods the port pushes out its own connections."""
    monkeypatch.setattr("gateway.console.server.MAX_CONNECTIONS", 3)
    pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(4)]
    assert await _rest(pairs[0][0]) == b""
    assert server.open_connections == 3
    reader, writer = pairs[3]
    writer.write(f"GET /sign-in HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    for _, open_writer in pairs:
        open_writer.close()


async def test_a_body_that_does_not_come_makes_room(
    server: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds all connections by a byte of a body each keeps nobody out."""
    monkeypatch.setattr("gateway.console.server.MAX_CONNECTIONS", 3)
    name = f"127.0.0.1:{server.port}"
    head = f"POST /v1/daemon/sync HTTP/1.1\r\nHost: {name}\r\nContent-Length: 10\r\n\r\nx"
    pairs = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(3)]
    for _, writer in pairs:
        writer.write(f"GET /sign-in HTTP/1.1\r\nHost: {name}\r\n\r\n{head}".encode())
    for reader, _ in pairs:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        await reader.readuntil(b"</html>")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"GET /sign-in HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    assert server.open_connections == 3
    for _, open_writer in (*pairs, (reader, writer)):
        open_writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize(
    ("public_url", "trusted", "warns"),
    [
        ("https://console.example.com", False, True),
        ("https://console.example.com", True, False),
        ("", False, False),
    ],
)
async def test_a_proxy_that_is_not_trusted_is_spoken_of(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    public_url: str,
    *,
    trusted: bool,
    warns: bool,
) -> None:
    """All people behind it share one limit of sign-ins: the line that ends this is said."""
    settings = ConsoleSettings(
        console_server=ServerSettings(port=0, public_url=public_url, trusted_proxy=trusted),
        secrets=Secrets(store="file"),
    )
    async with (
        open_console(tmp_path / "home", settings, costs=CHEAP) as console,
        PageServer(console),
    ):
        said = [
            record.getMessage()
            for record in caplog.records
            if "trusted_proxy" in record.getMessage()
        ]
    assert len(said) == warns
    for text in said:
        assert "the line trusted_proxy = true under [console_server] into config.toml" in text
        assert "\n" not in text
