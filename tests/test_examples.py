"""Each example does what it says, as a user would run it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest
from demo_process import Demo, clean_environment, running_serve
from external_programs import needed, node
from warm_process import COMMAND, WarmProcess, run_warm

from gateway.client import SyncGatewayClient

EXAMPLES = Path(__file__).parent.parent / "examples"
RUN_S = 60
PRICES = r"1\.\d{3,5} / 1\.\d{3,5}"


def output(command: tuple[str | Path, ...], environment: Mapping[str, str]) -> str:
    """Run a program to its end, which must be a good one; return what it printed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=RUN_S)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def python(name: str, demo: Demo, *arguments: str, **environment: str) -> str:
    """Run one of the Python examples."""
    command: tuple[str | Path, ...] = (sys.executable, EXAMPLES / name, *arguments)
    return output(command, demo.environment | environment)


def test_every_example_is_tested() -> None:
    """An example that nobody runs is soon wrong."""
    tested = Path(__file__).read_text()
    names = [path.name for path in EXAMPLES.iterdir() if path.is_file()]
    assert len(names) >= 6
    assert [name for name in names if f'"{name}"' not in tested] == []


def test_first_call(demo: Demo) -> None:
    """Account, price and bars with the standard library alone."""
    out = python("01_first_call.py", demo)
    assert re.search(r"Balance \d+\.\d\d USD", out)
    assert re.search(f"EURUSD  {PRICES}", out)
    assert out.count("H1 ") == 3


def test_stream_ticks(demo: Demo) -> None:
    """As many as were asked for."""
    out = python("02_stream_ticks.py", demo, "EURUSD", "5")
    assert len(re.findall(f"^EURUSD  {PRICES}", out, re.MULTILINE)) == 5


def test_place_and_close(demo: Demo) -> None:
    """Nothing stays open."""
    out = python("03_place_and_close.py", demo)
    assert "Bought 0.1 EURUSD at 1." in out
    assert re.search(r"Position \d+: profit", out)
    assert "Closed at 1." in out


def test_many_terminals(demo: Demo, tmp_path: Path) -> None:
    """Two tokens of the same gateway; the terminal of one is not there."""
    with running_serve(tmp_path) as ready:
        tokens = [_new_token(ready["home"], name) for name in ("a", "b")]
        linked = (*COMMAND, "emulator", "--json", "--bridge", ready["bridge"])
        with WarmProcess(
            (*linked, "--auth-token", tokens[0]), stdout=subprocess.PIPE, text=True
        ) as emulator:
            assert emulator.stdout is not None
            assert emulator.stdout.readline()
            url = ready["rpc"].removesuffix("/rpc")
            lines = python(
                "04_many_terminals.py",
                demo,
                MT_GATEWAY_URL=url,
                MT_GATEWAY_TOKENS=",".join(tokens),
            ).splitlines()
            emulator.terminate()
    assert lines[0].startswith("a: mt5, account ")
    assert lines[1] == "b: disconnected"


def _new_token(home: str, name: str) -> str:
    create = ("token", "create", "--name", name, "--json", "--home", home)
    made = run_warm(*create, env=clean_environment(), timeout_s=RUN_S)
    assert (made.returncode, made.stderr) == (0, "")
    token = re.search(r"mgt_\w{50}", made.stdout)
    assert token is not None
    return token[0]


def test_copy_trades(demo: Demo, tmp_path: Path) -> None:
    """What the leader opens and closes, the follower does once, with half the volume; the command
    is that of docs/recipes/copy-trades.md."""
    with running_serve(tmp_path) as ready, ExitStack() as stack:
        leader, follower = [_new_token(ready["home"], name) for name in ("leader", "follower")]
        for login, token in (("7001", leader), ("7002", follower)):
            words = ("emulator", "--json", "--bridge", ready["bridge"], "--login", login)
            _started(stack, (*COMMAND, *words, "--auth-token", token), clean_environment())
        url = ready["rpc"].removesuffix("/rpc")
        tokens = {"MT_GATEWAY_TOKEN": leader, "MT_GATEWAY_FOLLOWERS": follower}
        lead, behind = (
            stack.enter_context(SyncGatewayClient(url, one)) for one in (leader, follower)
        )
        example = _started(
            stack,
            (sys.executable, EXAMPLES / "07_copy_trades.py", "0.5", "1"),
            clean_environment() | tokens | {"MT_GATEWAY_URL": url},
        )
        ticket = lead.place_order(symbol="EURUSD", side="sell", volume=0.2)["order"]["position"]
        assert ticket is not None
        assert example.readline() == f"Copied sell EURUSD of position {ticket}\n"
        (copy,) = behind.get_positions()
        assert (copy["type"], copy["volume"]) == ("sell", 0.1)
        lead.close_position(ticket=ticket)
        assert example.readline() == f"Closed the copy of position {ticket}, but 0\n"
        assert behind.get_positions() == []
        assert example.readline() == ""


def _started(
    stack: ExitStack, command: tuple[str | Path, ...], environment: Mapping[str, str]
) -> IO[str]:
    """Run a program until the stack is left; return its output, of which a line has come."""
    process = stack.enter_context(
        WarmProcess(command, stdout=subprocess.PIPE, text=True, env=environment)
    )
    stack.callback(process.terminate)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process.stdout


@pytest.mark.xdist_group("demo")
def test_node_client(demo: Demo, node_modules: Path) -> None:
    """A call and ten ticks over one WebSocket."""
    environment = demo.environment | {"NODE_PATH": str(node_modules)}
    out = output((node(), EXAMPLES / "05_node_client.js"), environment)
    assert re.search(r"Account \d+: \d+\.\d\d USD", out)
    assert len(re.findall(f"tick:EURUSD  {PRICES}", out)) == 10


def test_curl(demo: Demo) -> None:
    """A call, a batch and an error, from a POSIX shell."""
    needed("curl")
    out = output(("sh", EXAMPLES / "06_curl.sh"), demo.environment)
    assert '"balance":' in out
    assert '"time":' in out
    assert '"symbol_not_found"' in out
    assert "mgt_" not in out


ORDERS = r"""Equity \d+(\.\d+)? USD
Position (\d+): filled
Position \2, asked again: duplicate true
"""


def test_orders_in_csharp(demo: Demo, tmp_path: Path) -> None:
    """Compiled by Mono's compiler; the same file is a program of .NET."""
    compiler, mono = needed("mcs"), needed("mono")
    program = tmp_path / "orders.exe"
    output((compiler, f"-out:{program}", EXAMPLES / "08_orders.cs"), clean_environment())
    assert re.fullmatch(ORDERS, output((mono, program), demo.environment))


def test_orders_in_rust(demo: Demo, tmp_path: Path) -> None:
    """With the standard library alone, and without a warning of the compiler."""
    compiler, program = needed("rustc"), tmp_path / "orders"
    compile_it = (compiler, "--edition", "2021", "-o", program, EXAMPLES / "09_orders.rs")
    output(compile_it, clean_environment())
    assert re.fullmatch(ORDERS, output((program,), demo.environment))


@pytest.mark.parametrize(("page", "name"), [("csharp", "08_orders.cs"), ("rust", "09_orders.rs")])
def test_the_page_shows_the_example(page: str, name: str) -> None:
    """What is read there is what runs here."""
    text = (EXAMPLES.parent / "docs" / f"{page}.md").read_text("utf-8")
    assert f"```{page}\n{(EXAMPLES / name).read_text('utf-8')}```" in text
