"""``call``, ``tail`` and ``status`` against the running demo."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_process import Demo
from shell import Done

from gateway.cli.call import parse_params
from gateway.cli.output import CliError

Run = Callable[..., Done]


@pytest.fixture
def here(demo: Demo, monkeypatch: pytest.MonkeyPatch, run: Run) -> Demo:
    """The demo, named by the environment."""
    monkeypatch.setenv("MT_GATEWAY_URL", demo.url)
    monkeypatch.setenv("MT_GATEWAY_TOKEN", demo.auth_token)
    return demo


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("a=EURUSD", "EURUSD"),
        ("a=0.10", 0.1),
        ("a=true", True),
        ("a=null", None),
        ('a="0.10"', "0.10"),
        ('a={"b":[1]}', {"b": [1]}),
        ("a=", ""),
        ("a=x=y", "x=y"),
        ("a=NaN", "NaN"),
        ("a=#AAPL", "#AAPL"),
    ],
)
def test_values_are_json_or_text(pair: str, value: object) -> None:
    """What is no JSON is a text, so that symbols need no quotes."""
    assert parse_params([pair]) == {"a": value}


@pytest.mark.parametrize("pairs", [["a"], ["=1"], ["a=1", "a=2"]])
def test_other_params_are_refused(pairs: list[str]) -> None:
    """A typing error is not sent."""
    with pytest.raises(CliError):
        parse_params(pairs)


def test_call_prints_the_result(here: Demo, run: Run) -> None:
    """JSON on stdout, nothing else."""
    done = run("call", "get_symbol_info", "symbol=EURUSD")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out)["name"] == "EURUSD"


def test_call_prints_an_error_on_stderr(here: Demo, run: Run) -> None:
    """The error object as it came, exit code 1, stdout empty for the next in the pipe."""
    done = run("call", "get_symbol_info", "symbol=EURUSDX")
    assert (done.code, done.out) == (1, "")
    assert json.loads(done.err)["data"]["name"] == "symbol_not_found"


def test_a_home_is_enough(demo: Demo, run: Run) -> None:
    """A running demo is found, and its token, with nothing to copy."""
    done = run("call", "ping", "--home", demo.home)
    assert done.code == 0, done.err
    assert list(json.loads(done.out)["terminals"]) == [demo.terminal]


def test_status_of_a_healthy_terminal(here: Demo, run: Run) -> None:
    """What a person wants to see first; exit code 0."""
    done = run("status")
    assert done.code == 0, done.err
    assert f"{demo_line(done.out, 'terminal')}" == "demo: ready"
    assert demo_line(done.out, "console").startswith(f"{here.console}: in step")
    assert demo_line(done.out, "allowed").startswith("all that the token may do")
    assert demo_line(done.out, "machine").startswith(here.device)
    assert json.loads(run("status", "--json").out)["ea"]["state"] == "ready"


def test_a_halt_reaches_the_gateway_that_runs(here: Demo, run: Run) -> None:
    """With its next order, though nobody has told it; ``status`` says so, and how to undo it."""
    order = ("call", "place_order", "symbol=EURUSD", "side=buy", "volume=0.01")
    halted = run("halt", "--home", here.home, "--reason", "news at two")
    try:
        assert halted.code == 0, halted.err
        refused = run(*order)
        assert (refused.code, refused.out) == (1, "")
        error = json.loads(refused.err)
        assert (error["code"], error["data"]["reason"]) == (2104, "news at two")
        assert "halted by cli (news at two)" in error["message"]
        done = run("status")
        assert done.code == 1
        undo = "halted by cli (news at two); undo: mt-gateway resume"
        assert demo_line(done.out, "trading") == undo, "nobody said where it runs"
        done = run("status", "--home", here.home)
        assert demo_line(done.out, "trading") == f"{undo} --home {here.home}"
    finally:
        resumed = run("resume", "--home", here.home)
    assert resumed.code == 0, resumed.err
    assert demo_line(run("status").out, "trading") == "enabled"


def demo_line(out: str, name: str) -> str:
    """Return what the table says of one fact."""
    (line,) = [line for line in out.splitlines() if line.startswith(name)]
    return line.removeprefix(name).strip()


def test_tail_prints_lines(here: Demo, run: Run) -> None:
    """Without a screen each event is a line; ``-n`` ends it."""
    done = run("tail", "tick:EURUSD", "-n", "3")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert len(lines) == 3
    assert " tick:EURUSD " in lines[0]
    assert " snapshot " in lines[0]


def test_tail_prints_json(here: Demo, run: Run) -> None:
    """One object a line, as the client gives them."""
    done = run("tail", "account", "--json", "-n", "1")
    event = json.loads(done.out)
    assert (event["channel"], event["type"]) == ("account", "snapshot")
    assert event["data"]["currency"] == "USD"


def test_tail_explains_an_unknown_channel(here: Demo, run: Run) -> None:
    """Each that failed, why, and the nearest name that there is."""
    told = run("tail", "tick:EURUSDX", "tick").complaint
    assert "tick:EURUSDX: The broker has no such symbol (did you mean EURUSD" in told
    assert "tick: tick needs a symbol" in told


def test_a_wrong_token_is_explained(here: Demo, run: Run) -> None:
    """The checksum tells a mistyped token."""
    done = run("call", "ping", "--auth-token", here.auth_token[:-1] + "!")
    assert (done.code, done.out) == (1, "")
    assert json.loads(done.err)["data"]["reason"] == "malformed"
    assert "token" in run("status", "--auth-token", "mgt_x").complaint


@pytest.mark.parametrize("command", [("call", "ping"), ("tail", "orders"), ("status",)])
class TestNoGateway:
    """Without a gateway there is one line, which says what to do."""

    def test_none_runs(self, run: Run, command: tuple[str, ...]) -> None:
        """Neither in the default home nor in the demo's."""
        assert "start one with mt-gateway demo" in run(*command).complaint

    def test_nobody_answers(
        self, run: Run, command: tuple[str, ...], unused_tcp_port: int
    ) -> None:
        """The address is wrong, or the gateway has ended."""
        url = f"http://127.0.0.1:{unused_tcp_port}"
        complaint = run(*command, "--url", url, "--auth-token", "mgt_x").complaint
        assert url in complaint
        assert "mgt_" not in complaint

    def test_no_token(self, run: Run, command: tuple[str, ...]) -> None:
        """An address alone opens nothing."""
        assert "MT_GATEWAY_TOKEN" in run(*command, "--url", "http://127.0.0.1:1").complaint

    def test_a_url_with_a_secret(self, run: Run, command: tuple[str, ...]) -> None:
        """It would end up in the shell's history and in logs."""
        complaint = run(*command, "--url", "http://x:y@127.0.0.1:1").complaint
        assert "no user, password" in complaint

    def test_a_dead_gateway_leaves_a_file(
        self, run: Run, command: tuple[str, ...], tmp_path: Path, unused_tcp_port: int
    ) -> None:
        """A ``run.json`` whose gateway was killed counts for nothing, and so does a broken one."""
        facts = {"url": f"http://127.0.0.1:{unused_tcp_port}", "pid": 1}
        for text in (json.dumps(facts), "{", "[]"):
            (tmp_path / "run.json").write_text(text)
            assert "no gateway runs" in run(*command, "--home", str(tmp_path)).complaint
