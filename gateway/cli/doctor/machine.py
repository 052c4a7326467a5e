"""The machine: Python, packages, loopback addresses, clock."""

from __future__ import annotations

import platform
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ea_bridge.loopback import bind_address
from gateway.cli.doctor.finding import Finding, ok, problem, skipped

DISTRIBUTION = "mt-gateway"
FIRST_YEAR = 2025
"""A clock before that is wrong: this program did not exist."""
CONNECT_S = 2.0
ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))

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
    needed = [one for one in map(Requirement, requirements) if _is_for_us(one)]
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


def _needed_python() -> str:
    try:
        return str(metadata.metadata(DISTRIBUTION).json.get("requires_python", ""))
    except metadata.PackageNotFoundError:
        return ""


def _is_for_us(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def _unfit(needed: Iterable[Requirement]) -> Iterator[str]:
    for one in needed:
        try:
            version = metadata.version(one.name)
        except metadata.PackageNotFoundError:
            yield f"{one.name} is missing"
            continue
        if not one.specifier.contains(version, prereleases=True):
            yield f"{one.name} is {version}, {one.specifier} is needed"


def _connects(family: socket.AddressFamily, host: str) -> bool:
    try:
        with bind_address(family, host, 0) as listener:
            listener.listen(1)
            with socket.create_connection((host, listener.getsockname()[1]), CONNECT_S):
                return True
    except OSError:
        return False
