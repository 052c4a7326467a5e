"""What the console tells of the past, and of a token in another's place: the whole walk.

A console and a daemon on two databases on disk, signed requests over HTTP, emulated terminals.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from console_site import Json, Linked, Person, Site, linked, site
from console_town import asked
from product import TIMEOUT_S, until
from programs import program

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.mt4_manager.emulator import ManagerLink, Population, build_manager
from ea_bridge.protocol.messages import Pending
from ea_bridge.token import new_token, parse_token
from gateway.errors import Unauthorized

TOKEN_REVOKED = 4506
PORTS = ("rpc", "bridge")


@asynccontextmanager
async def place(folder: Path) -> AsyncIterator[tuple[Site, Linked, Person]]:
    """A console, a daemon of it, and the person whose terminals are plugged in there."""
    async with (
        site(folder / "console") as one,
        linked(folder / "daemon", one.url, root=one.root) as daemon,
    ):
        yield one, daemon, await one.person(admin=True)


async def listed(
    person: Person, what: str, holds: Callable[[list[Json]], bool], query: str = ""
) -> list[Json]:
    """Wait until the console lists what holds."""
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            lines: list[Json] = (await person.ask("GET", f"/{what}{query}"))[what]
            if holds(lines):
                return lines
            await asyncio.sleep(0.02)


def is_online(runs: list[Json]) -> bool:
    """Whether the newest of the runs goes on."""
    return bool(runs) and runs[0]["state"] == "online"


def refused(daemon: Linked, token: str) -> str:
    """Return why a token is not let in; empty where it is."""
    try:
        daemon.gateway.gate.admit(token)
    except Unauthorized as error:
        return str(error.data["reason"])
    return ""


async def reason(daemon: Linked, token: str) -> str:
    """Return why a program with a token is not let in; empty where it is."""
    client = await daemon.http(token)
    said = await client.send({"jsonrpc": "2.0", "id": 1, "method": "get_account_info"})
    return str(said["error"]["data"]["reason"]) if "error" in said else ""


ENDINGS = {
    "token": "revoked",
    "device": "device_revoked",
    "user": "account_disabled",
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_closed_socket_says_the_true_reason(tmp_path: Path, ending: str) -> None:
    """To the program in the close frame, to the EA in the goodbye, and in the list of runs."""
    async with place(tmp_path) as (here, daemon, ann):
        bob = await here.person("bob")
        token = await bob.make_token("main")
        terminal = await daemon.terminal(bob, token=token)
        socket = await daemon.ws(token)
        await socket.call("get_account_info")
        # a machine that is revoked tells how a session ended, but of none that is not known yet
        await listed(bob, "runs", is_online)
        if ending == "token":
            await bob.revoke(token)
        elif ending == "device":
            await bob.ask("POST", f"/devices/{daemon.uplink.status().device}/revoke")
        else:
            [user] = [
                one
                for one in (await ann.ask("GET", "/users"))["users"]
                if one["email"] == bob.email
            ]
            await ann.ask("POST", f"/users/{user['id']}/disable")
        assert await socket.closed() == (TOKEN_REVOKED, ENDINGS[ending])
        await until(lambda: daemon.gateway.registry.get("main") is None)
        facts = daemon.gateway.registry.facts("main")
        assert facts is not None
        assert facts.reason == ENDINGS[ending], "what the EA is told"
        assert await reason(daemon, token) == ENDINGS[ending]
        terminal.link.stop()
        if ending != "user":
            [run] = await listed(bob, "runs", lambda runs: runs[0]["ended_at"] is not None)
            assert run["reason"] == ENDINGS[ending]


async def test_the_runs_of_a_terminal(tmp_path: Path) -> None:
    """Begin, end, machine, version and why it ended; the end with the daemon itself, too."""
    async with site(tmp_path / "console") as here:
        ann = await here.person(admin=True)
        token, machine = await ann.make_token("main"), build_terminal()
        async with linked(tmp_path / "daemon", here.url, root=here.root) as daemon:
            terminal = await daemon.terminal(ann, machine=machine, token=token)
            [first] = await listed(ann, "runs", is_online)
            assert (first["state"], first["ended_at"]) == ("online", None)
            assert (first["name"], first["hostname"] != "") == ("main", True)
            facts = daemon.gateway.registry.facts("main")
            assert facts is not None
            assert (first["login"], first["server"]) == (facts.hello.login, facts.hello.server)
            assert "build" in first["version"]
            terminal.link.stop()
            runs = await listed(ann, "runs", lambda runs: runs[0]["ended_at"] is not None)
            assert [one["reason"] for one in runs] == ["the terminal said bye: 'shutdown'"]
            await daemon.link("main", machine, token=token)
            runs = await listed(ann, "runs", lambda runs: len(runs) == 2 and is_online(runs))
            assert [one["state"] for one in runs] == ["online", "offline"]
        runs = (await ann.ask("GET", "/runs"))["runs"]
        assert runs[0]["ended_at"] is not None, "the daemon has told it before it went"


async def test_a_run_of_a_daemon_that_was_killed_is_over(tmp_path: Path) -> None:
    """Once it is back: nobody knows how that ended, and the terminal is live since its return."""
    config = tmp_path / "daemon.toml"

    def configure(url: str, api: int = 0, bridge: int = 0) -> None:
        config.write_text(
            f"[api]\nport = {api}\n[bridge]\nport = {bridge}\n"
            f'[secrets]\nstore = "file"\n[console]\nurl = "{url}"\n'
        )

    serve = ("serve", "--config", str(config), "--home", str(tmp_path / "home"))
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(site(tmp_path / "console"))
        configure(here.url)
        one = await stack.enter_async_context(program(*serve))
        ann = await here.person(admin=True)
        token = await ann.make_token("main")
        ready = await one.ready()
        dial = ("emulator", "-v", "--bridge", ready["bridge"], "--auth-token", token)
        async with program(*dial) as terminal:
            await ann.approve(token, await asked(terminal))
            [before] = await listed(ann, "runs", is_online)
            await one.kill()
            ports = [int(ready[name].removesuffix("/rpc").rpartition(":")[2]) for name in PORTS]
            configure(here.url, *ports)
            async with program(*serve):
                now, earlier = await listed(
                    ann, "runs", lambda runs: len(runs) == 2 and is_online(runs)
                )
                assert (earlier["id"], earlier["reason"]) == (before["id"], "daemon_gone")
                assert now["started_at"] >= earlier["ended_at"]
                [line] = (await ann.ask("GET", "/terminals"))["terminals"]
                assert (line["state"], line["since"]) == ("online", now["started_at"])


async def test_a_managers_link_is_live_while_it_works(tmp_path: Path) -> None:
    """Under its token, as a terminal is; and its session is listed."""
    async with (
        site(tmp_path / "console") as here,
        linked(tmp_path / "daemon", here.url, root=here.root, manager="mt4-server") as daemon,
    ):
        ann = await here.person(admin=True)
        token = await ann.make_token("mt4-server", platform="mt4")
        host, _, port = daemon.ready.bridge.rpartition(":")
        asked: asyncio.Queue[Pending] = asyncio.Queue()
        server = build_manager(password="secret of the server", population=Population(users=3))
        link = ManagerLink(server, host, int(port), token, seed=1, on_pending=asked.put_nowait)
        linking = asyncio.create_task(link.run())
        try:
            pending = await asyncio.wait_for(asked.get(), TIMEOUT_S)
            await ann.approve(token, pending.user_code)
            await asyncio.wait_for(link.ready.wait(), TIMEOUT_S)
            [run] = await listed(ann, "runs", is_online)
            assert (run["name"], run["platform"]) == ("mt4-server", "mt4")
            [line] = await listed(ann, "terminals", lambda lines: lines[0]["state"] == "online")
            assert line["since"] >= run["started_at"]
            link.stop()
            await listed(ann, "terminals", lambda lines: lines[0]["state"] == "offline")
            [run] = await listed(ann, "runs", lambda runs: runs[0]["ended_at"] is not None)
            assert run["reason"]
        finally:
            link.stop()
            linking.cancel()
            await asyncio.wait((linking,))


async def test_the_uses_of_a_token(tmp_path: Path) -> None:
    """Who was let in, by which door and with which program, and who was refused and why; many
    uses of one program are one line. What is nobody's token is nowhere."""
    async with place(tmp_path) as (_, daemon, ann):
        token = await ann.make_token("main")
        terminal = await daemon.terminal(ann, token=token)
        client = await daemon.http(token)
        for _ in range(5):
            await client.call("get_account_info")
        await (await daemon.ws(token)).call("get_account_info")
        tid = parse_token(token)
        other = new_token()
        wrong = token[:16] + other[16:]
        assert await reason(daemon, other) == "unknown"
        lines = await listed(ann, "logins", lambda lines: len(lines) >= 3)
        by_way = {one["way"]: one for one in lines}
        assert set(by_way) == {"http", "ws", "terminal"}
        assert {one["outcome"] for one in lines} == {"ok"}
        assert {one["tid"] for one in lines} == {tid}
        assert "aiohttp" in by_way["http"]["agent"]
        assert by_way["terminal"]["agent"] == (await ann.ask("GET", "/runs"))["runs"][0]["version"]
        assert wrong != token
        await ann.revoke(token)
        await until(lambda: refused(daemon, token) == "revoked")
        assert await reason(daemon, token) == "revoked"
        assert await reason(daemon, token) == "revoked"
        lines = await listed(
            ann,
            "logins",
            lambda lines: any(one["way"] == "http" for one in lines),
            f"?outcome=refused&tid={tid}",
        )
        # the terminal dials again after the revocation, and is refused as well
        assert {one["reason"] for one in lines} == {"revoked"}
        assert [one["way"] for one in lines if one["way"] != "terminal"] == ["http"]
        terminal.link.stop()


async def test_a_token_in_anothers_place(tmp_path: Path) -> None:
    """From the click to the end of the old one: programs may use both from then on, though the EA
    has only the old one; the page tells when the EA has come with the new one; the old one works
    until its time is over, and ends with the true reason."""
    async with place(tmp_path) as (_, daemon, ann):
        old = await ann.make_token("main")
        terminal = await daemon.terminal(ann, token=old)
        path = f"/tokens/{parse_token(old)}"
        made = await ann.ask("POST", f"{path}/replace", {"overlap_s": 3600})
        new = made["auth_token"]
        assert made["token"]["linked_at"] is None
        await until(lambda: refused(daemon, new) == "")
        for token in (old, new):
            assert await (await daemon.http(token)).call("get_account_info")
        socket = await daemon.ws(old)
        await socket.call("subscribe", channels=["tick:EURUSD"])
        said = await ann.terminals_of(new)
        assert [one["state"] for one in said] == ["unused"]

        terminal.link.stop()
        again = await daemon.link("main", terminal.machine, token=new)
        assert not (await ann.ask("GET", "/approvals"))["approvals"], "nobody is asked again"
        async with asyncio.timeout(TIMEOUT_S):
            while (token_ := await _token(ann, new))["linked_at"] is None:  # noqa: ASYNC110 (nobody tells of it)
                await asyncio.sleep(0.02)
        assert token_["linked_at"] >= token_["created_at"]
        [line] = await listed(
            ann, "terminals", lambda lines: [one["state"] for one in lines] == ["online"]
        )
        assert line["tid"] == parse_token(new), "it is not offline under the old one"
        for token in (old, new):
            assert await (await daemon.http(token)).call("get_account_info")
        await ann.revoke(old)
        assert await socket.closed() == (TOKEN_REVOKED, "revoked")
        assert await reason(daemon, old) == "revoked"
        assert await (await daemon.http(new)).call("get_account_info")
        assert again.link.ready.is_set(), "the EA stays linked"


async def test_a_replacement_without_overlap(tmp_path: Path) -> None:
    """The old one ends at once; the new one works for programs as soon as the EA has it."""
    async with place(tmp_path) as (_, daemon, ann):
        old = await ann.make_token("main")
        terminal = await daemon.terminal(ann, token=old)
        socket = await daemon.ws(old)
        path = f"/tokens/{parse_token(old)}/replace"
        new = (await ann.ask("POST", path, {"overlap_s": 0}))["auth_token"]
        assert await socket.closed() == (TOKEN_REVOKED, "revoked")
        await until(lambda: refused(daemon, new) == "")
        terminal.link.stop()
        await daemon.link("main", terminal.machine, token=new)
        assert await (await daemon.http(new)).call("get_account_info")


async def test_a_replacement_opens_no_other_machine(tmp_path: Path) -> None:
    """A machine that was never approved, or is revoked, learns nothing of the new token."""
    async with place(tmp_path) as (here, daemon, ann):
        old = await ann.make_token("main")
        terminal = await daemon.terminal(ann, token=old)
        did = daemon.uplink.status().device
        await ann.ask("POST", f"/devices/{did}/revoke")
        await until(lambda: refused(daemon, old) == "device_revoked")
        path = f"/tokens/{parse_token(old)}/replace"
        new = (await ann.ask("POST", path, {"overlap_s": 3600}))["auth_token"]
        await daemon.uplink.sync()
        assert refused(daemon, new) == "unknown"
        offered = await here.console.offers.make(did)
        assert parse_token(new) not in {one.tid for one in offered.tokens}
        terminal.link.stop()


async def _token(ann: Person, text: str) -> dict[str, Any]:
    said: dict[str, Any] = await ann.ask("GET", f"/tokens/{parse_token(text)}")
    return said
