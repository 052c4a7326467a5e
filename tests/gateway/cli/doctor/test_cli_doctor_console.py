"""``doctor`` and the console: what is asked of it, and what a home knows."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from console_case import URL, WAITING, judged
from findings import Run
from idle_clock import idle_clock
from scripted_console import ScriptedConsole, Signer

from ea_bridge.token import parse_token
from gateway.cli.doctor.console import ConsoleCase, ask
from gateway.cli.doctor.folder import ConsoleTrust, read_console_trust
from gateway.credentials.daemon_api import Synced
from gateway.credentials.device import device_words
from gateway.home.home import Home
from gateway.storage.store import DATABASE


class Scripted(ScriptedConsole):
    """With the two routes that doctor asks."""

    def __init__(self) -> None:
        super().__init__()
        self.paths: list[str] = []
        self.ahead_s = 0
        self.requests: list[dict[str, Any]] = []
        self.fault = self._answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.append(request.path)
        if request.path == "/v1/keys":
            now_s = self.now_s() + self.ahead_s
            return web.json_response(
                {"root": self.root_text, "keys": self.key_set(), "server_time": now_s}
            )
        assert request.path == "/v1/daemon/requests"
        if request.headers["Mgt-Device"] != self.did:
            body = {"error": "unknown_device", "message": "never met: plug in a terminal"}
            return web.json_response(body, status=404)
        return web.json_response({"requests": self.requests})


@pytest_asyncio.fixture
async def console() -> AsyncIterator[Scripted]:
    """A console behind a port."""
    async with Scripted().served() as one:
        assert isinstance(one, Scripted)
        yield one


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An open home; closed with the process."""
    return Home(tmp_path / "home")


# --- asking ----------------------------------------------------------------------------------


async def test_a_console_is_asked_as_the_gateway_does(console: Scripted, home: Home) -> None:
    """For its keys, and by this machine's key for what waits."""
    with home:
        console.know(home.device.did, home.device.public)
        console.requests = [WAITING.model_dump(mode="json")]
        asked = await ask(console.url, home.device, 4)
    assert asked.keys is not None
    assert asked.keys.root == console.root_text
    assert asked.waiting == (WAITING,)
    assert (asked.failure, asked.refusal, asked.skew_s) == (None, None, 0)


async def test_without_the_key_of_this_machine_only_keys_are_asked_for(
    console: Scripted,
) -> None:
    """They are for anybody."""
    asked = await ask(console.url, None, 4)
    assert asked.keys is not None
    assert asked.waiting is None
    assert console.paths == ["/v1/keys"]


async def test_a_machine_that_the_console_has_not_met(console: Scripted, home: Home) -> None:
    """The way in is told: a first contact."""
    with home:
        asked = await ask(console.url, home.device, 4)
        found = judged(ConsoleCase(url=URL, asked=asked, trust=ConsoleTrust(did=home.device.did)))
    assert found["device"].verdict == "problem"
    assert device_words(home.device.did) in found["device"].found
    assert "start the terminal" in (found["device"].remedy or "")
    assert found["approval"].found == "see device"


async def test_nobody_listens() -> None:
    """Told at once, with the place."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    found = judged(ConsoleCase(url=url, asked=await ask(url, None, 4)))
    assert (found["console"].verdict, found["console"].found) == (
        "problem",
        f"{url} cannot be reached",
    )
    assert found["console_clock"].verdict == found["approval"].verdict == "skipped"


async def test_a_console_that_never_answers_is_given_up(console: Scripted) -> None:
    """Whoever looks for what is wrong has no time."""

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    console.fault = hang
    found = judged(ConsoleCase(url=console.url, asked=await ask(console.url, None, 0.2)))
    assert "does not answer" in found["console"].found


async def test_keys_are_told_though_what_waits_is_not(console: Scripted, home: Home) -> None:
    """One question that hangs hides no other answer."""
    answer = console.fault
    assert answer is not None

    async def half(request: web.Request) -> web.StreamResponse:
        if request.path != "/v1/keys":
            await asyncio.Event().wait()
        return await answer(request)

    console.fault = half
    with home, idle_clock():
        asked = await ask(console.url, home.device, 5.0)
        case = ConsoleCase(url=console.url, asked=asked, trust=ConsoleTrust(did=home.device.did))
    found = judged(case)
    assert found["console"].verdict == "ok"
    assert (found["device"].verdict, "does not answer" in found["device"].found) == (
        "warning",
        True,
    )


@pytest.mark.parametrize(
    ("ahead_s", "verdict", "says"),
    [
        (0, "ok", "agrees"),
        (8, "ok", "behind"),
        (300, "warning", "behind"),
        (-300, "warning", "ah"),
    ],
)
async def test_the_clocks(console: Scripted, ahead_s: int, verdict: str, says: str) -> None:
    """Seconds are well; more is told, and in which direction."""
    console.ahead_s = ahead_s
    found = judged(ConsoleCase(url=URL, asked=await ask(console.url, None, 4)))["console_clock"]
    assert (found.verdict, says in found.found) == (verdict, True)


# --- the home ----------------------------------------------------------------------------------


def sync(home: Home, signer: Signer) -> None:
    console = home.console()
    console.offers.accept(Synced.model_validate(signer.synced()), 0, "")


def test_what_a_home_has_from_its_console_is_read_and_not_written(home: Home) -> None:
    """Records and leases that verify against the root key; the files stay as they are."""
    signer = Signer()
    with home:
        signer.know(home.device.did, home.device.public)
        token = signer.create("eurusd")
        sync(home, signer)
        version = home.store.data_version()
        found = read_console_trust(home.store, home.box, int(time.time()))
        assert home.store.data_version() == version
    tid = parse_token(token)
    assert found.root == signer.root_text
    assert found.device is not None
    assert found.did == found.device.did
    assert found.records[tid].label == "eurusd"
    assert found.leases[tid].exp > time.time()


def test_a_home_without_a_console(home: Home) -> None:
    """It has a key of its machine, and nothing else; without the box not even that opens."""
    with home:
        assert read_console_trust(home.store, home.box, 0).records == {}
        closed = read_console_trust(home.store, None, 0)
    assert (closed.root, closed.device) == ("", None)
    assert closed.did


def test_what_does_not_verify_is_not_believed(home: Home) -> None:
    """Whoever can write into the database can write no record."""
    signer = Signer()
    with home:
        signer.know(home.device.did, home.device.public)
        signer.create()
        sync(home, signer)
        with home.store.transaction() as db:
            db.execute("UPDATE console_tokens SET record = 'mge1.x', lease = 'mge1.x'")
        found = read_console_trust(home.store, home.box, int(time.time()))
        assert (found.records, found.leases) == ({}, {})
        with home.store.transaction() as db:
            db.execute("UPDATE console SET key_set = 'mge1.x'")
        assert read_console_trust(home.store, home.box, int(time.time())).root == signer.root_text


@pytest.mark.parametrize(
    ("status", "verdict", "says"),
    [
        ("approved", "ok", "approved"),
        ("pending", "problem", "not approved"),
        ("revoked", "problem", "not be used"),
    ],
)
def test_the_machine_by_the_record(home: Home, status: str, verdict: str, says: str) -> None:
    """The gateway need not run."""
    signer = Signer()
    with home:
        signer.know(home.device.did, home.device.public)
        token = signer.create()
        signer.change_device(parse_token(token), status=status)
        sync(home, signer)
        case = ConsoleCase(
            url=URL,
            trust=read_console_trust(home.store, home.box, int(time.time())),
            tid=parse_token(token),
        )
    found = judged(case)
    assert (found["device"].verdict, says in found["device"].found) == (verdict, True)
    assert found["lease"].verdict == ("ok" if status == "approved" else "skipped")


def test_a_home_whose_console_nobody_names(run: Run, home: Home) -> None:
    """The url stands in a file that was not given: serve would not start without it either, and
    tokens are not to be made here."""
    signer = Signer()
    with home:
        signer.know(home.device.did, home.device.public)
        token = signer.create("eurusd", exp=int(time.time()) + 3600)
        sync(home, signer)
    done = run("doctor", "--json", "--home", str(home.folder), "--auth-token", token)
    found = {one["name"]: one for one in json.loads(done.out)}
    assert found["console"]["verdict"] == "problem"
    assert "--config" in found["console"]["remedy"]
    assert found["device"]["verdict"] == "ok"
    assert "on the console's pages" in found["token"]["remedy"]
    assert "token replace" not in done.out


def test_a_console_that_was_configured_is_asked_though_no_gateway_runs(
    run: Run, home: Home, tmp_path: Path
) -> None:
    """And nothing is repaired: the files of the home stay as they are."""
    with home, socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    config = tmp_path / "config.toml"
    ports = "[api]\nport = 0\n[bridge]\nport = 0\n"
    config.write_text(f'{ports}[secrets]\nstore = "file"\n[console]\nurl = "{url}"\n')
    before = (home.folder / DATABASE).read_bytes()
    done = run("doctor", "--json", "--home", str(home.folder), "--config", str(config))
    found = {one["name"]: one for one in json.loads(done.out)}
    assert (done.code, found["console"]["verdict"]) == (1, "problem")
    assert found["console"]["found"] == f"{url} cannot be reached"
    assert (home.folder / DATABASE).read_bytes() == before
