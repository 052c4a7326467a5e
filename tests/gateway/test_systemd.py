"""What systemd is told of a gateway that it runs, over the socket that it names."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_process import running_serve

from gateway.systemd import notify, told, watchdog_s

if sys.platform == "win32":
    pytest.skip("systemd is of Linux", allow_module_level=True)


@pytest.fixture(name="manager")
def listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The socket of a manager, which the environment names."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
            monkeypatch.delenv(name, raising=False)
        yield listening


def heard(manager: socket.socket) -> str:
    return manager.recv(4096).decode()


def test_a_gateway_says_when_it_serves_and_stops(
    manager: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And in between that its loop turns."""
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    with running_serve(tmp_path) as ready:
        assert heard(manager) == f"READY=1\nSTATUS=serves {ready['rpc']} and {ready['bridge']}"
        assert [heard(manager) for _ in range(3)] == ["WATCHDOG=1"] * 3
    messages = [heard(manager)]
    while messages[-1] != "STOPPING=1":
        messages.append(heard(manager))


async def test_without_a_watchdog_it_is_not_patted(manager: socket.socket) -> None:
    async with told("here"):
        pass
    assert [heard(manager), heard(manager)] == ["READY=1\nSTATUS=here", "STOPPING=1"]


@pytest.mark.parametrize(
    ("wanted", "pid", "every_s"),
    [
        ("30000000", "", 15.0),
        ("30000000", "ours", 15.0),
        ("30000000", "1", None),
        ("0", "", None),
        ("soon", "", None),
        ("", "", None),
    ],
)
def test_the_watchdog_of_this_process(
    monkeypatch: pytest.MonkeyPatch, wanted: str, pid: str, every_s: float | None
) -> None:
    """Half of what it waits for; nothing where it waits for another one."""
    monkeypatch.setenv("WATCHDOG_USEC", wanted)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "ours" else pid)
    assert watchdog_s() == every_s


@pytest.mark.skipif(sys.platform != "linux", reason="abstract names are of Linux")
def test_a_socket_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        name = f"mt-gateway-test-{os.getpid()}"
        listening.bind(f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notify("READY=1")
        assert listening.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nowhere/at/all"])
def test_where_nobody_listens_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A gateway is not stopped by it."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
