"""A result that comes late, while the journal cannot be read; and what a drain waits for."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ea_bridge.commands import NoParams
from ea_bridge.mt4_manager.commands import TRADE_TRANSACTION
from ea_bridge.mt4_manager.model import Transacted
from ea_bridge.mt4_manager.session import ManagerSession
from ea_bridge.session import LateResult
from gateway.mt4_manager.changes import Changes
from gateway.mt4_manager.errors import PeerOffline
from gateway.mt4_manager.journal import Change, ManagerJournal
from gateway.mt4_manager.link import Link
from gateway.storage.store import StoreError

LATE = LateResult(5, TRADE_TRANSACTION, NoParams(), Transacted(order=7), None)


class UnreadableJournal:
    """Journal on a disk that reports errors."""

    def of_command(self, command_id: int) -> Any:
        """Fail."""
        raise StoreError(f"the disk reports errors: {command_id}")


async def test_a_late_result_over_a_broken_disk_is_looked_for_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No exception is left to nobody; the peer is asked again what became of the command."""
    journal = cast(ManagerJournal, UnreadableJournal())
    changes = Changes(Link(lambda: None), journal, key=b"k" * 32, run="run", now_ms=lambda: 0)
    left: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: left.append(context))

    changes.late(cast(ManagerSession, None), LATE)
    await asyncio.wait(changes._late)

    assert left == []
    assert changes.finder._woken.is_set()
    assert "command 5 is not looked at" in caplog.text


async def test_a_drain_counts_changes_until_they_end() -> None:
    """Also one that waits for its turn."""
    journal = cast(ManagerJournal, SimpleNamespace(find=lambda *_: None))
    link = Link(lambda: None)
    changes = Changes(link, journal, key=b"k" * 32, run="run", now_ms=lambda: 0)
    change = cast(Change[Any, Any], SimpleNamespace(operator="a", key="k", request=b"{}"))

    made = asyncio.create_task(changes.make(change))
    assert changes.under_way == 0
    await asyncio.sleep(0)
    assert changes.under_way == 1
    with pytest.raises(PeerOffline):
        await made
    assert changes.under_way == 0
