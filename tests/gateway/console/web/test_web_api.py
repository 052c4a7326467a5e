"""The API: strict, documented, and the same law as the pages."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from console_fixtures import PASSWORD, Clock, Machine, approve
from described import Attack
from page_client import PageClient, as_over_https, knock
from schemathesis.checks import not_a_server_error

from ea_bridge.token import parse_token
from gateway.console.server import PageServer
from gateway.console.service import Console
from gateway.console.sessions import STEP_UP_S
from gateway.console.user_info import UserInfo


def _json(page: Any) -> Any:
    assert page.headers["Content-Type"].startswith("application/json")
    return json.loads(page.text)


async def test_tokens_are_made_read_changed_and_ended(ann: PageClient) -> None:
    """The text of a token is in the answer that made it, and in no other."""
    page = await ann.api("POST", "/tokens", {"name": "demo", "limits": {"max_lot": "0.5"}})
    made = _json(page)
    assert page.status == 201
    tid = parse_token(made["auth_token"])
    path = f"/tokens/{tid}"
    assert made["token"]["tid"] == tid
    assert made["token"]["limits"]["max_lot"] == "0.5"
    assert _json(await ann.api("GET", path)) == made["token"]
    assert (await ann.api("POST", "/tokens", {"name": "demo"})).status == 409
    refused = await ann.api("PUT", path + "/limits", {"limits": {"allowed_symbols": []}})
    assert "limits.allowed_symbols: List should have at least 1 item" in refused.text
    body = {"limits": {"allowed_symbols": ["EURUSD"]}, "strict_terminal": False}
    changed = _json(await ann.api("PUT", path + "/limits", body))
    assert (changed["limits"]["allowed_symbols"], changed["limits"]["max_lot"]) == (
        ["EURUSD"],
        None,
    )
    assert _json(await ann.api("POST", path + "/suspend"))["status"] == "disabled"
    assert _json(await ann.api("POST", path + "/resume"))["status"] == "active"
    page = await ann.api("POST", path + "/replace", {"overlap_s": 0})
    assert (page.status, _json(page)["token"]["name"]) == (201, "demo")
    assert _json(await ann.api("GET", path))["status"] == "revoked"
    both = _json(await ann.api("GET", "/tokens"))["tokens"]
    assert len(both) == 2
    assert made["auth_token"][16:48] not in json.dumps(both)


async def test_machines_terminals_approvals_and_the_log(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """What the pages show."""
    text, token = await console.tokens.create(ann_user.id, "demo")
    machine = Machine("DESK-PC")
    verdict = await knock(console, text, machine)
    (asked,) = _json(await ann.api("GET", "/approvals"))["approvals"]
    assert (asked["rid"], asked["device_name"]) == (verdict.rid, "DESK-PC")
    path = f"/approvals/{verdict.rid}"
    page = await ann.api("POST", path + "/approve", {"user_code": "BBBB-BBBB"})
    assert (page.status, _json(page)["error"]) == (403, "wrong_code")
    page = await ann.api("POST", path + "/approve", {"user_code": verdict.user_code})
    assert _json(page)["status"] == "approved"
    (device,) = _json(await ann.api("GET", "/devices"))["devices"]
    assert (device["did"], device["tids"]) == (machine.did, [token.tid])
    (terminal,) = _json(await ann.api("GET", "/terminals"))["terminals"]
    assert terminal["did"] == machine.did
    assert _json(await ann.api("POST", f"/devices/{machine.did}/revoke"))["status"] == "revoked"
    (terminal,) = _json(await ann.api("GET", f"/tokens/{token.tid}/terminals"))["terminals"]
    assert terminal["state"] in ("stopped", "stopping")
    assert _json(await ann.api("POST", f"/devices/{machine.did}/forget"))["devices"] == []
    log = _json(await ann.api("GET", "/activity?limit=2"))
    assert log["activity"][0]["event"] == "device.forgotten"
    older = _json(await ann.api("GET", f"/activity?limit=200&before={log['before']}"))
    assert older["before"] is None
    assert max(line["id"] for line in older["activity"]) < log["before"]


async def test_signing_in_and_out_without_a_page(stranger: PageClient, bob: PageClient) -> None:
    """The answer has what changes need; each step-up gives a new one."""
    given = {"email": "bob@example.com", "password": PASSWORD}
    assert (await stranger.api("POST", "/session", {**given, "password": "x"})).status == 401
    # PostgreSQL has no such character
    assert (await stranger.api("POST", "/session", {**given, "email": "\0"})).status == 400
    me = _json(await stranger.api("POST", "/session", given))
    assert (await stranger.api("POST", "/tokens", {"name": "demo"})).status == 403
    stranger.csrf = me["csrf"]
    again = _json(await stranger.api("POST", "/me/step-up", {"password": PASSWORD}))
    assert again["csrf"] != me["csrf"]
    assert (me["step_up_until"], again["step_up_until"] > 0) == (0, True)
    stranger.csrf = again["csrf"]
    assert (await stranger.api("POST", "/tokens", {"name": "demo"})).status == 201
    assert _json(await stranger.api("GET", "/me"))["user"]["email"] == "bob@example.com"
    changed = {"current": PASSWORD, "new": "another fine sentence"}
    me = _json(await stranger.api("POST", "/me/password", changed))
    stranger.csrf = me["csrf"]
    assert (await bob.api("GET", "/me")).status == 401
    assert _json(await stranger.api("DELETE", "/session")) == {"done": True}
    assert (await stranger.api("GET", "/me")).status == 401


async def test_the_step_up_is_asked_for_by_its_name(
    ann: PageClient, console: Console, clock: Clock
) -> None:
    """A program knows what to do then. Without https each call needs one of its own."""
    ann.password = ""
    for _ in range(2):
        page = await ann.api("POST", "/tokens", {"name": "demo"})
        assert (page.status, _json(page)["error"]) == (403, "step_up_needed")
        ann.csrf = _json(await ann.api("POST", "/me/step-up", {"password": PASSWORD}))["csrf"]
        assert (await ann.api("POST", "/tokens", {"name": "demo"})).status in (201, 409)
    await as_over_https(console, ann)
    clock.forward(STEP_UP_S - 1)
    for _ in range(2):
        assert (await ann.api("POST", "/tokens", {"name": "demo"})).status == 409
    clock.forward(1)
    page = await ann.api("POST", "/tokens", {"name": "demo"})
    assert (page.status, _json(page)["error"]) == (403, "step_up_needed")


BAD_BODIES = (
    "",
    "{",
    "[]",
    "null",
    '{"name":"demo","more":1}',
    '{"name":1}',
    '{"name":"two words"}',
    '{"name":"demo","lifetime_s":"60"}',
    '{"name":"demo","lifetime_s":1.5}',
    '{"name":"demo","lifetime_s":1e999}',
    '{"name":"demo","lifetime_s":-1}',
    '{"name":"demo","scopes":[]}',
    '{"name":"demo","scopes":["all"]}',
    '{"name":"demo","platform":"mt6"}',
    '{"name":"demo","limits":{"max_lot":0.5}}',
    '{"name":"demo","limits":{"max_lot":NaN}}',
    '{"name":"demo","limits":{"allowed_symbols":["\\ud800"]}}',
    '{"name":"demo","strict_terminal":"yes"}',
    '{"name":"\\u0000"}',
    '{"name":"-x"}',
    "[" * 10_000,
)


async def test_bodies_are_strict(ann: PageClient, console: Console, ann_user: UserInfo) -> None:
    """Nothing is guessed, and nothing that was sent is repeated."""
    await as_over_https(console, ann)
    headers = {"Content-Type": "application/json", "Mgs-Csrf": ann.csrf}
    for body in BAD_BODIES:
        page = await ann.ask("POST", "/api/v1/tokens", headers, data=body.encode())
        assert (page.status, _json(page)["error"]) == (400, "invalid"), body[:60]
    assert not await console.tokens.list(ann_user.id)


async def test_a_refused_password_is_not_repeated(ann: PageClient) -> None:
    """Not even a malformed one."""
    page = await ann.api("POST", "/me/step-up", {"password": ["hunter2"]})
    assert page.status == 400
    assert "hunter2" not in page.text


async def test_queries_and_media_types_are_strict(ann: PageClient, console: Console) -> None:
    """What is not known is refused."""
    await as_over_https(console, ann)
    for query in ("?limit=0", "?limit=x", "?limit=1&limit=2", "?more=1", "?before=-1", "?limit="):
        assert (await ann.api("GET", "/activity" + query)).status == 400, query
    page = await ann.ask("POST", "/api/v1/tokens", {"Mgs-Csrf": ann.csrf}, data={"name": "demo"})
    assert page.status == 415
    page = await ann.api("POST", "/tokens/" + "A" * 12 + "/revoke", {"x": 1})
    assert page.status == 400


async def test_the_document_describes_every_route_of_the_api(
    ann: PageClient, server: PageServer
) -> None:
    """And none besides."""
    document = _json(await ann.get("/api/v1/openapi.json"))
    assert document["openapi"].startswith("3.1")
    described = {
        (method.upper(), path) for path, methods in document["paths"].items() for method in methods
    }
    served = {
        (route.method, route.resource.canonical)
        for route in server.app.router.routes()
        if route.resource is not None and route.resource.canonical.startswith("/api/")
    }
    assert served - described == {("GET", "/api/v1/openapi.json")}
    assert described <= served


async def _things(console: Console, user: UserInfo) -> dict[str, str]:
    """Make some of everything; return the ids, which Schemathesis would hardly guess."""
    text, token = await console.tokens.create(user.id, "demo")
    machine = Machine()
    await approve(console, token, machine)
    verdict = await knock(console, text, Machine("other"))
    return {"tid": token.tid, "did": machine.did, "rid": verdict.rid or "", "id": user.id}


def _headers(client: PageClient) -> dict[str, str]:
    """What a page of ours would send."""
    return {
        "Cookie": "; ".join(f"{name}={value}" for name, value in client.cookies.items()),
        "Mgs-Csrf": client.csrf,
        "Origin": client.url,
    }


ENDS_THE_SESSION = ["sign_out", "step_up", "change_password", "sign_in", "say_not_me"]
"""What follows would be answered by 401 alone, or by 403: a new password has to be chosen."""


async def _run(ann: PageClient, console: Console, user: UserInfo, examples: int) -> Counter[int]:
    await as_over_https(console, ann)
    headers, real = _headers(ann), await _things(console, user)
    document = _json(await ann.get("/api/v1/openapi.json"))
    for methods in document["paths"].values():
        for operation in methods.values():
            del operation["security"]  # the headers are given to every call, so never wrong
    attack = Attack(
        document=document,
        headers=headers,
        left_out=ENDS_THE_SESSION,
        real=real,
        guesses=True,
        spoilt=("body", "path_parameters"),
        more_checks=[not_a_server_error],
    )
    return await attack.run(right=examples, wrong=examples)


async def test_nothing_that_is_described_fails_or_surprises(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """No server error, no status, type or answer that the document does not have."""
    found = await _run(ann, console, ann_user, 6)
    assert found[200] + found[201] > 40, found
    assert found[400] > 20, found
    assert not found[401]


@pytest.mark.long
@pytest.mark.timeout(1800)
async def test_nothing_that_is_described_fails_or_surprises_in_the_long_run(
    ann: PageClient, console: Console, ann_user: UserInfo
) -> None:
    """The same, longer."""
    found = await _run(ann, console, ann_user, 400)
    assert sum(found.values()) > 10_000
