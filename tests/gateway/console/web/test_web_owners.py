"""What is somebody's is there for nobody else: every route with an id, asked by another user."""

from __future__ import annotations

from console_fixtures import Machine, approve
from page_client import PageClient, knock, mailed_path

from gateway.console.hook_template import HookTemplate
from gateway.console.server import PageServer
from gateway.console.service import Console

OPEN_TO_ALL = {
    "/hook/{secret}",
    "/reset/{secret}",
    "/invitation/{secret}",
    "/setup/{secret}",
    "/not-me/{secret}",
    "/static/{name}",
}
"""Whoever has the secret may use it; the last has none."""


def _routes(server: PageServer) -> list[tuple[str, str]]:
    """Return all routes for people that name something."""
    found = {
        (route.method, route.resource.canonical)
        for route in server.app.router.routes()
        if route.resource is not None and "{" in route.resource.canonical
    }
    return sorted(
        (method, path)
        for method, path in found
        if method != "HEAD" and not path.startswith("/v1/") and path not in OPEN_TO_ALL
    )


async def test_another_users_things_are_not_there(
    ann: PageClient, bob: PageClient, server: PageServer, console: Console
) -> None:
    """404, or 403 where only administrators may; not even an administrator sees them.

    And nothing changes. The same answer comes for what is nobody's.
    """
    users = {user.name: user for user in await console.users.list()}
    owner, thief = users["bob"], users["ann"]
    text, token = await console.tokens.create(owner.id, "swing")
    machine = Machine()
    await approve(console, token, machine)
    verdict = await knock(console, text, Machine("other"))
    assert verdict.rid is not None
    sid = (await console.sessions.list(owner.id))[0].sid
    secret, hook = await console.hooks.create(owner.id, "tv", token.tid, HookTemplate(size="1"))
    assert len(secret) == 43
    names = {
        "hook": hook.id,
        "tid": token.tid,
        "did": machine.did,
        "rid": verdict.rid,
        "sid": sid,
        "id": thief.id,
        "secret": "a" * 43,
        "account": "1",
    }
    nobodys = {"tid": "A" * 12, "did": "a" * 52, "rid": "a" * 24, "sid": "a" * 16, "id": thief.id}
    nobodys |= {"hook": "a" * 16, "account": "1"}
    bodies = {
        "/api/v1/tokens/{tid}/limits": {"limits": {}},
        "/api/v1/tokens/{tid}/replace": {},
        "/api/v1/approvals/{rid}/approve": {"user_code": verdict.user_code},
    }
    form = {"user_code": verdict.user_code or "", "overlap_s": "0", "strict_terminal": "yes"}
    routes = _routes(server)
    assert len(routes) > 30
    for method, path in routes:
        if path.startswith(("/users", "/api/v1/users")):
            continue  # administrators' alone: below
        answers = []
        for ids in (names, {**nobodys, "secret": "b" * 43}):
            address = path.format(**ids)
            if path.startswith("/api/v1"):
                page = await ann.api(method, address.removeprefix("/api/v1"), bodies.get(path))
            elif method == "GET":
                page = await ann.get(address)
            else:
                page = await ann.post(address, form)
            answers.append((page.status, page.words.replace(address, "")))
        assert answers[0][0] in (404, 410), (method, path, answers[0])
        if "csrf" not in path:
            assert answers[0][0] == answers[1][0], (method, path)
    assert (await console.tokens.get(owner.id, token.tid)).status == "active"
    assert (await console.devices.get(owner.id, machine.did)).status == "approved"
    assert (await console.approvals.open_requests(owner.id))[0].rid == verdict.rid
    assert [kept.id for kept in await console.hooks.list(owner.id)] == [hook.id]
    assert sid in {session.sid for session in await console.sessions.list(owner.id)}


async def test_a_link_of_the_mail_does_not_open_anothers_request(
    ann: PageClient, bob: PageClient, console: Console
) -> None:
    """The page does not even tell what it is about."""
    owner = await console.users.by_email("bob@example.com")
    assert owner is not None
    text, _ = await console.tokens.create(owner.id, "swing")
    await knock(console, text, Machine("secret-host"))
    path = await mailed_path(console, "/approve/")
    page = await ann.get(path)
    assert page.status == 403
    assert "secret-host" not in page.text
    assert (await bob.get(path)).status == 303


async def test_what_is_for_administrators_is_refused_to_others(
    ann: PageClient, bob: PageClient, server: PageServer, console: Console
) -> None:
    """Every route of users."""
    thief_of_rights = bob
    victim = await console.users.by_email("ann@example.com")
    assert victim is not None
    asked = 0
    for resource in server.app.router.resources():
        path = resource.canonical
        if not path.startswith(("/users", "/api/v1/users")):
            continue
        for route in resource:
            address, method = path.format(id=victim.id), route.method
            if method == "HEAD":
                continue
            if path.startswith("/api/v1"):
                body = (
                    {"email": "eve@example.com", "name": "Eve"} if path.endswith("users") else None
                )
                page = await thief_of_rights.api(
                    method, address.removeprefix("/api/v1"), body if method == "POST" else None
                )
            elif method == "GET":
                page = await thief_of_rights.get(address)
            else:
                page = await thief_of_rights.post(
                    address, {"email": "eve@example.com", "name": "Eve"}
                )
            assert page.status == 403, (method, path)
            asked += 1
    assert asked == 15
    assert len(await console.users.list()) == 2


async def test_without_a_session_nothing_is_shown(
    stranger: PageClient, server: PageServer
) -> None:
    """Every route for people leads to the sign-in, or is refused."""
    for method, path in _routes(server):
        ids = {"tid": "A" * 12, "did": "a" * 52, "rid": "a" * 24, "sid": "a" * 16, "id": "a" * 16}
        address = path.format(**ids, hook="a" * 16, secret="a" * 43, account="1")
        await stranger.get("/sign-in")
        if path.startswith("/api/v1"):
            page = await stranger.api(method, address.removeprefix("/api/v1"))
            assert page.status == 401, (method, path)
        else:
            page = await (stranger.get(address) if method == "GET" else stranger.post(address))
            assert (page.status, page.location.startswith("/sign-in")) == (303, True), path
