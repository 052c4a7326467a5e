"""``doctor``: names what is wrong, and what puts it right."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from demo_process import Demo, running_serve
from shell import Done

from ea_bridge.loopback import bind_loopback
from ea_bridge.token import new_token, parse_token
from gateway.auth.home import MIGRATIONS, Home
from gateway.cli.doctor import folder, gateway, machine, ports, terminal
from gateway.cli.doctor.finding import Finding, ok
from gateway.cli.doctor.gateway import Heard
from gateway.cli.doctor.ports import Port
from gateway.cli.doctor.refusal import last_refusal
from gateway.client import GatewayClient

Run = Callable[..., Done]
ADDRESSES = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6}


@pytest.fixture
def examine(run: Run) -> Callable[..., dict[str, Finding]]:
    """Run ``doctor --json``; the exit code must be that of what it found."""

    def findings(*arguments: str | Path) -> dict[str, Finding]:
        done = run("doctor", "--json", *map(str, arguments))
        assert done.err == ""
        found = [Finding(**one) for one in json.loads(done.out)]
        assert done.code == any(one.verdict == "problem" for one in found)
        for one in found:
            assert (one.remedy is None) or one.verdict != "ok"
            assert one.remedy or one.verdict in ("ok", "skipped"), one
        return {one.name: one for one in found}

    return findings


Examine = Callable[..., dict[str, Finding]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home in which a gateway has run."""
    place = tmp_path / "home"
    with Home(place):
        return place


@contextmanager
def squatter(host: str) -> Iterator[int]:
    """Listen on one loopback address, on a port that is free on the other one; yield it."""
    for one in bind_loopback(0):
        if one.getsockname()[0] != host:
            one.close()
            continue
        with one:
            one.listen()
            yield one.getsockname()[1]


def write_config(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text)
    return file


def names(findings: dict[str, Finding], verdict: str) -> set[str]:
    return {name for name, one in findings.items() if one.verdict == verdict}


# --- all is well, and nothing is there -----------------------------------------------------


def test_a_running_gateway_is_well(examine: Examine, demo: Demo) -> None:
    """Of the demo everything can be seen, and no problem is found; the broker's offset alone may
    not be certain yet, and a busy machine answers late."""
    found = examine("--home", demo.home)
    assert names(found, "problem") == set()
    assert names(found, "warning") <= {"broker_time", "round_trip"}
    assert names(found, "skipped") <= {"round_trip"}
    assert demo.bridge.rpartition(":")[2] in found["bridge_port"].found
    assert "trade" in found["token"].found
    assert found["console"].found.startswith(f"{demo.console}: in step")
    assert found["device"].found == f"{demo.device}: approved for this token"
    assert found["approval"].verdict == found["console_clock"].verdict == "ok"
    assert found["lease"].found.startswith("all that the token may do")


def test_a_gateway_that_was_named(examine: Examine, demo: Demo) -> None:
    """URL and token are enough; home and ports of this machine are then not the gateway's."""
    found = examine("--url", demo.url, "--auth-token", demo.auth_token)
    assert names(found, "problem") == set()
    assert found["autotrading"].verdict == "ok"
    assert names(found, "skipped") >= {"home", "database", "key", "api_port", "bridge_port"}
    assert (found["console"].verdict, found["lease"].verdict) == ("ok", "ok")


def test_a_gateway_without_a_token(examine: Examine, demo: Demo) -> None:
    """What needs none is looked at all the same; how to give one is told."""
    found = examine("--url", demo.url)
    assert names(found, "problem") == set()
    assert (found["gateway"].verdict, found["gateway_version"].verdict) == ("ok", "ok")
    assert (found["token"].verdict, found["terminal"].verdict) == ("skipped", "skipped")
    assert "MT_GATEWAY_TOKEN" in (found["token"].remedy or "")


def test_nothing_runs(examine: Examine, tmp_path: Path) -> None:
    """One problem, with the command that starts a gateway; and no home is made."""
    config = write_config(tmp_path, "[api]\nport = 0\n[bridge]\nport = 0\n")
    found = examine("--config", config)
    assert names(found, "problem") == {"gateway"}
    assert "makes its own tokens" in found["console"].found
    assert "device" not in found
    assert "mt-gateway serve" in (found["gateway"].remedy or "")
    assert not (tmp_path / "default").exists()


def test_the_table_tells_the_same(run: Run, demo: Demo, tmp_path: Path) -> None:
    """A row a check, remedies below; without colour in a pipe, and never a token."""
    done = run("doctor", "--home", demo.home)
    assert done.code == 0
    assert "\x1b" not in done.out
    assert demo.auth_token not in done.out
    assert any(line.split()[:2] == ["ok", "autotrading"] for line in done.out.splitlines())
    away = run("doctor", "--home", str(tmp_path / "none"))
    assert away.code == 1
    assert "-> start it: mt-gateway serve" in away.out
    assert "problem" in away.out.splitlines()[-1]


def test_an_address_that_is_none(run: Run) -> None:
    """A mistake of the command line is one, not a finding."""
    done = run("doctor", "--url", "nowhere")
    assert (done.code, "http://127.0.0.1" in done.complaint) == (2, True)


# --- the machine ---------------------------------------------------------------------------


def test_packages_that_do_not_fit() -> None:
    """Each is named with what is needed; what another system needs does not count."""
    found = machine.packages(
        ["aiohttp>=99", "no-such-package-at-all", "uvloop>99; sys_platform == 'none'", "rich>=14"]
    )
    assert found.verdict == "problem"
    assert ">=99 is needed" in found.found
    assert "no-such-package-at-all is missing" in found.found
    assert "uvloop" not in found.found
    assert "rich" not in found.found


def test_an_old_python() -> None:
    """Which one is needed is told."""
    found = machine.python("3.9.1", ">=3.11")
    assert (found.verdict, ">=3.11" in found.found) == ("problem", True)
    assert machine.python("3.14.0rc1", ">=3.11").verdict == "ok"


def test_loopback_without_ipv6() -> None:
    """A machine with IPv4 alone will do; one without it will not."""
    v4 = (socket.AF_INET, "127.0.0.1")
    assert machine.loopback([v4]).verdict == "ok"
    # TEST-NET-1: no machine has it
    assert machine.loopback([(socket.AF_INET, "192.0.2.1")]).verdict == "problem"


def test_a_clock_that_was_never_set() -> None:
    """A machine without a battery wakes up in 1970."""
    assert machine.system_clock(lambda: 3600.0).verdict == "problem"
    assert machine.system_clock().verdict == "ok"


# --- config and home -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"), [("[api]\nprt = 1\n", "did you mean port"), ("nonsense", "is not TOML")]
)
def test_a_configuration_that_cannot_be_used(
    examine: Examine, home: Path, tmp_path: Path, text: str, says: str
) -> None:
    """Told in the words of ``serve``; what depends on it is not judged."""
    found = examine("--home", home, "--config", write_config(tmp_path, text))
    assert found["config"].verdict == "problem"
    assert says in found["config"].found
    assert names(found, "skipped") >= {"key", "api_port", "bridge_port"}
    assert found["database"].verdict == "ok"


def test_a_configuration_that_is_missing(examine: Examine, home: Path) -> None:
    """A finding like any other."""
    found = examine("--home", home, "--config", home / "config.toml")
    assert (found["config"].verdict, found["config"].found.count("cannot be read")) == (
        "problem",
        1,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o700, "ok"), (0o750, "warning"), (0o770, "problem"), (0o702, "problem")],
)
def test_a_home_that_is_open_to_others(home: Path, mode: int, verdict: str) -> None:
    """Reading is a warning, writing a problem: who may write can exchange the key."""
    home.chmod(mode)
    found = folder.home_folder(home)
    assert found.verdict == verdict
    assert (found.remedy == f"run: chmod 700 {home}") == (verdict != "ok")


def test_a_home_that_is_a_file(examine: Examine, tmp_path: Path) -> None:
    """Nothing in it can be looked at."""
    (tmp_path / "file").touch()
    found = examine("--home", tmp_path / "file")
    assert found["home"].verdict == "problem"
    assert names(found, "skipped") >= {"disk", "database", "key"}


def test_a_full_disk(home: Path) -> None:
    """Found before SQLite does."""
    assert folder.disk(home, 2**62).verdict == "problem"
    assert folder.disk(home, 1).verdict == "ok"


def test_an_empty_home_stays_empty(examine: Examine, tmp_path: Path) -> None:
    """The doctor makes neither database nor key."""
    place = tmp_path / "empty"
    place.mkdir(mode=0o700)
    found = examine("--home", place)
    assert found["database"].verdict == "skipped"
    assert found["key"].verdict in ("skipped", "warning")  # a machine without a keyring
    assert list(place.iterdir()) == []


def test_a_damaged_database(examine: Examine, home: Path) -> None:
    """The remedy is the store's."""
    (home / "gateway.db").write_bytes(b"no database at all" * 1000)
    found = examine("--home", home)
    assert found["database"].verdict == "problem"
    assert "backup" in (found["database"].remedy or "")


@pytest.mark.parametrize(("schema", "verdict"), [(-1, "warning"), (1, "problem")])
def test_a_database_of_another_version(
    examine: Examine, home: Path, schema: int, verdict: str
) -> None:
    """An older one is left as it is, a newer one is not understood."""
    version = len(MIGRATIONS) + schema
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        database.execute(f"PRAGMA user_version={version}")
    assert examine("--home", home)["database"].verdict == verdict
    with closing(sqlite3.connect(home / "gateway.db")) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (version,)


def test_keys_that_do_not_fit(examine: Examine, home: Path, tmp_path: Path) -> None:
    """Readable by others, another database's, missing: each with its remedy; none is made anew."""
    key, other = home / "secrets.key", tmp_path / "other"
    if sys.platform != "win32":
        key.chmod(0o644)
        assert "chmod 600" in (examine("--home", home)["key"].remedy or "")
    with Home(other):
        key.write_bytes((other / "secrets.key").read_bytes())
    key.chmod(0o600)
    found = examine("--home", home)
    assert (found["database"].verdict, found["key"].verdict) == ("ok", "problem")
    assert "not the key" in found["key"].found
    key.unlink()
    assert "missing" in examine("--home", home)["key"].found
    assert not key.exists()


# --- ports ---------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ADDRESSES)
@pytest.mark.parametrize("section", ["api", "bridge"])
def test_a_squatter(examine: Examine, tmp_path: Path, host: str, section: str) -> None:
    """On either address alone it is a problem, and named where the system tells."""
    other = {"api": "bridge", "bridge": "api"}[section]
    with squatter(host) as port:
        text = f"[{section}]\nport = {port}\n[{other}]\nport = 0\n"
        found = examine("--config", write_config(tmp_path, text))
    squatted = found[f"{section}_port"]
    assert squatted.verdict == "problem"
    assert f"{host}]:{port}" in squatted.found or f"{host}:{port}" in squatted.found
    if sys.platform == "linux":
        assert f"(process {os.getpid()})" in squatted.found
    assert f"[{section}]" in (squatted.remedy or "")
    assert found[f"{other}_port"].verdict == "skipped"


def test_a_port_that_is_free(examine: Examine, tmp_path: Path) -> None:
    """On both addresses; to look does not take it."""
    sockets = bind_loopback(0)
    port = sockets[0].getsockname()[1]
    for one in sockets:
        one.close()
    config = write_config(tmp_path, f"[api]\nport = {port}\n[bridge]\nport = 0\n")
    for _ in range(2):
        assert examine("--config", config)["api_port"].verdict == "ok"


def test_a_port_that_the_gateway_holds_in_half() -> None:
    """A gateway that began without IPv6 leaves [::1] to anybody."""
    with squatter("127.0.0.1") as port:
        found = ports.examine(Port("api_port", "api", port), os.getpid())
    assert (found.verdict, "::1" in found.found) == ("warning", True)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells whose a port is")
def test_a_port_of_the_gateway_that_another_process_holds() -> None:
    """``run.json`` names one process, the system another: the gateway was replaced."""
    with squatter("::1") as port:
        found = ports.examine(Port("api_port", "api", port), os.getpid() + 1)
    assert (found.verdict, "taken by" in found.found) == ("problem", True)


class Stranger(BaseHTTPRequestHandler):
    """A web server that is no gateway."""

    def do_GET(self) -> None:
        """Answer, unless a token came along."""
        assert self.headers["Authorization"] is None
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"<html>welcome</html>")

    def log_message(self, *_: object) -> None:
        """Keep stderr clean."""


def test_what_answers_is_no_gateway(examine: Examine) -> None:
    """It is told apart from nobody, and no token is shown to it."""
    token = new_token()
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        place = ("--url", f"http://127.0.0.1:{stranger.server_port}", "--auth-token", token)
        serving = threading.Thread(target=stranger.serve_forever, args=(0.01,))
        serving.start()
        found = examine(*place)
        stranger.shutdown()
        serving.join()
    assert (found["gateway"].verdict, found["token"].verdict) == ("problem", "skipped")
    assert "is no gateway" in found["gateway"].found
    assert "nobody answers" in examine(*place)["gateway"].found


# --- terminals that are not let in ---------------------------------------------------------


def dial(bridge: str, **hello: Any) -> dict[str, Any]:
    """Say hello to a gateway as an EA does, and return what it answers."""
    host, _, port = bridge.rpartition(":")
    said = {"t": "hello", "cnonce": "0" * 64, "boot": "b", "platform": "mt5", "login": 7}
    with socket.create_connection((host.strip("[]"), int(port)), 30) as link:
        link.sendall(json.dumps({**said, "server": "Broker", **hello}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(link.makefile().readline())
    return answer


def test_an_ea_of_another_age(examine: Examine, run: Run, tmp_path: Path) -> None:
    """It dialled and was turned away: told with the reason, not as one that was never seen."""
    with running_serve(tmp_path) as ready:
        place = ("--home", ready["home"])
        token = run("token", "create", "--name", "doctor-b", *place).out.strip()
        assert "no EA has dialled" in examine(*place, "--auth-token", token)["terminal"].found
        tid = parse_token(token)
        assert dial(ready["bridge"], proto="7-9", tid=tid)["code"] == "proto"
        until_told(Path(ready["home"]), tid)
        found = examine(*place, "--auth-token", token)
    assert names(found, "problem") == {"terminal"}
    assert f"the token {tid} was turned away (proto" in found["terminal"].found
    assert "mt-gateway install-ea" in (found["terminal"].remedy or "")


def until_told(home: Path, tid: str) -> None:
    """Wait until the gateway has written down that it let a terminal not in."""
    deadline = time.monotonic() + 30
    while last_refusal(home, tid) is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


# --- tokens --------------------------------------------------------------------------------


async def test_a_gateway_that_answers_too_slowly(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, however many answers it has given."""

    async def slowly(client: GatewayClient, heard: Heard) -> Heard:
        await asyncio.Event().wait()
        return heard

    async def healthy(base: str) -> tuple[Finding, str]:
        return ok("gateway", base), "1.0"

    monkeypatch.setattr(gateway, "ALL_S", 0.05)
    monkeypatch.setattr(gateway, "_ask", slowly)
    monkeypatch.setattr(gateway, "_health", healthy)
    heard = await gateway.listen("http://127.0.0.1:1", new_token())
    assert (heard.version, heard.silence) == ("1.0", "no answer within 0.05 s")
    assert all(one.verdict == "skipped" for one in terminal.examine(heard))


def test_tokens_that_a_gateway_refuses(examine: Examine, run: Run, tmp_path: Path) -> None:
    """Mistyped, unknown, revoked: each is told apart, with its remedy; none is repeated."""
    with running_serve(tmp_path) as ready:
        place = ("--home", ready["home"])
        revoked = run("token", "create", "--name", "doctor-a", *place).out.strip()
        run("token", "revoke", "doctor-a", *place)
        mistyped = revoked[:-1] + ("a" if revoked[-1] != "a" else "b")
        for token, says, remedy in (
            (mistyped, "mistyped", "copy it again"),
            (new_token(), "not known", "token list"),
            (revoked, "revoked", "token create"),
        ):
            found = examine(*place, "--auth-token", token)
            assert names(found, "problem") == {"token"}
            assert says in found["token"].found
            assert remedy in (found["token"].remedy or "")
            assert token not in repr(found)
            assert found["terminal"].verdict == "skipped"


def test_tokens_while_no_gateway_runs(examine: Examine, home: Path) -> None:
    """The home tells what would become of them."""
    now = int(time.time())
    with Home(home) as opened:
        fresh, _ = opened.issuer.create("fresh", scopes=("read",))
        soon, _ = opened.issuer.create("soon", lifetime_s=3600)
    with Home(home, now_s=lambda: now - 100) as opened:
        ended, _ = opened.issuer.create("ended", lifetime_s=60)
    with Home(home) as opened:
        old, _ = opened.issuer.create("old")
        opened.issuer.replace("old")

    def told(token: str) -> Finding:
        return examine("--home", home, "--auth-token", token)["token"]

    assert (told(fresh).verdict, "may read, never expires" in told(fresh).found) == ("ok", True)
    assert told(soon).remedy == "replace it: mt-gateway token replace soon"
    assert told(soon).verdict == told(old).verdict == "warning"
    assert "was replaced" in (told(old).remedy or "")
    assert (told(ended).verdict, told(ended).found.endswith("is expired")) == ("problem", True)
    assert (told(new_token()).verdict, told("mgt_x").verdict) == ("problem", "problem")
