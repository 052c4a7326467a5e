"""Every answer carries every header, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from console_fixtures import CHEAP
from page_client import PageClient

from gateway.config import ConsoleServer as ServerSettings
from gateway.config import Secrets
from gateway.console.server import PageServer
from gateway.console.service import Console, open_console
from gateway.console.settings import ConsoleSettings
from gateway.console.web.security import CONTENT_SECURITY_POLICY

EXPECTED = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "
        "require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
PLACES = [
    ("GET", "/", 303),
    ("GET", "/sign-in", 200),
    ("HEAD", "/sign-in", 200),
    ("GET", "/nowhere", 404),
    ("GET", "/static/nothing.css", 404),
    ("DELETE", "/sign-in", 405),
    ("OPTIONS", "/sign-in", 405),
    ("TRACE", "/sign-in", 405),
    ("POST", "/sign-in", 415),
    ("GET", "/reset/" + "a" * 43, 410),
    ("GET", "/api/v1/me", 401),
    ("GET", "/api/v1/nothing", 404),
    ("POST", "/api/v1/me", 405),
    ("GET", "/api/v1/openapi.json", 200),
    ("GET", "/live", 401),
    ("GET", "/v1/keys", 200),
    ("GET", "/v1/nothing", 404),
    ("POST", "/v1/daemon/sync", None),
    ("GET", "//evil.test/", 400),
]


def _check(found: Mapping[str, str], place: str) -> None:
    for name, value in EXPECTED.items():
        assert found.get(name) == value, f"{name} on {place}"
    assert "=()" in found["Permissions-Policy"]
    assert found["Referrer-Policy"] in ("no-referrer", "same-origin")
    assert "Server" not in found, place
    assert "Strict-Transport-Security" not in found, "only behind https"
    cached = found["Cache-Control"]
    immutable = "/static/" in place and found["Content-Type"].startswith("text/css")
    assert cached == ("public, max-age=31536000, immutable" if immutable else "no-store")


async def test_every_answer_has_them(stranger: PageClient) -> None:
    """Pages, redirections, refusals of router and middleware, API, daemons' routes."""
    for method, path, status in PLACES:
        page = await stranger.ask(method, path)
        assert status is None or page.status == status, (method, path)
        _check(page.headers, f"{method} {path}")


async def test_files_of_the_pages_may_be_kept_for_ever(ann: PageClient) -> None:
    """Their names are hashes of what they hold; a page names them all."""
    page = await ann.get("/")
    for part in page.text.split('"'):
        if part.startswith("/static/"):
            file = await ann.get(part)
            assert file.status == 200
            assert "immutable" in file.headers["Cache-Control"]
            assert file.headers["X-Content-Type-Options"] == "nosniff"
            if part.endswith(".css"):
                _check(file.headers, part)


async def test_pages_tell_their_origin_to_their_own_forms_alone(ann: PageClient) -> None:
    """Under ``no-referrer`` browsers send ``Origin: null``; others get no referrer either way."""
    assert (await ann.get("/")).headers["Referrer-Policy"] == "same-origin"
    assert (await ann.api("GET", "/me")).headers["Referrer-Policy"] == "no-referrer"


async def test_what_fails_has_them_and_says_nothing_of_the_failure(
    ann: PageClient,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A page with a reference; the exception stands in the log beside it."""

    async def broken(user_id: str) -> object:
        raise RuntimeError("secret=hunter2")

    monkeypatch.setattr(console.terminals, "list", broken)
    for path in ("/", "/live", "/api/v1/terminals"):
        page = await ann.get(path)
        assert page.status == 500
        _check(page.headers, path)
        assert "hunter2" not in page.text
        assert "RuntimeError" not in page.text
        reference = caplog.records[-1].getMessage().rpartition(" ")[2].rstrip(")")
        assert reference in page.text
        assert caplog.records[-1].exc_info is not None
        caplog.clear()


@pytest.mark.parametrize(
    "request_bytes",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"],
)
async def test_what_is_no_http_gets_them_and_is_not_quoted(
    server: PageServer, request_bytes: bytes
) -> None:
    """aiohttp itself would repeat what was sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request_bytes)
    answer = (await reader.read()).decode()
    writer.close()
    assert answer.startswith("HTTP/1.1 400 ") or answer.startswith("HTTP/1.0 400 ")
    assert CONTENT_SECURITY_POLICY in answer
    assert "Server:" not in answer
    assert "nonsense" not in answer.partition("\r\n\r\n")[2]


async def test_behind_https_browsers_are_told_to_stay_there(tmp_path: Path) -> None:
    """HSTS for two years, and only under a public https address."""
    settings = ConsoleSettings(
        console_server=ServerSettings(port=0, public_url="https://console.example.com"),
        secrets=Secrets(store="file"),
    )
    async with (
        open_console(tmp_path / "home", settings, costs=CHEAP) as console,
        PageServer(console) as server,
        aiohttp.ClientSession() as http,
    ):
        assert server.url == console.url() == "https://console.example.com"
        here = f"http://127.0.0.1:{server.port}/sign-in"
        for host in ("console.example.com", "console.example.com:443"):
            async with http.get(here, headers={"Host": host}) as answer:
                assert answer.status == 200
                assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")
