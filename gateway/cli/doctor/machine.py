"""The machine: Python, packages, addresses, clock, Wine, and who holds the ports."""

from __future__ import annotations

import errno
import os
import platform
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ea_bridge.sockets import bind_address
from gateway.cli.doctor.finding import Finding, ok, problem, skipped, warning
from gateway.cli.wine import too_old, wine_version

DISTRIBUTION = "mt-gateway"
FIRST_YEAR = 2025
"""A clock before that is wrong: this program did not exist."""
CONNECT_S = 2.0
ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

_PROC = Path("/proc")
# as the kernel writes them: states and ports in hexadecimal, addresses in the byte order
# of the machine, which is little-endian wherever MetaTrader runs
_LISTENING = "0A"
_ANY4, _LOOPBACK4 = "0" * 8, "0100007F"
_ANY6, _LOOPBACK6 = "0" * 32, "0" * 24 + "01000000"
_HOLDERS = {
    socket.AF_INET: (("tcp", (_LOOPBACK4, _ANY4)), ("tcp6", (_ANY6,))),
    socket.AF_INET6: (("tcp6", (_LOOPBACK6, _ANY6)),),
}
"""In which table of /proc/net, under which addresses, the holder of a loopback port stands."""
_UPGRADE = "run: python -m pip install --upgrade mt-gateway"


def python(version: str | None = None, needed: str | None = None) -> Finding:
    """Python itself, against what the package asks for."""
    version = version or platform.python_version()
    needed = needed or _needed_python()
    found = f"Python {version} on {platform.system()}"
    if SpecifierSet(needed).contains(version, prereleases=True):
        return ok("python", found)
    return problem("python", f"{found}; {needed} is needed", "install a newer Python")


def packages(requirements: Iterable[str] | None = None) -> Finding:
    """The versions of what we stand on, against what is declared."""
    if requirements is None:
        try:
            requirements = metadata.requires(DISTRIBUTION) or ()
        except metadata.PackageNotFoundError:
            return skipped("packages", "runs from its sources, not installed")
    needed = [
        requirement for requirement in map(Requirement, requirements) if _is_for_us(requirement)
    ]
    unfit = list(_unfit(needed))
    if unfit:
        return problem("packages", ", ".join(unfit), _UPGRADE)
    return ok("packages", f"{len(needed)} packages fit")


def loopback(addresses: Iterable[tuple[socket.AddressFamily, str]] = ADDRESSES) -> Finding:
    """The addresses that everything of ours listens on: a connection to each."""
    usable = [host for family, host in addresses if _connects(family, host)]
    if "127.0.0.1" not in usable:
        return problem(
            "loopback",
            "no connection to 127.0.0.1",
            "let the firewall allow connections from this machine to itself",
        )
    return ok("loopback", " and ".join(usable) + ("" if len(usable) > 1 else "; no IPv6 here"))


def system_clock(now_s: Callable[[], float] = time.time) -> Finding:
    """The machine's clock: tokens expire by it."""
    now = time.gmtime(now_s())
    found = time.strftime("%Y-%m-%d %H:%M:%S UTC", now)
    if now.tm_year >= FIRST_YEAR:
        return ok("system_clock", found)
    return problem("system_clock", found, "set the clock, and have the network keep it right")


def wine(version: str | None = None) -> Finding:
    """The Wine that runs MetaTrader where this is no Windows, against what MetaTrader supports."""
    version = version or wine_version()
    if version is None:
        return skipped("wine", "there is none on this machine")
    complaint = too_old(version)
    if complaint is None:
        return ok("wine", f"Wine {version}")
    return warning("wine", complaint, "install a newer one before MetaTrader trades in it")


def _needed_python() -> str:
    try:
        return str(metadata.metadata(DISTRIBUTION).json.get("requires_python", ""))
    except metadata.PackageNotFoundError:
        return ""


def _is_for_us(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _unfit(needed: Iterable[Requirement]) -> Iterator[str]:
    for requirement in needed:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            yield f"{requirement.name} is missing"
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            yield f"{requirement.name} is {version}, {requirement.specifier} is needed"


def _connects(family: socket.AddressFamily, host: str) -> bool:
    try:
        with bind_address(family, host, 0) as listener:
            listener.listen(1)
            with socket.create_connection((host, listener.getsockname()[1]), CONNECT_S):
                return True
    except OSError:
        return False


# --- holders of the ports ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Process:
    """A process that listens."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid})"


@dataclass(frozen=True, slots=True)
class Port:
    """A port that the gateway has, or wants to have."""

    name: str
    """Of the check."""
    section: str
    """Of the configuration, where it can be changed."""
    number: int


def examine_port(port: Port, gateway_pid: int | None) -> Finding:
    """See who holds a port.

    Args:
        port: of the running gateway, or of the configuration.
        gateway_pid: the process that should hold it; ``None`` if it should be free.

    """
    if port.number == 0:
        return skipped(port.name, "a free one is taken at each start")
    states = {host: _state(family, host, port.number) for family, host in ADDRESSES}
    taken = {host: holder for host, (is_taken, holder) in states.items() if is_taken}
    for host, holder in taken.items():
        if gateway_pid is None or (holder is not None and holder.pid != gateway_pid):
            return _squatted(port, host, holder, runs=gateway_pid is not None)
    if gateway_pid is None:
        return ok(port.name, f"{port.number} is free")
    if len(taken) < len([host for host, state in states.items() if state[0] is not None]):
        missing = ", ".join(host for host in states if host not in taken)
        return warning(port.name, f"{port.number} is not held on {missing}", "restart the gateway")
    return ok(port.name, f"{port.number} is the gateway's (process {gateway_pid})")


def _squatted(port: Port, host: str, holder: Process | None, *, runs: bool) -> Finding:
    shown = f"[{host}]" if ":" in host else host
    end = f"end {holder}" if holder else f"find the program with {_finder(port.number)}, end it"
    again = ", then restart the gateway" if runs else ""
    return problem(
        port.name,
        f"{shown}:{port.number} is taken by {holder or 'another program'}",
        f"{end}{again}; or set port under [{port.section}] in config.toml",
    )


def _finder(port: int) -> str:
    if sys.platform == "win32":
        return f"netstat -ano | findstr :{port}"
    return f"lsof -nP -iTCP:{port}" if sys.platform == "darwin" else f"ss -ltnp sport = :{port}"


def _state(
    family: socket.AddressFamily, host: str, number: int
) -> tuple[bool | None, Process | None]:
    """Return whether an address is taken, ``None`` if the machine lacks it, and by whom."""
    # to bind is the only look at a port that all systems agree on
    try:
        bind_address(family, host, number).close()
    except PermissionError:
        return True, holder(family, number)  # Windows says so of exclusive ports
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            return None, None
        return True, holder(family, number)
    return False, None


def holder(family: socket.AddressFamily, number: int) -> Process | None:
    """Return the process that listens on a loopback port, where the system tells: on Linux, of
    processes that are ours to look into."""
    # Wine shows its programs the /proc of Linux, whose process ids are not theirs
    if sys.platform == "win32":
        return None
    wanted = {f"socket:[{inode}]" for inode in _inodes(family, number)}
    if not wanted:
        return None
    # /proc/net names the socket alone; whose it is only the links in fd tell
    for process in _PROC.glob("[0-9]*"):
        if any(link in wanted for link in _open_files(process)):
            return Process(int(process.name), _name(process))
    return None


def _inodes(family: socket.AddressFamily, number: int) -> Iterator[str]:
    for table, addresses in _HOLDERS[family]:
        for fields in map(str.split, _lines(_PROC / "net" / table)):
            address, _, port = fields[1].partition(":")
            if address in addresses and port == f"{number:04X}" and fields[3] == _LISTENING:
                yield fields[9]


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii").splitlines()[1:]
    except OSError:
        return []


def _open_files(process: Path) -> Iterator[str]:
    try:
        files = os.listdir(process / "fd")
    except OSError:
        return  # it has ended, or is another user's
    for file in files:
        with suppress(OSError):  # it was closed by now
            yield os.readlink(process / "fd" / file)


def _name(process: Path) -> str:
    try:
        return os.fsdecode((process / "comm").read_bytes()).strip() or "?"
    except OSError:
        return "?"
