"""Console that a home takes its tokens from, noted so that it cannot be left out later.

A gateway that has a console takes its tokens from there, and those that the home made itself open
nothing. Who forgets to name the file with ``[console]`` must not turn that around: tokens would
link and trade that nobody can revoke. So the home notes its console, and every command asks
:func:`console_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gateway.auth.console_snapshot import ConsoleSource
from gateway.config import LinkedConsole, home_file
from gateway.storage.store import Store

TABLE = """
-- where the gateway of this home takes its tokens from since its first start with a console
CREATE TABLE home_console (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    url TEXT NOT NULL,
    made_by TEXT NOT NULL CHECK (made_by IN ('serve', 'demo'))
) STRICT;
"""

MadeBy = Literal["serve", "demo"]
"""The command whose gateway has the console; that of ``demo`` runs with it."""


@dataclass(frozen=True, slots=True)
class HomeConsole:
    """Console that a home takes its tokens from."""

    url: str = ""
    """Empty if an older version has met it, which noted its root key alone."""
    made_by: MadeBy | None = None
    """``None`` as well."""

    @property
    def at(self) -> str:
        """Words for its place, behind a noun; empty if nobody has noted it."""
        return f" at {self.url}" if self.url else ""


class WrongHome(Exception):
    """A gateway cannot run in a home as it is configured; the message says what to do."""


def unnamed(noted: HomeConsole, folder: Path) -> str:
    """Return what is wrong where no configuration names the console of a home, and what to do."""
    return (
        f"the gateway in {folder} takes its tokens from a console{noted.at}, and no [console] url "
        f"is set: name its file with --config, or keep it as {home_file(folder)} (a gateway "
        "without a console needs another --home)"
    )


def note_console(store: Store, url: str, made_by: MadeBy) -> None:
    """Note the console of a home, in place of the one that was noted before."""
    with store.transaction() as db:
        db.execute("REPLACE INTO home_console VALUES (1, ?, ?)", (url, made_by))


def noted_console(store: Store) -> HomeConsole | None:
    """Return the console that a home has noted, whatever a configuration says."""
    row = store.one("SELECT url, made_by FROM home_console")
    if row is not None:
        return HomeConsole(row["url"], row["made_by"])
    # an older version pinned a root key and noted no url: it had a console all the same
    return HomeConsole() if ConsoleSource(store).root_text else None


def console_of(store: Store, settings: LinkedConsole) -> HomeConsole | None:
    """Return the console from which a home takes its tokens; ``None`` if it makes its own.

    Args:
        store: of the home.
        settings: as they are configured; a url that stands there is the newest word.

    """
    return HomeConsole(settings.url) if settings.url else noted_console(store)
