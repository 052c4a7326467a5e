"""``doctor``: names what is wrong, and what puts it right."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from demo_process import Demo, running_serve
from findings import Examine, Run, names, write_config

from ea_bridge.token import new_token, parse_token
from gateway.cli.doctor import gateway, terminal
from gateway.cli.doctor.finding import Finding, ok
from gateway.cli.doctor.gateway import GatewayAnswers
from gateway.cli.doctor.terminal import last_refusal
from gateway.client import GatewayClient
from gateway.home.home import Home

# --- all is well, and nothing is there -----------------------------------------------------


def test_a_running_gateway_is_well(examine: Examine, demo: Demo) -> None:
    """Of the demo everything can be seen, and no problem is found; the broker's offset alone may
    not be certain yet, a busy machine answers late, and its Wine may be old."""
    found = examine("--home", demo.home)
    assert names(found, "problem") == set()
    assert names(found, "warning") <= {"broker_time", "round_trip", "wine"}
    assert names(found, "skipped") <= {"round_trip", "wine"}
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

    async def slowly(client: GatewayClient, heard: GatewayAnswers) -> GatewayAnswers:
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


async def test_a_gateway_that_does_not_answer_is_not_called_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody listens: to start another would help nobody."""
    monkeypatch.setattr(gateway, "ANSWER_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        heard = await gateway.listen(f"http://127.0.0.1:{silent.getsockname()[1]}", None)
    assert heard.health.verdict == "problem"
    assert "is too slow" in heard.health.found
    assert "busy" in (heard.health.remedy or "")


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
