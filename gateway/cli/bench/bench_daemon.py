"""Daemon of ``mt-gateway bench``, with its journal or without, and the journal alone."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

from ea_bridge.model import TradeRequest, TradeResult, TradeRetcode
from gateway.app import freeze_gc
from gateway.app.daemon import Gateway
from gateway.audit import Audit
from gateway.config import Config
from gateway.home.home import KEY_FILE, Home
from gateway.home.ledger import open_ledger
from gateway.options import Announce
from gateway.paper.guarded_terminals import GuardedTerminals
from gateway.trading.journal import (
    AccountKey,
    CallKey,
    CommandRecord,
    Journal,
    OrderLog,
    SqliteJournal,
    Stage,
)
from gateway.trading.requests import ReceiptContext
from gateway.trading.state import TradingState

TERMINAL = "bench"
CONFIG = Config.model_validate(
    {
        "api": {"port": 0},
        "bridge": {"port": 0},
        # one program plays all the readers of a bench
        "limits": {"max_websockets": 256},
        # what is measured is the path, not its brake
        "trading": {"orders_per_second": 10_000, "order_burst": 10_000},
    }
)
_ACCOUNT = AccountKey(1, "Bench")
_RECEIPT = [f"field_{number:02}" for number in range(30)]
"""As long as a real one."""


class _UnjournaledTerminals(GuardedTerminals):
    def state(self, terminal: str) -> TradingState:
        state = super().state(terminal)
        state.journal = Journal()
        return state


class _Unjournaled(Gateway):
    """The same gateway, but nothing of an order is written down before it is sent, or after.

    Only for the bench, to tell what the journal costs: orders of this one can be lost and doubled.
    """

    terminals_type = _UnjournaledTerminals


def gateway_kind(*, journal: bool) -> type[Gateway]:
    """Return the gateway as it is, or that without a journal."""
    return Gateway if journal else _Unjournaled


async def run_bench_daemon(folder: Path, announce: Announce, *, journal: bool) -> None:
    """Run a daemon of a home of its own until cancelled; the token that it announces is new.

    Raises:
        StoreError, SecretsError: the message says what to do.

    """
    with Home(folder, KEY_FILE) as home:
        token, _ = home.issuer.create(TERMINAL)
        async with gateway_kind(journal=journal)(home, CONFIG).run() as ready:
            freeze_gc()
            announce(replace(ready, auth_token=token, terminal=TERMINAL))
            await asyncio.Future()


async def journal_alone(folder: Path, orders: int, at_once: int) -> float:
    """Return how many orders a second the journal takes, with nothing around it.

    Each is on the disk before it goes on, and its end is written after. Nothing is sent.

    Args:
        folder: where the ledger is made.
        orders: how many.
        at_once: how many are under way at a time.

    """
    ledger = open_ledger(folder)
    try:
        journal = SqliteJournal(OrderLog(ledger, audit=Audit(ledger)), TERMINAL, lambda: _ACCOUNT)
        numbers = iter(range(1, orders + 1))

        async def work() -> None:
            for number in numbers:
                await _one_order(journal, number)

        begun_s = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(at_once)))
        return orders / (time.perf_counter() - begun_s)
    finally:
        ledger.close()


async def _one_order(journal: SqliteJournal, number: int) -> None:
    asked = CallKey(_ACCOUNT, f"bench-{number}", "place_order", "{}")
    request = TradeRequest(action=1, symbol="EURUSD", volume=0.01, type=number % 2)
    send = CommandRecord(command_id=number, request=request, context=ReceiptContext())

    async def run() -> dict[str, object]:
        await journal.begin(_ACCOUNT, asked.client_order_id, send)
        journal.written(send)
        result = TradeResult(retcode=TradeRetcode.DONE, order=number, deal=number, volume=0.01)
        journal.ended(send, Stage.DONE, result)
        return dict.fromkeys(_RECEIPT, number)

    await journal.once(asked, run)
