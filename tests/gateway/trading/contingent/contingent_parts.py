"""A scripted terminal with orders that come and go, a ledger on disk, and a keeper that can be
started again on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from scripted_answers import EURUSD, ORDER
from scripted_terminal import Scene

from ea_bridge import model
from ea_bridge.model import OrderState, TradeAction, TradeRequest, TradeResult
from ea_bridge.protocol.messages import Trade
from gateway.audit import Audit
from gateway.home.ledger import TABLES
from gateway.storage.ledger import Ledger
from gateway.trading.contingent.service import ContingentOrders
from gateway.trading.journal import AccountKey, OrderLog, SqliteJournal

TIMEOUT_S = 20.0
FIRST_TICKET = 5000


class Stand:
    """One desk with all of its parts."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.account = AccountKey(scene.hello.login, scene.hello.server)
        self.ledger = Ledger(folder, TABLES)
        self.orders: dict[int, model.Order] = {}
        self.past: dict[int, model.Order] = {}
        self.quote = (EURUSD.bid, EURUSD.ask)
        self.refusals: list[int | Exception] = []
        """What the next requests are answered with, instead of being carried out."""
        self._tickets = iter(range(FIRST_TICKET, FIRST_TICKET + 1000))
        scene.script.answers |= {
            "order_send": self._send,
            "orders_get": lambda p: [
                one for one in self.orders.values() if p.ticket in (None, one.ticket)
            ],
            "history_orders_get": lambda p: [self.past[p.ticket]] if p.ticket in self.past else [],
            "positions_get": [],
            "tick_get": lambda p: model.Tick(1_780_000_000_000, *self.quote),
        }
        self.keeper = self.start()

    def start(self) -> ContingentOrders:
        """Begin as a daemon does: with what is in the ledger."""
        log = OrderLog(self.ledger, lambda: self.scene.now_ms)
        self.scene.audit = Audit(self.ledger)
        self.scene.guarded.journal = SqliteJournal(log, "mt5-a", lambda: self.account)
        self.keeper = self.scene.keep(self.ledger)
        return self.keeper

    def stop(self) -> None:
        """End as a daemon does that is killed: nothing more is written."""
        self.keeper.close()

    def close(self) -> None:
        """Close the ledger, at the end of a test."""
        self.keeper.close()
        self.ledger.close()

    # --- the market and the broker -----------------------------------------------------------

    def tick(self, bid: float) -> None:
        """Let the market come to a price; the spread is 12 points."""
        ask = round(bid + 0.00012, 5)
        self.quote = (bid, ask)
        # as a session tells it, without the wire
        self.keeper._held.on_tick(self.account, "EURUSD", bid, ask)

    def place(self, kind: int = 2, price: float = 1.08) -> int:
        """Put a pending order into the broker's book, as somebody else would."""
        ticket = next(self._tickets)
        self.orders[ticket] = replace(ORDER, ticket=ticket, type=kind, price_open=price)
        return ticket

    def fill(self, ticket: int, *, part: bool = False) -> None:
        """Fill an order, and tell it."""
        state = OrderState.PARTIAL if part else OrderState.FILLED
        if part:
            self.orders[ticket] = replace(self.orders[ticket], state=int(state))
            self.say("change", self.orders[ticket])
        else:
            self.say("remove", self.leave(ticket, state))

    def leave(self, ticket: int, state: OrderState) -> model.Order:
        """Let an order leave the book; nobody is told."""
        self.past[ticket] = replace(self.orders.pop(ticket), state=int(state))
        return self.past[ticket]

    def say(self, op: str, order: model.Order) -> None:
        """Tell the keeper of a change."""
        self.keeper.event(self.scene.script, Trade(op=op, q=1, order=order))

    def _send(self, request: TradeRequest) -> Any:
        if self.refusals:
            refusal = self.refusals.pop(0)
            if isinstance(refusal, Exception):
                return refusal
            return TradeResult(retcode=refusal)
        if request.action == TradeAction.PENDING:
            return TradeResult(retcode=10009, order=self.place(request.type, request.price))
        if request.action == TradeAction.REMOVE and request.order in self.orders:
            self.say("remove", self.leave(request.order, OrderState.CANCELED))
            return TradeResult(retcode=10009, order=request.order)
        return TradeResult(retcode=10035)

    @property
    def sent(self) -> list[TradeRequest]:
        """What reached the broker."""
        return self.scene.script.sent


async def until(happened: Callable[[], Any]) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(TIMEOUT_S):
        while not happened():  # noqa: ASYNC110 (the ledger's thread tells nobody else)
            await asyncio.sleep(0.001)


async def quiet(stand: Stand) -> None:
    """Wait until nothing is under way any more but the watch over linked orders."""
    await until(lambda: not stand.keeper._tasks._tasks.keys() - {"oco watch"})


# --- the stop-limit order of most tests --------------------------------------------------------

PRICE, LIMIT = 1.087, 1.086
"""Of the order that most tests place; the ask is 1.08554."""
BUY: dict[str, Any] = {
    "symbol": "EURUSD",
    "type": "buy_stop_limit",
    "volume": 0.1,
    "price": PRICE,
    "stoplimit": LIMIT,
}
SPREAD = 0.00012


async def place(stand: Stand, **more: Any) -> Any:
    """Place the order, or another one."""
    return await stand.scene.ask("place_order", **(BUY | more))


def reach(stand: Stand, points: int = 0) -> None:
    """Let the ask be so many points above the order's price."""
    stand.tick(round(PRICE - SPREAD + points * 0.00001, 5))
