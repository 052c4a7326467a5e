"""The service of contingent orders: in whose name it acts, and what it follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from contingent_parts import LIMIT, PRICE, until
from linked_scene import NAME, LinkedScene
from scripted_answers import EURUSD, NOW_MS, ORDER
from scripted_terminal import Scene

from ea_bridge import model
from ea_bridge.commands import ORDERS_GET, POSITIONS_GET
from ea_bridge.model import OrderType, TradeResult
from gateway import errors
from gateway.audit import Audit
from gateway.auth.leases import Allowance
from gateway.credentials.lease import Tier
from gateway.home.ledger import TABLES
from gateway.storage.ledger import Ledger
from gateway.streams.service import Streams
from gateway.trading.contingent.service import ContingentService, with_held
from gateway.trading.journal import OrderLog, SqliteJournal
from gateway.trading.requests import Deadline, ExecutionOptions, OrderRequest

HOLDER = "B1b2C3d4E5f6"
"""The token in whose name orders are held; the terminal is linked with another one."""


@dataclass
class Rights:
    """What each token may do now."""

    tiers: dict[str, Tier] = field(default_factory=dict)
    readers: set[str] = field(default_factory=set)
    """Those without the scope to trade."""

    def refresh(self) -> None:
        """Nobody else changes them."""

    def allowance(self, tid: str) -> Allowance:
        """All, unless a test says otherwise."""
        tier = self.tiers.get(tid, Tier.FULL)
        return Allowance(tier, "" if tier is Tier.FULL else "revoked")

    def may_trade(self, tid: str) -> bool:
        """Whether it has the scope."""
        return tid not in self.readers


class Desk:
    """The service before one MetaTrader 4."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.linked = LinkedScene(scene)
        self.rights = Rights()
        self.ledger = Ledger(folder, TABLES)
        self.quote = (EURUSD.bid, EURUSD.ask)
        self.replaced: list[tuple[Any, ...]] = []
        """What was told of orders that take the place of held ones."""
        scene.script.answers |= {
            "orders_get": [],
            "positions_get": [],
            "history_orders_get": [],
            "tick_get": lambda p: model.Tick(1_780_000_000_000, *self.quote),
            "order_send": TradeResult(retcode=10009, order=777),
        }
        log = OrderLog(self.ledger, lambda: scene.now_ms)
        scene.guarded.journal = SqliteJournal(log, NAME, lambda: scene.guarded.account)
        self.start()

    def start(self) -> None:
        """Begin as a daemon does: with what is in the ledger."""
        self.streams = Streams(
            boot="k7Qd",
            clock=asyncio.get_running_loop(),
            now_ms=lambda: NOW_MS,
            ask=self._ask,
            clock_of=lambda _: self.scene.clock,
            max_channels=64,
        )
        self.service = ContingentService(
            self.ledger,
            Audit(self.ledger),
            registry=self.linked.registry,
            gate=self.rights,  # type: ignore[arg-type]  # it is asked three things
            streams=self.streams,
            clock=lambda _: self.scene.clock,
            terminals=self.linked,
            replaced=lambda *told: self.replaced.append(told),
        )
        self.keeper = self.service.of(NAME, self.scene.state.locks)
        self.scene.state.contingent = self.keeper

    async def hold(self) -> None:
        """Keep a stop-limit order in the name of the holder."""
        scene = self.scene
        request = OrderRequest(
            symbol="EURUSD",
            type=OrderType.BUY_STOP_LIMIT,
            volume=Decimal("0.1"),
            price=Decimal(str(PRICE)),
            stoplimit=Decimal(str(LIMIT)),
        )
        deadline = Deadline.of(scene.guarded.now_ms, None, None)
        options = ExecutionOptions(client_order_id="a", deadline=deadline, tid=HOLDER)
        await self.keeper.place(scene.guarded, scene.state, request, options)

    def require(self, tier: Tier) -> None:
        """Act in the name of the holder."""
        self.service._as(NAME, HOLDER).require(tier)

    async def _ask(self, terminal: str, command: Any, params: Any) -> Any:
        return await self.scene.script.request(command, params)


@pytest_asyncio.fixture
async def desk(mt4: Scene, tmp_path: Path) -> AsyncIterator[Desk]:
    """Not running yet, its terminal away."""
    made = Desk(mt4, tmp_path / "home")
    yield made
    made.streams.close()
    made.ledger.close()


async def test_a_token_that_may_not_trade_triggers_nothing(desk: Desk) -> None:
    """Whether its rights have ended or were never there; the error says which token is meant."""
    desk.linked.link()
    desk.require(Tier.FULL)
    desk.rights.tiers[HOLDER] = Tier.REDUCE
    desk.require(Tier.REDUCE)
    with pytest.raises(errors.Forbidden) as refused:
        desk.require(Tier.FULL)
    assert (refused.value.data["reason"], refused.value.data["tier"]) == ("revoked", "reduce")
    desk.rights.tiers.clear()
    desk.rights.readers.add(HOLDER)
    with pytest.raises(errors.Forbidden) as refused:
        desk.require(Tier.FULL)
    assert refused.value.data["reason"] == "scope"


async def test_the_linked_token_stands_in_for_what_only_reduces(desk: Desk) -> None:
    """An order must not stay because the token that linked it was replaced; nothing new is sent
    for it, and nothing at all while no terminal is linked.
    """
    desk.rights.tiers[HOLDER] = Tier.NONE
    with pytest.raises(errors.Forbidden):
        desk.require(Tier.REDUCE)
    desk.linked.link()
    desk.require(Tier.REDUCE)
    with pytest.raises(errors.Forbidden):
        desk.require(Tier.FULL)
    desk.rights.tiers[desk.scene.hello.tid] = Tier.NONE
    with pytest.raises(errors.Forbidden):
        desk.require(Tier.REDUCE)


async def test_a_link_takes_up_what_the_last_daemon_held(desk: Desk) -> None:
    """Under its tickets, and with the market as it is now: the price is there, and it is sent."""
    with desk.service.running():
        desk.linked.link()
        await desk.hold()
        [held] = desk.keeper.orders()
    desk.start()
    with desk.service.running():
        assert desk.keeper.orders() == [], "nobody knows the account yet"
        desk.quote = (PRICE, PRICE + 0.00012)
        desk.linked.link()
        assert [order.ticket for order in desk.keeper.orders()] == [held.ticket]
        await until(lambda: desk.scene.script.sent)
        await until(lambda: not desk.keeper.orders())
    [request] = desk.scene.script.sent
    assert (request.type, request.price) == (OrderType.BUY_LIMIT, LIMIT)
    assert {told[0] for told in desk.replaced} == {NAME}, "the sessions of programs are told"


async def test_another_account_lets_its_orders_rest(desk: Desk) -> None:
    """They are neither shown nor sent there, and are back with their account."""
    with desk.service.running():
        desk.linked.link()
        await desk.hold()
        login = desk.scene.hello.login
        desk.quote = (PRICE, PRICE + 0.00012)
        desk.linked.link(login=99)
        await asyncio.sleep(0.01)
        assert (desk.keeper.orders(), desk.scene.script.sent) == ([], [])
        desk.quote = (EURUSD.bid, EURUSD.ask)
        desk.linked.link(login=login)
        assert len(desk.keeper.orders()) == 1


async def test_once_it_has_ended_no_link_is_followed(desk: Desk) -> None:
    """A terminal that dials in while the gateway goes down triggers nothing."""
    with desk.service.running():
        desk.linked.link()
        await desk.hold()
    desk.quote = (PRICE, PRICE + 0.00012)
    made = len(desk.linked.made)
    desk.linked.link()
    await asyncio.sleep(0.01)
    assert (len(desk.linked.made), desk.scene.script.sent) == (made, [])


async def test_the_terminals_lists_have_what_is_held(desk: Desk) -> None:
    """Orders alone: no other answer of the terminal is touched."""
    desk.linked.link()
    with desk.service.running():
        desk.linked.link()
        await desk.hold()
        listed = with_held(desk.scene.state, ORDERS_GET, [ORDER])
        assert [order.emulated for order in listed] == [False, True]
        assert with_held(desk.scene.state, POSITIONS_GET, []) == []
