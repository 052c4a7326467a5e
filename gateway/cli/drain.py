"""``drain``: the end of a gateway between two orders, before an update or a restart.

The command asks by a file in the home (:mod:`gateway.home.drain_file`) and waits. When it has
waited long enough, or is interrupted, it takes the request back, and the gateway goes on.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from ea_bridge.host import wall_ms
from gateway.cli.halt import HomeOption
from gateway.cli.home import home_in_use, is_locked, running
from gateway.cli.output import CliError
from gateway.home import drain_file

POLL_S = 0.05
END_S = 30.0
"""For the end of a gateway that has closed its door: one that hangs is cut long before."""
SLACK_MS = 5_000
"""How much longer the gateway drains if this command is killed: it takes the request back itself
before that."""


def drain(
    *,
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS",
            min=0,
            max=86_400,
            help="How long to wait for the orders that are under way; then the gateway goes on.",
        ),
    ] = 60.0,
    home: HomeOption = None,
) -> None:
    """Stop the gateway once no order is under way. Exit code 1: it goes on, and why.

    New orders are refused at once, with error -32007 `shutting_down`: they were not sent, and may
    be sent again, unchanged, to the gateway that is started next. Closing and cancelling go on
    until the end. What is armed or held stays on the disk, as with any other end.
    """
    place = home or home_in_use()
    found = running(place)
    if found is None:
        raise CliError(f"no gateway runs in {place}: there is nothing to drain")
    _check_owner(place)
    until_ms = wall_ms() + round(timeout * 1000) + SLACK_MS
    try:
        drain_file.ask(place, drain_file.DrainRequest(found.pid, until_ms))
    except OSError as error:
        raise CliError(f"{place}: the request to drain cannot be written ({error})") from error
    try:
        _wait(lambda: not (drain_file.is_there(place) and is_locked(place)), timeout)
    finally:
        # also after Ctrl+C: only who takes the request decides, so nobody is told wrong
        is_back = _take_back(place)
    if is_back and not is_locked(place):
        raise CliError(f"{found} has ended meanwhile, but not by this command: see its log")
    if is_back:
        raise CliError(
            f"after {timeout:g} s an order is under way still: the gateway was not stopped, and "
            "takes orders again. Its log says how many; give a longer --timeout"
        )
    if not _wait(lambda: not is_locked(place), END_S):
        raise CliError(
            f"no order is under way and none is taken, but process {found.pid} has not ended: "
            "see its log"
        )
    sys.stdout.write(f"drained: no order was under way, and {found} has stopped; home {place}\n")


def _check_owner(place: Path) -> None:
    # the gateway could not read what another user, root as well, writes for its owner alone
    if sys.platform != "win32" and place.stat().st_uid != os.geteuid():
        raise CliError(f"{place} belongs to another user: drain as the one who runs the gateway")


def _wait(is_over: Callable[[], bool], within_s: float) -> bool:
    """Wait until something is over; return whether it is."""
    end = time.monotonic() + within_s
    while not is_over():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_S)
    return True


def _take_back(place: Path) -> bool:
    """Take the request back; return whether the gateway had not taken it."""
    is_back = False

    def is_settled() -> bool:
        nonlocal is_back
        is_back = drain_file.take(place)
        return is_back or not drain_file.is_there(place)

    # at once, but on Windows: there the file cannot be taken while the gateway reads it
    _wait(is_settled, 1.0)
    return is_back
