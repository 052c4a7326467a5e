"""What a body must call itself: a page cannot send it without asking first."""

from __future__ import annotations

import pytest
from web_server_fixture import Server, open_server, split_response

BODY = b'{"jsonrpc":"2.0","id":1,"method":"update"}'
LISTED = "http://127.0.0.1:7402"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200), ("Application/JSON", 200),
        ("application/json;charset=utf-8", 200),
        ('application/json; charset="UTF-8"', 200), ("application/json; charset=utf-16", 415),
        ("application/json, text/plain", 415), ("text/plain; application/json", 415),
        ("application/x-www-form-urlencoded", 415), ("multipart/form-data", 415),
        ("application/jsonx", 415), ("", 415), ("application/json-rpc", 200),
        ("application/json-rpc; charset=UTF-8", 200), ("application/jsonrequest", 200),
        ("application/json-rpcx", 415), ("application/json-rpc; charset=latin1", 415),
    ],
)  # fmt: skip
async def test_the_body_must_say_that_it_is_json(house: Server, kind: str, status: int) -> None:
    """What a page can send without a preflight is never taken for a call."""
    head = (
        f"POST /rpc HTTP/1.1\r\nHost: 127.0.0.1:{house.port}\r\nContent-Type: {kind}\r\n"
        f"Authorization: Bearer {house.token}\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    assert split_response(await house.raw(head.encode() + BODY))[0] == status


async def test_the_body_says_once_what_it_is(house: Server) -> None:
    """Two types are somebody's trick."""
    status, _, _ = await house.post(BODY, "Content-Type: application/json")
    assert status in (400, 415)
    assert house.doings.calls == []


async def test_a_program_may_leave_the_type_out_and_no_page() -> None:
    """A page can send a body without a type and need not ask first: a Blob without one, or
    ``text/plain``. Not even one of a listed origin is served so; where it is from always comes
    along."""
    async with open_server(origins=[LISTED]) as house:
        untyped = house.head("/rpc", "POST", f"Content-Length: {len(BODY)}").replace(
            "Content-Type: application/json\r\n", ""
        )
        for more, status in (
            ("", 200),
            (f"Origin: {LISTED}\r\n", 415),
            ("Origin: https://evil.test\r\n", 403),
            ("Origin: null\r\n", 403),
            ("Sec-Fetch-Site: cross-site\r\n", 403),
            ("Referer: https://evil.test/\r\n", 403),
            ("Content-Type: text/plain\r\n", 415),
            ("Content-Encoding: gzip\r\n", 415),
        ):
            raw = await house.raw((untyped + more).encode() + b"\r\n" + BODY)
            assert split_response(raw)[0] == status, more
        assert house.doings.calls == ["update"]
