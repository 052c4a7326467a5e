"""What the console of a home knows of its audit trail, for ``audit verify``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.cli.complaint import known_failures

if TYPE_CHECKING:
    from gateway.auth.device import DeviceKey
    from gateway.credentials.daemon_api import TrailTold
    from gateway.storage.store import Store


@dataclass(frozen=True, slots=True)
class Testimony:
    """What the console says."""

    url: str
    row: int | None = None
    """The newest that it has been told of; ``None``: of none, or it was not asked."""
    problem: str = ""
    """What does not go together with the trail."""
    not_asked: str = ""
    """Why nobody can tell."""


@dataclass(frozen=True, slots=True)
class _Rows:
    store: Store

    def archived(self) -> int:
        from gateway.audit import begin_of

        return begin_of(self.store).n

    def hash_at(self, n: int) -> bytes | None:
        from gateway.audit import hash_of

        return hash_of(self.store, n)


def testimony(home: Path, config_file: Path | None, trail: Store) -> Testimony | None:
    """Ask the console of a home; ``None`` where there is none.

    Args:
        home: with a database.
        config_file: as with ``serve``.
        trail: the ledger's.

    """
    from gateway.config import load_for
    from gateway.console_link.errors import ConsoleFailure
    from gateway.console_link.witness import contradiction
    from gateway.home.home import Home
    from gateway.home.home_console import console_of

    url = ""
    failures: tuple[type[Exception], ...] = (*known_failures(), ConsoleFailure)
    try:
        settings = load_for(home, config_file)
        url = settings.console.url or _noted(home)
        if not url:
            return None
        with Home(home, settings.secrets) as opened:
            console = console_of(opened.store, settings.console)
            device = opened.device
        url = url if console is None else console.url or url
        told = asyncio.run(_ask(url, device))
    except failures as error:
        return Testimony(url, not_asked=str(error))
    problem = contradiction(told, device, _Rows(trail))
    return Testimony(url, row=_row(told, device), problem=problem)


def _noted(home: Path) -> str:
    """Return the console that a home has noted, without opening its secrets."""
    from contextlib import closing

    from gateway.home.home import MIGRATIONS
    from gateway.home.home_console import noted_console
    from gateway.storage.store import Store

    with closing(Store(home, MIGRATIONS)) as store:
        console = noted_console(store)
    return "" if console is None else console.url


async def _ask(url: str, device: DeviceKey) -> TrailTold:
    from gateway.auth.console_clock import Clocks
    from gateway.console_link.http import ConsoleHttp
    from gateway.console_link.witness import ask

    async with ConsoleHttp(url, device, Clocks()) as http:
        return await ask(http)


def _row(told: TrailTold, device: DeviceKey) -> int | None:
    from gateway.credentials.envelope import EnvelopeError
    from gateway.credentials.keyset import public_key
    from gateway.credentials.trail import open_head

    try:
        return open_head(told.newest, public_key(device.public)).n if told.newest else None
    except EnvelopeError:
        return None
