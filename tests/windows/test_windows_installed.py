"""What the installer leaves behind on a Windows of Wine: run with ``--windows``.

The tests go from the installation to the uninstallation, and share one Windows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from windows_installer import build
from windows_manifests import COMMANDS, IN_USE
from wine import Wine
from wine_environment import environment

pytestmark = [
    pytest.mark.windows,
    pytest.mark.timeout(1200),
    pytest.mark.xdist_group("wine"),
]
KEY = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\mt-gateway"
BEFORE = r"%USERPROFILE%\tools;" + ";".join([r"C:\long"] * 300)
"""The user's ``Path`` before the installation: longer than NSIS could read."""
READY_S = 120


@pytest.fixture(scope="module")
def installer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installer, built of this checkout."""
    python = environment().archive.read_bytes()
    address = "https://example.invalid"
    out = tmp_path_factory.mktemp("installer")
    return build(out, release=address, homepage=address, python=python)


@pytest.fixture(scope="module")
def wine(installer: Path) -> Iterator[Wine]:
    """A Windows where it was run."""
    with environment().wine() as wine:
        words = ("add", r"HKCU\Environment", "/v", "Path", "/t", "REG_EXPAND_SZ", "/d", BEFORE)
        assert wine.run("reg", *words, "/f").returncode == 0
        done = wine.run(str(installer), "/S")
        assert done.returncode == 0, done.complained
        yield wine


def installed(wine: Wine) -> Path:
    """Return where the installer puts everything."""
    return wine.user / "AppData" / "Local" / "Programs" / "mt-gateway"


def menu(wine: Wine) -> set[str]:
    """Return the names in the Start menu."""
    roaming = wine.user / "AppData" / "Roaming"
    return {path.stem for path in roaming.rglob("mt-gateway/*.lnk")}


def path_of(wine: Wine) -> str:
    """Return the user's ``Path`` as the registry has it, its type in front."""
    said = wine.run("reg", "query", r"HKCU\Environment", "/v", "Path").said
    return said[said.index("REG_") :].strip()


def tasks(wine: Wine) -> list[Path]:
    """Return what the Task Scheduler keeps."""
    return list((wine.drive / "windows" / "system32").glob("tasks/*"))


def gateway(wine: Wine) -> str:
    """Return the command that a person types."""
    return str(installed(wine) / "bin" / "mt-gateway.exe")


@contextmanager
def demo(wine: Wine) -> Iterator[dict[str, str]]:
    """Run a demo in the default home until the block is left; yields its ready line."""
    ports = ("--port", "0", "--bridge-port", "0", "--console-port", "0")
    process = wine.start(gateway(wine), "demo", "--json", *ports)
    # not to wait for ever for a line: Wine's processes outlive the one that is waited for here
    guard = threading.Timer(READY_S, wine.end)
    guard.start()
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        assert line, process.stderr.read()
        guard.cancel()
        yield json.loads(line)
    finally:
        guard.cancel()
        wine.end()
        process.communicate()


def test_it_is_on_the_path_and_in_the_menu(wine: Wine) -> None:
    """And what stood in the Path before stands there still."""
    bin_folder = rf"C:\users\{wine.user.name}\AppData\Local\Programs\mt-gateway\bin"
    kind, _, path = path_of(wine).partition(" ")
    assert kind == "REG_EXPAND_SZ"
    assert path.strip() == f"{BEFORE};{bin_folder}"
    assert menu(wine) == set(COMMANDS)
    assert [each.name for each in (installed(wine) / "bin").iterdir()] == ["mt-gateway.exe"]
    assert "REG_SZ    mt-gateway" in wine.run("reg", "query", KEY).said


def test_the_program_runs(wine: Wine) -> None:
    """From a folder of its user's, whose files are not taken for the product."""
    (wine.user / "gateway.py").write_text("raise SystemExit('a stranger')\n")
    done = wine.run(gateway(wine), "--version", cwd=wine.user)
    assert (done.returncode, done.complained) == (0, "")
    assert done.said.startswith("mt-gateway ")


def test_the_task_scheduler_takes_the_service(wine: Wine) -> None:
    """Wine's, which reads a task and writes down what it has understood of it: its settings."""
    done = wine.run(gateway(wine), "service", "install")
    assert done.returncode == 0, done.complained
    [task] = tasks(wine)
    assert task.name == "mt-gateway"
    understood = task.read_text("utf-8-sig")
    assert "created by Wine" in understood
    assert "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>" in understood
    assert "<MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>" in understood

    assert wine.run(gateway(wine), "service", "remove").returncode == 0
    assert tasks(wine) == []


def test_a_demo_trades_and_is_well(wine: Wine, installer: Path) -> None:
    """One order by the program, read back by it; meanwhile nobody replaces or removes it."""
    with demo(wine) as ready:
        told = {
            "MT_GATEWAY_URL": ready["rpc"].removesuffix("/rpc"),
            "MT_GATEWAY_TOKEN": ready["auth_token"],
        }
        order = ("symbol=EURUSD", "side=buy", "type=market", "volume=0.1")
        placed = wine.run(
            gateway(wine), "call", "place_order", *order, "client_order_id=w-1", env=told
        )
        assert placed.returncode == 0, placed.complained
        receipt = json.loads(placed.said)
        shown = wine.run(gateway(wine), "call", "get_positions", env=told)
        tickets = [one["ticket"] for one in json.loads(shown.said)]
        assert receipt["order"]["position"] in tickets

        checked = wine.run(gateway(wine), "doctor", "--home", ready["home"], env=told)
        # Wine tells that everybody may look into its folders: a warning
        assert "problem" not in checked.said.splitlines()[-1], checked.said
        assert checked.returncode == 0

        assert wine.run(str(installer), "/S").returncode == IN_USE
        wine.run(str(installed(wine) / "uninstall.exe"), "/S", "_?=C:\\nowhere")
        assert wine.run(gateway(wine), "--version").returncode == 0
    assert (wine.user / "AppData" / "Local" / "mt-gateway" / "demo").is_dir()


def test_uninstalling_keeps_the_home(wine: Wine, installer: Path) -> None:
    """A second installation replaces the first; then nothing is left but what is the user's."""
    stale = installed(wine) / "site" / "gateway" / "stale.py"
    stale.write_text("")
    assert wine.run(str(installer), "/S").returncode == 0
    assert not stale.exists()

    assert wine.run(str(installed(wine) / "uninstall.exe"), "/S").returncode == 0
    wine.wait()
    assert not installed(wine).exists()
    assert menu(wine) == set()
    assert wine.run("reg", "query", KEY).returncode != 0
    kind, _, path = path_of(wine).partition(" ")
    assert (kind, path.strip()) == ("REG_EXPAND_SZ", BEFORE)
    assert (wine.user / "AppData" / "Local" / "mt-gateway" / "demo").is_dir()
