"""``service``: what is written for each system, what is run, and nothing else.

The verifiers are the systems' own where this machine has them. Nothing is asked of a manager that
runs: the commands of the system are programs of the test, which note what they were given.
"""

from __future__ import annotations

import plistlib
import stat
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest
from external_programs import needed
from shell import Done

from gateway.cli import run as run_commands
from gateway.cli.output import CliError
from gateway.cli.service import plan_for

Run = Callable[..., Done]
NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
SYSTEMS = ("linux", "darwin", "win32")
EXPOSURE = 65
"""Tenths of what `systemd-analyze security` finds; most of the rest needs another user than root,
as whom a user's unit never runs."""
ODD_NAMES = ("plain", "two words", "100% of $HOME", 'quote"d & <b>', "back\\slash", "größe")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything that a user has lie in the test's folder."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        folder = tmp_path / name.lower()
        folder.mkdir(mode=0o700)
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("USERNAME", "trader & son")
    monkeypatch.delenv("USERDOMAIN", raising=False)


@pytest.fixture(name="called")
def fake_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that note their arguments; returns the file of notes."""
    programs, notes = tmp_path / "programs", tmp_path / "notes"
    programs.mkdir()
    for name in ("systemctl", "journalctl", "launchctl", "schtasks"):
        program = programs / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> "{notes}"\nexit ${{CODE:-0}}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return notes


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is of Linux")
@pytest.mark.parametrize("name", ODD_NAMES)
def test_systemd_takes_the_unit(tmp_path: Path, name: str) -> None:
    """Its verifier says nothing, and reads the words of the command back as they were meant."""
    plan = plan_for("linux", tmp_path / name, None)
    unit = tmp_path / "mt-gateway.service"
    unit.write_bytes(plan.content)
    verified = subprocess.run(
        (needed("systemd-analyze"), "--user", "verify", str(unit)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is of Linux")
def test_the_unit_is_hardened(tmp_path: Path) -> None:
    """As far as a user's manager can without namespaces of its own."""
    unit = tmp_path / "mt-gateway.service"
    unit.write_bytes(plan_for("linux", tmp_path, None).content)
    command = (needed("systemd-analyze"), "--user", "security", "--no-pager", "--offline=yes")
    judged = subprocess.run(
        (*command, f"--threshold={EXPOSURE}", str(unit)),
        capture_output=True,
        text=True,
        check=False,
    )
    if "unrecognized option" in judged.stderr:
        pytest.skip("this systemd judges no files")
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_words_of_a_unit(tmp_path: Path) -> None:
    """Specifiers and variables of systemd are taken for what they are: text."""
    text = plan_for("linux", tmp_path / "100% of $HOME", tmp_path / 'a "b".toml').text
    line = next(line for line in text.splitlines() if line.startswith("ExecStart="))
    assert line.endswith(
        f'"-P" "-m" "gateway" "serve" "--home" "{tmp_path}/100%% of $$HOME" '
        f'"--config" "{tmp_path}/a \\"b\\".toml"'
    )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_agent_of_launchd(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    agent = plistlib.loads(plan_for("darwin", home, None).content)
    words = [sys.executable, "-P", "-m", "gateway", "serve", "--home", str(home)]
    assert agent["ProgramArguments"] == [*words, "--log", str(home / "serve.log")]
    assert agent["KeepAlive"] == {"SuccessfulExit": False}
    assert agent["Umask"] == 0o077


@pytest.mark.parametrize("name", ODD_NAMES)
def test_the_task_of_windows(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """UTF-16 as the Task Scheduler writes it; no console window; the user's own rights."""
    monkeypatch.setattr(sys, "executable", "C:\\Programs & more\\python.exe")
    home = tmp_path / name
    content = plan_for("win32", home, None).content
    assert content.startswith(b"\xff\xfe<\x00?\x00")
    task = ElementTree.fromstring(content)  # noqa: S314 (we wrote it)
    found = {
        element.tag.removeprefix(NAMESPACE): element.text
        for element in task.iter()
        if element.text is not None
    }
    words = ["-P", "-m", "gateway", "serve", "--home", str(home)]
    words += ["--log", str(home / "serve.log")]
    assert found["Command"] == "C:\\Programs & more\\pythonw.exe"
    assert found["Arguments"] == subprocess.list2cmdline(words)
    assert found["UserId"] == "trader & son"
    assert found["RunLevel"] == "LeastPrivilege"
    assert found["ExecutionTimeLimit"] == "PT0S", "a task ends after three days without it"


@pytest.mark.parametrize("system", SYSTEMS)
def test_what_would_begin_a_line_of_its_own_is_refused(tmp_path: Path, system: str) -> None:
    """A home's name must not add a line to a unit."""
    with pytest.raises(CliError, match="a character that such a file cannot hold"):
        plan_for(system, tmp_path / "a\nExecStartPre=/bin/rm", None)


@pytest.mark.skipif(sys.platform != "linux", reason="the programs of the test are of Linux")
@pytest.mark.parametrize("verb", ["install", "remove", "status", "logs"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_dry_run_changes_nothing(
    run: Run, tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch, system: str, verb: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    before = sorted(tmp_path.rglob("*"))
    done = run("service", verb, "--dry-run", "--home", str(tmp_path / "home"))
    assert (done.code, done.err) == (0, "")
    assert done.out
    assert (sorted(tmp_path.rglob("*")), called.exists()) == (before, False)


@pytest.mark.skipif(sys.platform != "linux", reason="the programs of the test are of Linux")
def test_its_life_under_systemd(run: Run, tmp_path: Path, called: Path) -> None:
    """Installed, looked at, removed; the home stays."""
    home = tmp_path / "home"
    unit = tmp_path / "xdg_config_home" / "systemd" / "user" / "mt-gateway.service"
    assert run("service", "remove", "--home", str(home)).complaint == (
        f"no service is installed: there is no {unit}"
    )
    assert run("service", "install", "--home", str(home)).out.startswith(f"installed: {unit}\n")
    assert f'"--home" "{home}"' in unit.read_text()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert run("service", "status").code == 0
    assert run("service", "logs").code == 0
    assert run("service", "remove", "--home", str(home)).out == (
        f"removed: {unit}; the home stays: {home}\n"
    )
    assert not unit.exists()
    assert home.is_dir()
    assert called.read_text().splitlines() == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now mt-gateway.service",
        "systemctl --user status --no-pager mt-gateway.service",
        "journalctl --user --no-pager -n 100 -u mt-gateway.service",
        "systemctl --user disable --now mt-gateway.service",
        "systemctl --user daemon-reload",
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="the programs of the test are of Linux")
def test_what_the_system_refuses_is_told(
    run: Run, tmp_path: Path, called: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed command and a missing one are no success; the status is passed on."""
    monkeypatch.setenv("CODE", "3")
    assert run("service", "install", "--home", str(tmp_path / "home")).complaint == (
        "systemctl --user daemon-reload failed with exit code 3: see above"
    )
    assert run("service", "status").code == 3
    monkeypatch.setenv("PATH", str(tmp_path / "home"))
    assert run("service", "install", "--home", str(tmp_path / "home")).complaint == (
        "there is no systemctl on this machine; --dry-run shows what to do by hand"
    )


def test_the_log_of_a_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner's alone, appended to, and bounded."""
    log = tmp_path / "home" / "serve.log"
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    monkeypatch.setattr(run_commands, "MAX_LOG_BYTES", 10)
    for line in ("first", "second, and long", "third"):
        run_commands.write_to(log)
        with sys.stdout:
            sys.stdout.write(f"{line}\n")
    assert log.read_text() == "third\n"
    assert log.with_name("serve.log.1").read_text() == "first\nsecond, and long\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    with pytest.raises(CliError, match="--log"):
        run_commands.write_to(log / "below")
