"""``doctor`` and the console: what is asked of it, what a home knows, and how that is judged."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import pytest_asyncio
from aiohttp import web
from scripted_console import ScriptedConsole, Signer
from shell import Done

from ea_bridge.token import parse_token
from gateway.auth.home import Home
from gateway.cli.doctor.believed import Believed, believed
from gateway.cli.doctor.console import Asked, Case, ask, examine
from gateway.cli.doctor.finding import Finding
from gateway.credentials.daemon_api import Keys, OpenRequest, Synced, TerminalFacts
from gateway.credentials.device import device_words
from gateway.shapes import ConsoleInfo
from gateway.store import DATABASE
from gateway.uplink.failures import Refused
from gateway.uplink.http import explained

Run = Callable[..., Done]
URL = "https://console.example.com"
NAMES = ["console", "console_clock", "device", "approval", "lease"]
WAITING = OpenRequest(
    rid="r" * 16,
    tid="A1b2C3d4E5f6",
    terminal=TerminalFacts(platform="mt5", login=7, server="Broker-Demo", fp="0" * 64),
    expires_s=480,
)
TOLD = {
    "url": URL,
    "connected": True,
    "last_sync": 0,
    "problem": None,
    "clock_suspect": False,
    "tier": "full",
    "tier_reason": None,
    "tier_ends": None,
    "lease_ends": None,
    "device": "a" * 52,
    "device_words": "a-b-c-d",
}


def told(**changes: Any) -> ConsoleInfo:
    """Return what a gateway says that is in step but for these facts."""
    return cast(ConsoleInfo, TOLD | changes)


def judged(case: Case) -> dict[str, Finding]:
    """Examine a case; every check is there, once, and holds to the form."""
    found = list(examine(case))
    assert [one.name for one in found] == NAMES
    for one in found:
        assert (one.remedy is None) == (one.verdict == "ok") or one.verdict == "skipped", one
    return {one.name: one for one in found}


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
        found = judged(Case(url=URL, asked=asked, believed=Believed(did=home.device.did)))
    assert found["device"].verdict == "problem"
    assert device_words(home.device.did) in found["device"].found
    assert "start the terminal" in (found["device"].remedy or "")
    assert found["approval"].found == "see device"


async def test_nobody_listens() -> None:
    """Told at once, with the place."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    found = judged(Case(url=url, asked=await ask(url, None, 4)))
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
    found = judged(Case(url=console.url, asked=await ask(console.url, None, 0.2)))
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
    with home:
        asked = await ask(console.url, home.device, 0.5)
        case = Case(url=console.url, asked=asked, believed=Believed(did=home.device.did))
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
    found = judged(Case(url=URL, asked=await ask(console.url, None, 4)))["console_clock"]
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
        found = believed(home.store, home.box, int(time.time()))
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
        assert believed(home.store, home.box, 0).records == {}
        closed = believed(home.store, None, 0)
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
        found = believed(home.store, home.box, int(time.time()))
        assert (found.records, found.leases) == ({}, {})
        with home.store.transaction() as db:
            db.execute("UPDATE console SET key_set = 'mge1.x'")
        assert believed(home.store, home.box, int(time.time())).root == signer.root_text


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
        case = Case(
            url=URL,
            believed=believed(home.store, home.box, int(time.time())),
            tid=parse_token(token),
        )
    found = judged(case)
    assert (found["device"].verdict, says in found["device"].found) == (verdict, True)
    assert found["lease"].verdict == ("ok" if status == "approved" else "skipped")


def test_a_home_whose_console_nobody_names(run: Run, home: Home) -> None:
    """The url stands in a file that was not given; that is no problem, and tokens are not to be
    made here."""
    signer = Signer()
    with home:
        signer.know(home.device.did, home.device.public)
        token = signer.create("eurusd", exp=int(time.time()) + 3600)
        sync(home, signer)
    done = run("doctor", "--json", "--home", str(home.folder), "--auth-token", token)
    found = {one["name"]: one for one in json.loads(done.out)}
    assert found["console"]["verdict"] == "skipped"
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


# --- judging -----------------------------------------------------------------------------------


def keys_of(signer: Signer, **changes: Any) -> Asked:
    facts = {
        "root": signer.root_text,
        "keys": signer.key_set(),
        "server_time": signer.now_s(),
    }
    return Asked(Keys.model_validate(facts | changes), waiting=())


def test_a_home_without_a_console_is_told_so() -> None:
    """And nothing else of consoles."""
    (found,) = examine(Case())
    assert (found.name, found.verdict, found.remedy) == ("console", "skipped", None)


def test_the_console_is_the_one_that_is_believed() -> None:
    """Another root key is a problem that names both; so are keys that the root has not signed."""
    signer, other = Signer(), Signer()
    case = Case(url=URL, asked=keys_of(signer))
    assert "from the first contact on" in judged(case)["console"].found
    assert judged(replace(case, pinned=signer.root_text))["console"].verdict == "ok"
    another = judged(replace(case, pinned=other.root_text))["console"]
    assert another.verdict == "problem"
    assert signer.root_text in another.found
    assert other.root_text in another.found
    forged = replace(case, asked=keys_of(signer, keys=other.key_set()))
    assert "has not signed" in judged(forged)["console"].found
    nonsense = replace(case, asked=keys_of(signer, root="mgr1_x"))
    assert judged(nonsense)["console"].verdict == "problem"


def test_a_certificate_that_is_not_valid() -> None:
    """It may be that somebody sits in between."""
    failure = explained(URL, ssl.SSLCertVerificationError())
    found = judged(Case(url=URL, asked=Asked(failure=failure)))["console"]
    assert (found.verdict, "certificate" in found.found) == ("problem", True)
    assert "somebody sits in between" in (found.remedy or "")


def test_what_waits_is_told_with_both_ways() -> None:
    """The page, and the command with the places of this gateway."""
    asked = replace(keys_of(Signer()), waiting=(WAITING,))
    found = judged(Case(url=URL, asked=asked, places=" --config c.toml"))["approval"]
    assert found.verdict == "problem"
    assert found.found == "mt5 7 on Broker-Demo waits, for another 8 min"
    assert URL in (found.remedy or "")
    assert "mt-gateway verify CODE --config c.toml" in (found.remedy or "")
    assert judged(Case(url=URL, asked=keys_of(Signer())))["approval"].verdict == "ok"


@pytest.mark.parametrize(
    ("changes", "warnings"),
    [
        ({}, set()),
        ({"problem": f"{URL} does not answer: see whether it runs"}, {"console"}),
        ({"tier": "reduce", "tier_reason": "lease_expired"}, {"lease"}),
        (
            {"tier": "reduce", "tier_reason": "clock_suspect", "clock_suspect": True},
            {"lease", "console_clock"},
        ),
    ],
)
def test_what_the_gateway_says_counts(changes: dict[str, Any], warnings: set[str]) -> None:
    """It knows what its token may do now."""
    found = judged(Case(url=URL, asked=keys_of(Signer()), told=told(**changes)))
    assert {name for name, one in found.items() if one.verdict != "ok"} == warnings
    assert found["device"].found.endswith("approved for this token")


@pytest.mark.parametrize(
    ("reason", "name", "remedy"),
    [
        ("device_pending", "device", "see approval"),
        ("device_revoked", "device", "Let it ask again"),
        ("lease_expired", "lease", "see console"),
    ],
)
def test_why_the_gateway_refuses_the_token(reason: str, name: str, remedy: str) -> None:
    """Each with what to do."""
    known = Believed(did="a" * 52)
    case = Case(url=URL, asked=keys_of(Signer()), believed=known, reason=reason, tid="t")
    found = judged(case)[name]
    assert (found.verdict, remedy in (found.remedy or "")) == ("problem", True)


def test_a_token_that_never_came_here() -> None:
    """The machine is known, by another token; of no token nothing is claimed."""
    known = Believed(did="a" * 52)
    case = Case(url=URL, asked=keys_of(Signer()), believed=known)
    assert judged(case)["device"].verdict == "ok"
    assert judged(replace(case, tid="A1b2C3d4E5f6"))["device"].verdict == "problem"
    assert judged(replace(case, asked=None, pinned="mgr1_x"))["device"].verdict == "skipped"
    assert judged(replace(case, believed=Believed()))["device"].verdict == "skipped"


def test_a_device_that_the_console_refuses_otherwise() -> None:
    """Its own words are shown."""
    refused = Refused(401, "bad_signature", "not signed by this device's key", {})
    asked = replace(keys_of(Signer()), waiting=None, refusal=refused)
    found = judged(Case(url=URL, asked=asked, believed=Believed(did="a" * 52)))["device"]
    assert (found.verdict, "bad_signature" in found.found) == ("warning", True)
