"""``demo``, ``serve`` and ``emulator`` as processes."""

from __future__ import annotations

import json
import math
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from demo_process import ENDED, ENDS_WITHIN_S, clean_environment, running_demo
from external_programs import needed
from shell import Done
from warm_process import COMMAND, WarmProcess

from gateway.cli.output import CliError
from gateway.cli.run import parse_address, parse_speed

Run = Callable[..., Done]


class Process:
    """A command that runs."""

    def __init__(
        self,
        *arguments: str,
        kind: type[subprocess.Popen[Any]] = WarmProcess,
        **environment: str,
    ) -> None:
        self.popen = kind(
            (*COMMAND, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=clean_environment() | environment,
            text=True,
        )

    def line(self) -> str:
        """Return the next line of its output."""
        assert self.popen.stdout is not None
        line: str = self.popen.stdout.readline()
        assert line, self.end(signal.SIGKILL)
        return line

    def end(self, number: signal.Signals) -> tuple[int, str, str]:
        """Send a signal; return the exit code and the rest of both outputs."""
        self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=ENDS_WITHIN_S)
        return self.popen.returncode, out, err


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start commands that do not outlive the test."""
    started: list[Process] = []

    def one(*arguments: str, **options: Any) -> Process:
        started.append(Process(*arguments, **options))
        return started[-1]

    yield one
    for process in started:
        process.popen.kill()
        process.popen.communicate()


Start = Callable[..., Process]
FREE = ("--port", "0", "--bridge-port", "0", "--console-port", "0")


def test_the_ready_line(tmp_path: Path) -> None:
    """It has what programs need, and the home's files are private and go with the demo."""
    home = tmp_path / "home"
    with running_demo(home) as demo:
        assert demo.rpc.startswith("http://127.0.0.1:")
        assert demo.rpc.endswith("/rpc")
        assert demo.ws == f"ws{demo.rpc[4:-4]}/ws"
        assert Path(demo.home) == home
        assert (home / "token").read_text() == f"{demo.auth_token}\n"
        assert json.loads((home / "run.json").read_text())["url"] == demo.url
        for name in ("run.json", "token"):
            assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
        assert demo.auth_token not in (home / "run.json").read_text()
    assert not (home / "run.json").exists()
    assert not (home / "token").exists()
    assert "mgt_" not in (tmp_path / "home.log.txt").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_demo(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """With exit code 0, nothing more on stdout, and no complaint."""
    process = start("demo", "--json", *FREE, "--home", str(tmp_path))
    assert json.loads(process.line())["event"] == "ready"
    assert process.end(number) == (0, "", "")


def test_a_signal_at_once_is_an_end_too(start: Start, tmp_path: Path) -> None:
    """Whoever changes his mind while it starts is not punished with a traceback."""
    process = start("demo", "--json", *FREE, "--home", str(tmp_path), kind=subprocess.Popen)
    while not (tmp_path / "gateway.db").exists():
        assert process.popen.poll() is None
        time.sleep(0.002)
    code, _, err = process.end(signal.SIGTERM)
    assert (code, err) == (0, "")


def test_a_person_gets_something_to_paste(start: Start, tmp_path: Path) -> None:
    """The curl line works as it stands."""
    needed("curl")
    process = start("demo", *FREE, "--home", str(tmp_path))
    lines = [process.line()]
    while "Ctrl+C" not in lines[-1]:
        lines.append(process.line())
    text = "".join(lines)
    command = text[text.index("curl ") :].partition("\n\n")[0]
    done = subprocess.run(
        ("sh", "-c", command), capture_output=True, check=True, timeout=ENDS_WITHIN_S
    )
    assert json.loads(done.stdout)["result"]["trade_mode"] == "demo"
    assert process.end(signal.SIGINT)[0] == 0


HOLD_A_PORT = """
import socket, sys
with socket.create_server(("127.0.0.1", 0)) as held:
    print(held.getsockname()[1], flush=True)
    sys.stdin.read()
"""


def test_a_taken_port_is_explained(run: Run, tmp_path: Path) -> None:
    """One line, which says which of them it is, who has it, and what to do."""
    # a process of its own: one that leaves no core dumps hides its files from all but root
    with subprocess.Popen(
        (sys.executable, "-c", HOLD_A_PORT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        port = other.stdout.readline().strip()
        others = ("--bridge-port", "0", "--console-port", "0")
        process = Process("demo", "--port", port, *others, "--home", str(tmp_path))
        out, err = process.popen.communicate(timeout=ENDS_WITHIN_S)
        who = "another program"
        if sys.platform == "linux":
            name = Path(f"/proc/{other.pid}/comm").read_text().strip()
            who = f"{name} (process {other.pid})"
        other.communicate()
    done = Done(process.popen.returncode, out, err)
    assert f"port {port} is taken by {who}: stop it" in done.complaint
    assert "give another with --port, --bridge-port or --console-port" in done.complaint


def test_two_demos_in_one_home(tmp_path: Path) -> None:
    """The second is refused, and the first goes on."""
    home = tmp_path / "home"
    with running_demo(home):
        process = Process("demo", "--json", *FREE, "--home", str(home))
        out, err = process.popen.communicate(timeout=ENDS_WITHIN_S)
        done = Done(process.popen.returncode, out, err)
        assert "runs in" in done.complaint
        assert (home / "run.json").exists()


def test_a_second_demo_without_a_home(start: Start, tmp_path: Path) -> None:
    """Gets a temporary one, which goes with it; the first is the one that commands find."""
    processes = [start("demo", "--json", *FREE, MT_GATEWAY_HOME=str(tmp_path))]
    first = json.loads(processes[0].line())
    processes.append(start("demo", "--json", *FREE, MT_GATEWAY_HOME=str(tmp_path)))
    second = json.loads(processes[1].line())
    assert Path(first["home"]) == tmp_path / "demo"
    assert Path(second["home"]) != tmp_path / "demo"
    for process in processes:
        assert process.end(signal.SIGTERM) == (0, "", "")
    assert not Path(second["home"]).exists()


CONFIG = '[api]\nport = 0\n[bridge]\nport = 0\n[secrets]\nstore = "file"\n'


def create_token(run: Run, home: Path, config: Path) -> str:
    """Make a token before the daemon runs."""
    place = ("--home", str(home), "--config", str(config))
    return run("token", "create", "--name", "A", *place).out.strip()


def test_serve_and_an_emulator(start: Start, run: Run, tmp_path: Path) -> None:
    """Two processes: the daemon, and a terminal that links to it with a token made for it."""
    home = str(tmp_path / "home")
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    daemon = start("serve", "--json", "--config", str(config), "--home", home)
    ready = json.loads(daemon.line())
    assert set(ready) == {"event", "rpc", "ws", "bridge", "live_page", "home", "config"}
    token = run("token", "create", "--name", "mt4-a", "--home", home).out.strip()
    arguments = ("--bridge", ready["bridge"], "--platform", "mt4")
    emulator = start("emulator", "--json", *arguments, MT_GATEWAY_TOKEN=token)
    assert json.loads(emulator.line())["bridge"] == ready["bridge"]
    done = run("status", "--home", home, "--auth-token", token)
    assert (done.code, "mt4-a: ready" in done.out) == (0, True), done
    assert not (Path(home) / "token").exists()
    assert emulator.end(signal.SIGTERM) == (ENDED, "", "")
    assert daemon.end(signal.SIGTERM)[:2] == (ENDED, "")


def test_an_emulator_as_one_wants_it(start: Start, run: Run, tmp_path: Path) -> None:
    """A netting account, faults that happen as often as asked; an unknown one is one line."""
    home = tmp_path / "home"
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    token = create_token(run, home, config)
    serving = start("serve", "--json", "--home", str(home), "--config", str(config))
    ready = json.loads(serving.line())
    options = ("emulator", "--json", "--bridge", ready["bridge"], "--auth-token", token)
    wrong = start(*options, "--fault", "rain=1")
    _, complaint = wrong.popen.communicate(timeout=ENDS_WITHIN_S)
    assert "'rain=1': write NAME=COUNT with one of " in complaint
    emulator = start(*options, "--netting", "--sessions", "real", "--fault", "lose_result=1")
    emulator.line()
    gateway = ("--url", ready["rpc"].removesuffix("/rpc"), "--auth-token", token)
    account = json.loads(run("call", "get_account_info", *gateway).out)

    assert account["margin_mode"] == "netting"
    assert emulator.end(signal.SIGTERM) == (ENDED, "", "")
    assert serving.end(signal.SIGTERM)[:2] == (ENDED, "")


def test_prices_of_ones_own(start: Start, run: Run, tmp_path: Path) -> None:
    """``--ticks`` takes a symbol with its file; a file that is missing is one line."""
    home = tmp_path / "home"
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    ticks = tmp_path / "january.csv"
    ticks.write_text("time_msc,bid,ask\n1735689600000,1.5,1.5001\n1735689600500,1.5,1.5001\n")
    token = create_token(run, home, config)
    serving = start("serve", "--json", "--home", str(home), "--config", str(config))
    ready = json.loads(serving.line())
    options = ("emulator", "--json", "--bridge", ready["bridge"], "--auth-token", token)
    missing = run(*options, "--ticks", f"EURUSD={tmp_path / 'none.csv'}")
    assert "none.csv: No such file" in missing.complaint
    emulator = start(*options, "--ticks", f"EURUSD={ticks}")
    emulator.line()
    gateway = ("--url", ready["rpc"].removesuffix("/rpc"), "--auth-token", token)
    told = run("tail", "tick:EURUSD", "-n", "1", *gateway).out

    assert "bid=1.5 ask=1.5001" in told
    assert emulator.end(signal.SIGTERM) == (ENDED, "", "")
    assert serving.end(signal.SIGTERM)[:2] == (ENDED, "")


def test_a_broken_config_is_explained(run: Run, tmp_path: Path) -> None:
    """With the section and the setting, on one line each."""
    config = tmp_path / "config.toml"
    config.write_text("[api]\nprot = 1\n")
    process = Process("serve", "--config", str(config), "--home", str(tmp_path))
    out, err = process.popen.communicate(timeout=ENDS_WITHIN_S)
    done = Done(process.popen.returncode, out, err)
    assert "[api] prot" in done.complaint


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("0.5", 0.5), ("max", math.inf)])
def test_speeds(text: str, speed: float) -> None:
    """A factor, or as fast as it goes."""
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "fast", ""])
def test_other_speeds_are_refused(text: str) -> None:
    """A market that stands still would look broken."""
    with pytest.raises(CliError, match="--speed"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:7401", ("127.0.0.1", 7401)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:1", ("localhost", 1)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    """IPv6 stands in brackets."""
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["8.8.8.8:7401", "h:1", "", "7401", ":7401", "h:", "h:0", "h:65536", "h:x", "h:²"]
)
def test_other_addresses_are_refused(text: str) -> None:
    """With an example of a right one."""
    with pytest.raises(CliError, match=r"127\.0\.0\.1"):
        parse_address(text)
