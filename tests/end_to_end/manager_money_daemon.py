"""The daemon of the manager's money run, killed again and again like that of the exactly-once run
(``exactly_once_daemon.py``), at the points of a booking too::

    begun     its row is on the disk, nothing was sent
    sent      its bytes are on the way
    told      the peer has answered, and nothing of it is written
    settled   what became of it is on the disk, and nobody was told
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import exactly_once_daemon
from exactly_once_daemon import Fuse

from ea_bridge.mt4_manager.session import ManagerSession
from ea_bridge.session.peer import PeerSession
from gateway.config import Config
from gateway.mt4_manager import changes
from gateway.mt4_manager.journal import Entry, ManagerJournal

POINTS = ("begun", "sent", "told", "settled")
SETTLE_S = 1.5
"""Instead of a minute, which no life here lasts: the emulated server shows a booking at once."""

_lay_the_ledgers = exactly_once_daemon._lay


def _lay(fuse: Fuse) -> None:
    _lay_the_ledgers(fuse)
    begin, settle, request = ManagerJournal.begin, ManagerJournal.settle, ManagerSession.request

    async def begin_and_reach(self: ManagerJournal, entry: Entry) -> Entry:
        begun = await begin(self, entry)
        fuse.reach("begun")
        return begun

    async def settle_and_reach(self: ManagerJournal, *arguments: Any, **facts: Any) -> Entry:
        settled = await settle(self, *arguments, **facts)
        fuse.reach("settled")
        return settled

    async def request_and_reach(
        self: PeerSession, command: Any, params: Any, **options: Any
    ) -> Any:
        if command.trades:
            options["on_written"] = lambda: fuse.reach("sent")
        result = await request(self, command, params, **options)
        if command.trades:
            fuse.reach("told")
        return result

    ManagerJournal.begin = begin_and_reach  # type: ignore[method-assign]  # the points
    ManagerJournal.settle = settle_and_reach  # type: ignore[method-assign]  # the points
    ManagerSession.request = request_and_reach  # type: ignore[method-assign]  # the points
    changes.SETTLE_S = SETTLE_S


if __name__ == "__main__":
    exactly_once_daemon._lay = _lay  # type: ignore[attr-defined]  # ours lays its points too
    exactly_once_daemon.main(Path(sys.argv[1]), Config.model_validate_json(sys.argv[2]))
