"""``halt`` and ``resume``: the kill switch by hand.

They write the ledger of the home themselves, so they work whether or not a gateway runs there, and
need no token. One that runs looks before it writes the bytes of each order, and meets the halt
with the next one. Nothing is imported that is not needed: who halts is in a hurry.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from ea_bridge.host import wall_ms
from gateway.cli.home import home_in_use, home_option, is_home, known, running
from gateway.cli.output import CliError, shell_word, visible
from gateway.storage.reserve import give_up, is_full

if TYPE_CHECKING:
    from gateway.trading.kill_switch.halts import Halt

BUSY_S = 5.0
"""How long a write waits for the daemon's own."""

HomeOption = Annotated[
    Path | None,
    typer.Option(
        help="Home folder of the gateway; if absent that of MT_GATEWAY_URL, else serve's default "
        "home, else a running demo's."
    ),
]
Which = Annotated[
    str | None, typer.Argument(metavar="[TERMINAL]", help="Its name; all terminals if absent.")
]

T = TypeVar("T")


def halt(
    terminal: Which = None,
    *,
    reason: Annotated[
        str, typer.Option(help="For the people who meet the halt; up to 200 characters.")
    ] = "",
    freeze: Annotated[
        bool,
        typer.Option(
            "--freeze", help="Refuse closing, cancelling and tightening of stops as well."
        ),
    ] = False,
    home: HomeOption = None,
) -> None:
    """Stop new orders at once, until `resume`; closing and cancelling go on.

    Exit code 1: no gateway runs there, so nothing was stopped yet. What was stopped is told.
    """
    from gateway.trading.kill_switch import halts

    if len(reason) > halts.MAX_REASON or not reason.isprintable():
        raise CliError(f"--reason: give at most {halts.MAX_REASON} printable characters", 2)

    def work(connection: sqlite3.Connection) -> Halt:
        _check_name(connection, terminal)
        asked = halts.Halt(
            terminal=terminal or halts.EVERYWHERE,
            armed_by="cli",
            since_ms=wall_ms(),
            reason=reason,
            reductions=not freeze,
            by_admin=True,
        )
        _note(connection, "halt", asked)
        return halts.arm(connection, asked)

    place = home or home_in_use()
    in_force = _write(place, work)
    still = "closing and cancelling go on" if in_force.reductions else "nothing is sent at all"
    undo = f"mt-gateway resume{_of(in_force)}{home_option(place)}"
    sys.stdout.write(
        f"{_name(in_force)}: halted{_said(in_force)}; {still}. Undo: {undo}\n{_where(place)}\n"
    )
    # an error, though the halt stands: who is in a hurry must know that orders go on elsewhere
    if running(place) is None:
        raise CliError(_nothing_stopped(place))


def resume(
    terminal: Which = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Lift every halt there is.")] = False,
    home: HomeOption = None,
) -> None:
    """Lift a halt: that of a terminal, or without a name that of all.

    A halt of one terminal alone stays, unless you name the terminal or give --all.
    """
    from gateway.trading.kill_switch import halts

    if everything and terminal is not None:
        raise CliError("give a terminal or --all, not both", 2)

    def work(connection: sqlite3.Connection) -> tuple[list[Halt], list[Halt]]:
        _check_name(connection, terminal)
        there = halts.find_all(connection)
        names = (
            [found.terminal for found in there] if everything else [terminal or halts.EVERYWHERE]
        )
        lifted = [halts.lift(connection, name, by_admin=True) for name in names]
        gone = [found for found in lifted if found]
        for found in gone:
            _note(connection, "resume", replace(found, armed_by="cli"))
        return gone, halts.find_all(connection)

    place = home or home_in_use()
    lifted, left = _write(place, work)
    lines = [f"{_name(halted)}: trading goes on" for halted in lifted] or [
        "nothing was halted there"
    ]
    lines += [
        f"{_name(halted)}: still halted by {halted.armed_by}{_said(halted)}; "
        f"lift it with mt-gateway resume{_of(halted)}{home_option(place)}"
        for halted in left
    ]
    sys.stdout.write("\n".join([*lines, _where(place)]) + "\n")


def _where(place: Path) -> str:
    """Return which gateway it is, so that nobody takes another one for it."""
    return f"gateway: {running(place) or 'none that runs'}, home {place}"


def _nothing_stopped(place: Path) -> str:
    """Return that an order may go all the same: through another gateway than the one meant."""
    told = (
        f"nothing that runs was stopped: no gateway runs in {place}; one that starts there is "
        "halted"
    )
    for home, found in known():
        told += f". {found} runs in {home}: mt-gateway halt --home {shell_word(str(home))}"
    return told


def _write(home: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Do some work in one transaction of the ledger; return once it is on the disk.

    Raises:
        CliError: the ledger cannot be written; the message says what stops trading all the same.

    """
    import gateway.audit  # noqa: F401  # now: the daemon waits while the ledger is locked

    try:
        return _once(home, work)
    except (OSError, sqlite3.Error) as error:
        # where the disk is full the home has kept some room for this
        complaint = CliError(
            f"{home}: the ledger cannot be written ({error}). To stop trading now, turn off "
            "AutoTrading (Algo Trading) in MetaTrader, or stop the gateway"
        )
        if not (is_full(error, home) and give_up(home)):
            raise complaint from error
    try:
        return _once(home, work)
    except (OSError, sqlite3.Error) as error:
        raise complaint from error


def _once(home: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    with _ledger(home) as connection:
        # waits for a group of the daemon's: its commits take milliseconds
        connection.execute("BEGIN IMMEDIATE")
        with connection:
            return work(connection)


@contextmanager
def _ledger(home: Path) -> Iterator[sqlite3.Connection]:
    """Open the ledger as it is; make it where no gateway has run yet."""
    from gateway.storage.store import LEDGER

    path = home / LEDGER
    if not is_home(home):
        raise CliError(f"{home} is no home of a gateway: give its --home")
    if path.is_symlink():  # but another user's home is halted, too: by root, in a hurry
        raise CliError(f"{path} is a symbolic link, which is not followed; give its --home")
    # sqlite would make an empty one, with the rights of the umask
    if not path.exists():
        _make(home)
    with closing(_connect(path)) as connection:
        is_ours = _has(connection, "halts") and _has(connection, "audit")
    # of an older version: no gateway of this one has run yet. Not beside a connection of ours: it
    # would lose its locks when the store is closed
    if not is_ours:
        _make(home)
    with closing(_connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        # a halt outlives a power cut
        connection.execute("PRAGMA synchronous=FULL")
        yield connection


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)


def _make(home: Path) -> None:
    from gateway.home.ledger import open_ledger_store
    from gateway.storage.store import StoreError

    try:
        open_ledger_store(home).close()
    except StoreError as error:
        raise CliError(str(error)) from error


def _check_name(connection: sqlite3.Connection, terminal: str | None) -> None:
    """See that a terminal of that name was ever here: a typing error must not halt nothing."""
    if terminal is None or not _has(connection, "terminal_accounts"):
        return
    rows = connection.execute("SELECT terminal FROM terminal_accounts ORDER BY terminal")
    known = [row["terminal"] for row in rows]
    # where none was yet any name may come; else it must be one of theirs
    if known and terminal not in known:
        raise CliError(f"there is no terminal {terminal}; there are: {', '.join(known)}", 2)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return found is not None


def _note(connection: sqlite3.Connection, kind: Literal["halt", "resume"], halt: Halt) -> None:
    from gateway.audit import note
    from gateway.trading.kill_switch import halts

    note(connection, "kill_switch", **halts.noted(kind, halt))


def _name(halt: Halt) -> str:
    return halt.terminal or "all terminals"


def _said(halt: Halt) -> str:
    return f" ({visible(halt.reason)})" if halt.reason else ""


def _of(halt: Halt) -> str:
    return f" {halt.terminal}" if halt.terminal else ""
