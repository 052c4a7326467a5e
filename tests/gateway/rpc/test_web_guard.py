"""The guard, on a real socket: nothing that it should stop reaches a door."""

from __future__ import annotations

import asyncio
import itertools
import logging

import orjson
import pytest
from web_server_fixture import Server, open_server, split_response

from ea_bridge.token import new_token

BODY = b'{"jsonrpc":"2.0","id":1,"method":"update"}'
LISTED = "http://127.0.0.1:7402"

HOSTS = {"ok": "127.0.0.1:{port}", "name": "LocalHost:{port}", "evil": "evil.test:{port}"}
ORIGINS = {"none": None, "listed": LISTED, "other": "https://evil.test"}
BROWSERS = {"none": None, "referer": "Referer: https://evil.test/"}
METHODS = ("GET", "POST", "DELETE")
TYPES = {"json": "application/json; charset=UTF-8", "text": "text/plain"}
AUTHS = ("none", "good", "wrong", "double")
PATHS = ("/rpc", "/v1/rpc?auth_token=x", "/healthz", "/ws", "/nope")


def expected(
    host: str, origin: str, browser: str, method: str, kind: str, auth: str, path: str
) -> int:
    """The documented order, as a table of who goes first."""
    rpc, ws = path.startswith(("/rpc", "/v1/rpc")), path == "/ws"
    rules = [
        (host == "evil", 421),
        (origin == "other", 403),
        (origin == "none" and browser != "none", 403),
        (path == "/nope", 404),
        (method != ("POST" if rpc else "GET"), 405),
        (rpc and kind != "json", 415),
        ("auth_token" in path, 401),
        (path == "/healthz", 200),
        (auth in ("wrong", "double"), 401),
        (ws, 426),
        (auth == "none", 401),
    ]
    return next((status for applies, status in rules if applies), 200)


async def test_every_combination_gets_the_status_of_the_first_rule_that_it_breaks() -> None:
    """2,160 combinations; the handler runs exactly as often as 200 is answered on /rpc."""
    combinations = list(itertools.product(HOSTS, ORIGINS, BROWSERS, METHODS, TYPES, AUTHS, PATHS))
    assert len(combinations) == 2160
    async with open_server(origins=[LISTED]) as house:
        tokens = {
            "none": [],
            "good": [house.token],
            "wrong": [new_token()],
            "double": [house.token, house.token],
        }
        turns = iter(combinations)
        reached = 0

        async def take_turns() -> None:
            nonlocal reached
            for turn in turns:
                host, origin, browser, method, kind, auth, path = turn
                lines = [
                    f"{method} {path} HTTP/1.1",
                    f"Host: {HOSTS[host].format(port=house.port)}",
                    f"Content-Type: {TYPES[kind]}",
                    f"Content-Length: {len(BODY)}",
                    *(f"Authorization: Bearer {token}" for token in tokens[auth]),
                ]
                lines += [f"Origin: {ORIGINS[origin]}"] if ORIGINS[origin] else []
                lines += [line] if (line := BROWSERS[browser]) else []
                raw = await house.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + BODY)
                status, headers, body = split_response(raw)
                assert status == expected(*turn), (turn, raw)
                check_answer(turn, status, headers, body)
                reached += status == 200 and path == "/rpc"

        await asyncio.gather(*(take_turns() for _ in range(16)))
        assert len(house.doings.calls) == reached > 0
        assert house.gate.admitted == reached + sum(
            expected(*turn) == 426 and turn[5] == "good" for turn in combinations
        )


def check_answer(turn: tuple[str, ...], status: int, headers: dict[str, str], body: bytes) -> None:
    """Every answer is JSON, hides the server, and refusals end the connection."""
    assert headers["content-type"] == "application/json", turn
    assert "server" not in headers, turn
    allowed = headers.get("access-control-allow-origin")
    assert allowed == (LISTED if turn[1] == "listed" else None), turn
    answer = orjson.loads(body)
    if status == 200:
        assert "error" not in answer, turn
        return
    assert headers["connection"] == "close", turn
    assert answer["id"] is None, turn
    assert answer["error"]["data"]["name"] in ("forbidden", "invalid_request", "unauthorized")
    assert ("www-authenticate" in headers) == (status == 401), turn
    assert ("allow" in headers) == (status == 405), turn


HOSTILE_HOSTS = [
    "", " ", "evil.test", "evil.test:{port}", "localhost", "127.0.0.1", "[::1]",
    "localhost.:{port}", "x.localhost:{port}", "localhost.evil.test:{port}", "127.1:{port}",
    "127.0.0.2:{port}", "127.0.1:{port}", "0:{port}", "0.0.0.0:{port}", "2130706433:{port}",
    "0x7f000001:{port}", "0x7f.0.0.1:{port}", "0177.0.0.1:{port}", "017700000001:{port}",
    "[::]:{port}", "[::ffff:127.0.0.1]:{port}", "[0:0:0:0:0:0:0:1]:{port}", "::1:{port}",
    "[::1%25lo]:{port}", "127.0.0.1:0", "127.0.0.1:80", "127.0.0.1:65536", "127.0.0.1:0{port}",
    "127.0.0.1:+{port}", "127.0.0.1:{port} ,evil.test", "127.0.0.1:{port},127.0.0.1:{port}",
    "user@127.0.0.1:{port}", "127.0.0.1:{port}@evil.test", "127.0.0.1:{port}/",
    "127.0.0.1:{port}#", "127.0.0.1:{port}?x", "http://127.0.0.1:{port}", "127.0.0.1 :{port}",
    "127.0.0.1:{port}x", "127.0.0.1\\:{port}", "127.0.0.1:{port}:{port}", "127.0.0.1::{port}",
    "%6c%6f%63alhost:{port}", "localhost:{port}.",
    "127\u30020\u30020\u30021:{port}",  # ideographic full stops
    "\uff11\uff12\uff17.0.0.1:{port}",  # fullwidth digits
    "\u24db\u24de\u24d2alhost:{port}",  # letters in circles
    "localho\u017ft:{port}",  # a long s
    "127.0.0.1:\u0667",  # an Arabic digit
]  # fmt: skip


@pytest.mark.parametrize("form", HOSTILE_HOSTS)
async def test_a_host_that_is_not_exactly_ours_is_refused(house: Server, form: str) -> None:
    """421 (or 400 where it is no HTTP at all): the defence against DNS rebinding."""
    head = (
        f"POST /rpc HTTP/1.1\r\nHost: {form.format(port=house.port)}\r\n"
        f"Authorization: Bearer {house.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    status, _, _ = split_response(await house.raw(head.encode() + BODY))
    assert status in (400, 421)
    assert status == 421 or not form.isascii() or not form.strip()
    assert house.gate.admitted == 0


async def test_one_host_header_no_less_no_more(house: Server) -> None:
    """A request without Host, or with two good ones, is refused."""
    ours = f"127.0.0.1:{house.port}"
    for version, hosts in (("1.1", []), ("1.0", []), ("1.1", [ours, ours]), ("1.0", [ours, ours])):
        lines = [f"GET /healthz HTTP/{version}", *(f"Host: {h}" for h in hosts)]
        status, _, _ = split_response(await house.raw("\r\n".join(lines).encode() + b"\r\n\r\n"))
        assert status in (400, 421)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
async def test_our_own_names_are_accepted(house: Server, host: str) -> None:
    """Each loopback name with our port opens the door, in any case."""
    raw = await house.raw(f"GET /healthz HTTP/1.1\r\nHost: {host}:{house.port}\r\n\r\n".encode())
    assert split_response(raw)[0] == 200


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/rpc",
        "https://evil.test/rpc",
        "//evil.test/rpc",
        "//rpc",
        "*",
        "rpc",
    ],
)
async def test_a_target_that_is_no_path_is_refused(house: Server, target: str) -> None:
    """Absolute-form and its like could make Host mean something else: 400."""
    head = house.head(target.format(port=house.port), "POST", f"Content-Length: {len(BODY)}")
    raw = await house.raw(head.encode() + b"\r\n" + BODY)
    assert split_response(raw)[0] == 400
    assert house.gate.admitted == 0


@pytest.mark.parametrize(
    "target", ["/rpc/", "/rpc/../rpc", "/%72pc", "/RPC", "/rpc#x", "/rpc;x", "/rpc\\", "/\\a.test"]
)
async def test_a_path_has_one_spelling(house: Server, target: str) -> None:
    """Nothing is decoded or cleaned up on the way to a door."""
    head = house.head(target, "POST", f"Content-Length: {len(BODY)}")
    raw = await house.raw(head.encode() + b"\r\n" + BODY)
    assert split_response(raw)[0] in (400, 404)
    assert house.doings.calls == []


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "OPTIONS", "PUT", "HEAD", "BREW"])
async def test_other_methods_have_no_effect(house: Server, method: str) -> None:
    """Whatever the target; CONNECT and TRACE are no exception."""
    for target in ("/rpc", "127.0.0.1:80", "*"):
        head = house.head(target, method, f"Content-Length: {len(BODY)}")
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.write(head.encode() + b"\r\n" + BODY)
        status_line = await reader.readline()
        assert status_line.split()[1] in (b"400", b"405")
        writer.close()
    assert house.doings.calls == []


@pytest.mark.parametrize(
    "line",
    [
        "Cookie: a=b", "Referer: http://127.0.0.1/", "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Site: none", "Sec-Fetch-Dest: empty", "Sec-Fetch-User: ?1", "Origin: null",
        "Origin: http://127.0.0.1:{port}", "Origin: http://localhost", "Origin: ",
    ],
)  # fmt: skip
async def test_what_only_a_browser_sends_is_refused(house: Server, line: str) -> None:
    """403 without an allow-list, even with a good token; nothing is executed."""
    status, headers, _ = await house.post(BODY, line.format(port=house.port))
    assert status == 403
    assert not any(name.startswith("access-control") for name in headers)
    assert house.doings.calls == []


async def test_two_origins_are_refused_even_when_both_are_listed() -> None:
    """One Origin is a browser's; two are somebody's trick."""
    async with open_server(origins=[LISTED]) as house:
        assert (await house.post(BODY, f"Origin: {LISTED}"))[0] == 200
        assert (await house.post(BODY, f"Origin: {LISTED}", f"Origin: {LISTED}"))[0] == 403


async def test_the_fetch_of_node_is_no_browser(house: Server) -> None:
    """It sends ``Sec-Fetch-Mode`` and none of its sisters, which every browser sends with it."""
    assert (await house.post(BODY, "Sec-Fetch-Mode: cors", "Accept-Language: *"))[0] == 200


async def test_a_person_may_open_a_document_in_a_browser_but_no_page_may(
    house: Server,
) -> None:
    """A typed address says so in Sec-Fetch-Site; what a page loads says something else."""
    for site, status in (("none", 200), ("cross-site", 403), ("same-origin", 403)):
        head = house.head("/openrpc.json", "GET", f"Sec-Fetch-Site: {site}", "Cookie: a=b")
        answer = split_response(await house.raw(head.encode() + b"\r\n"))
        assert answer[0] == status
    head = house.head("/openrpc.json", "GET", "Sec-Fetch-Site: none", "Referer: http://a/")
    assert split_response(await house.raw(head.encode() + b"\r\n"))[0] == 403


async def test_a_listed_origin_gets_its_preflight_and_its_answer() -> None:
    """The preflight needs no token; the call does; both say whose they are."""
    async with open_server(origins=[LISTED]) as house:
        ask = f"Host: 127.0.0.1:{house.port}\r\nOrigin: {LISTED}\r\n"
        ask += "Access-Control-Request-Method: POST\r\n"
        raw = await house.raw(f"OPTIONS /rpc HTTP/1.1\r\n{ask}\r\n".encode())
        status, headers, body = split_response(raw)
        assert (status, body) == (204, b"")
        assert headers["access-control-allow-origin"] == LISTED
        assert headers["access-control-allow-methods"] == "POST"
        assert "Authorization" in headers["access-control-allow-headers"]
        assert headers["vary"] == "Origin"
        assert "access-control-allow-credentials" not in headers
        status, headers, _ = await house.post(BODY, f"Origin: {LISTED}")
        assert (status, headers["access-control-allow-origin"]) == (200, LISTED)
        status, headers, _ = await house.post(BODY, f"Origin: {LISTED}", token=new_token())
        assert (status, headers["access-control-allow-origin"]) == (401, LISTED)
        raw = await house.raw(f"OPTIONS /healthz HTTP/1.1\r\n{ask}\r\n".encode())
        assert split_response(raw)[0] == 405


async def test_nobody_else_gets_a_preflight(house: Server) -> None:
    """Without an allow-list OPTIONS is no method of ours, and no CORS header is ever sent."""
    ask = f"Host: 127.0.0.1:{house.port}\r\nAccess-Control-Request-Method: POST\r\n"
    for origin, expect in (("", 405), ("Origin: https://evil.test\r\n", 403)):
        raw = await house.raw(f"OPTIONS /rpc HTTP/1.1\r\n{ask}{origin}\r\n".encode())
        status, headers, _ = split_response(raw)
        assert status == expect
        assert not any(name.startswith("access-control") for name in headers)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity"])
async def test_a_compressed_body_is_refused_unread(house: Server, coding: str) -> None:
    """No decompression, no bomb."""
    status, _, body = await house.post(b"\x1f\x8b" * 20, f"Content-Encoding: {coding}")
    assert status == 415
    assert orjson.loads(body)["error"]["data"]["reason"] == "content_encoding"


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        ("Bearer", "malformed"), ("Bearer ", "malformed"), ("Basic bWd0Og==", "malformed"),
        ("Bearer {token} x", "malformed"), ("Bearer  {token}", "malformed"),
        ("{token}", "malformed"),
        ("Bearer {token}, Bearer {token}", "malformed"), ("Bearer {token}\u00e9", "malformed"),
        ("Bearer mgt_x", "malformed"), ("Bearer {swapped}", "malformed"),
        ("Bearer {other}", "unknown"),
    ],
)  # fmt: skip
async def test_a_wrong_token_says_what_is_wrong_with_it(
    house: Server, authorization: str, reason: str
) -> None:
    """401, a challenge for Bearer, -32001 with the reason; never the token."""
    token = house.token
    swapped = token[:-2] + token[-1] + token[-2] if token[-1] != token[-2] else token[:-1]
    line = authorization.format(token=token, swapped=swapped, other=new_token())
    head = house.head("/rpc", "POST", f"Content-Length: {len(BODY)}").split("\r\n")
    head[2] = f"Authorization: {line}"
    raw = await house.raw("\r\n".join(head).encode() + b"\r\n" + BODY)
    status, headers, body = split_response(raw)
    error = orjson.loads(body)["error"]
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert (error["code"], error["data"]["reason"]) == (-32001, reason)
    assert token[16:] not in raw.decode()


@pytest.mark.parametrize(
    "name", ["auth_token", "AUTH_TOKEN", "auth%5Ftoken", "token", "x=1&token", "ticket"]
)
@pytest.mark.parametrize("path", ["/rpc", "/ws", "/healthz"])
async def test_a_token_in_the_url_is_refused_and_not_logged(
    house: Server, path: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """401 even when the header is right as well; the log names the path alone."""
    caplog.set_level(logging.DEBUG)
    method = "POST" if path == "/rpc" else "GET"
    head = house.head(f"{path}?{name}={house.token}", method, f"Content-Length: {len(BODY)}")
    status, _, body = split_response(await house.raw(head.encode() + b"\r\n" + BODY))
    assert status == 401
    assert house.token not in caplog.text
    assert house.token not in body.decode()
    assert f"{path} with a token in the URL" in caplog.text


@pytest.mark.parametrize(
    "request_line_and_headers",
    [
        b"GET /healthz HTTP/9.9\r\nHost: {host}\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6"
        b"\r\n\r\nhello",
        b"POST /rpc HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked"
        b"\r\n\r\n0\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: {host}\r\nContent-Length: -1\r\n\r\n",
        b"POST /rpc HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1e3\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost : {host}\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: a\x00b\r\n\r\n",
        b"GET /healthz HTTP/1.1\nHost: {host}\n\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: {host}\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: {host}\r\n" + b"X: a\r\n" * 500 + b"\r\n",
    ],
)
async def test_what_is_no_http_gets_a_short_refusal(
    house: Server, request_line_and_headers: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """400 in the one format of all refusals: nothing quoted, no traceback, no server name."""
    host = f"127.0.0.1:{house.port}".encode()
    raw = await house.raw(request_line_and_headers.replace(b"{host}", host))
    status, headers, body = split_response(raw)
    assert status == 400
    assert "server" not in headers
    assert orjson.loads(body)["error"]["data"]["reason"] == "http"
    assert "Traceback" not in caplog.text
    assert (await house.rpc("sum", a=1))["result"] == 1


async def test_forwarded_headers_mean_nothing(house: Server) -> None:
    """Who the peer is comes from the socket, what the host is from Host."""
    more = ("X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil.test", "Forwarded: host=evil.test")
    assert (await house.post(BODY, *more))[0] == 200
