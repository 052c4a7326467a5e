"""Bots of the simulated days: each with its terminal, and the token that both have now."""

from __future__ import annotations

import asyncio
import itertools
from functools import partial
from typing import TYPE_CHECKING, Any

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.endpoint.link import LinkRefused
from ea_bridge.protocol.messages import Pending
from ea_bridge.token import parse_token
from gateway.console.approvals import RequestGone, WrongCode
from gateway.console.service import Console
from gateway.credentials.lease import Tier
from gateway.trading.requests import tag

from ..bots import Address
from ..prices import drawn_market
from ..rpc_client import Asking, HttpRpcClient
from ..truth import Truth
from .consoles import ConsoleAway
from .daily_limits import Books, DailyLimits, books_at

if TYPE_CHECKING:
    from .world import DaysWorld

TICKS = (1, 3)
"""Of each symbol, in a minute: days have many."""
SYMBOL = "EURUSD"
WEEKEND_MARGIN_S = 300.0
"""Around the beginning and the end of a weekend, where nobody minds."""
MAX_POSITIONS = 20
"""That a bot holds; then it opens no more."""
PAUSE_S = 240.0
"""About so long a bot rests between two calls."""
OLD_SHARE = 0.15
"""Of the calls: they are made with a token of before."""
RIGHTS = frozenset({"unauthorized", "forbidden"})


class Bot:
    """Terminal, the token that it has now, and the bot that trades there.

    Attributes:
        token: of the terminal and its bot now.
        before: those that they had.

    """

    def __init__(self, world: DaysWorld, name: str, platform: str, number: int) -> None:
        self._world, self.name = world, name
        self._dice = world.dice(f"bot {name}")
        self.machine = world.context(name).run(self._build, platform, number)
        account = self.machine.handler.account()
        self._account = account.login, account.server
        self.truth = Truth(self.machine.handler.broker)
        self.truth.follow(self.machine)
        self.token = ""
        self.before: list[str] = []
        self._address = Address(world.ready["rpc"])
        self._link: EmulatedLink | None = None
        self._linking: asyncio.Task[None] | None = None
        self._clients: dict[str, HttpRpcClient] = {}
        self._ids, self._names = itertools.count(), itertools.count()
        self.executed: set[str] = set()
        """Ids of what the broker has carried out."""
        self._approving: set[asyncio.Task[None]] = set()
        self.limits = DailyLimits(world.days)
        self.calls = self.trades = self.approvals = self.closed_market = 0

    def _build(self, platform: str, number: int) -> Any:
        world = self._world
        return build_terminal(
            platform=platform,
            seed=(world.options.seed + number) % 1_000_000,
            clock=world.calendar.brokers[self.name],
            pc_s=world.calendar.pc_of(self.name).time_gmt_s,
            sessions="real",
            new_market=partial(
                drawn_market, world.options.seed, self.name, ticks=TICKS, rests=True
            ),
        )

    def meet(self, ready: Any) -> None:
        """Learn where the daemon is."""
        self._address.url = ready["rpc"]
        if self._link is not None:
            self._link.port = int(ready["bridge"].rpartition(":")[2])

    # --- tokens --------------------------------------------------------------------------------

    async def take_new_token(self, lifetime_s: int | None = None) -> None:
        """Have a new token made, and use it.

        Raises:
            ConsoleAway: there is no console.

        """
        world = self._world
        name = f"{self.name}-{next(self._names)}"
        text, info = await world.consoles.do(
            lambda console: console.tokens.create(world.user_id, name, lifetime_s=lifetime_s)
        )
        self.use(text, info.tid, lifetime_s)

    def use(self, text: str, tid: str, lifetime_s: int | None) -> None:
        """Give a token to the terminal and to the bot."""
        if self.token:
            self.before.append(self.token)
        self.token = text
        if lifetime_s is not None:
            self._world.rights.of(tid).expires_s = self._world.true_s() + lifetime_s
        if self._linking is not None:
            self._linking.cancel()
        port = self._world.ready["bridge"].rpartition(":")[2]
        link = EmulatedLink(
            self.machine, "127.0.0.1", int(port), text, on_pending=self._on_pending
        )
        self._link = link
        loop, context = self._world.loop, self._world.context(self.name)
        self._linking = loop.create_task(self._keep_linked(link, tid), context=context)

    async def _keep_linked(self, link: EmulatedLink, tid: str) -> None:
        while True:
            try:
                await link.run()
            except LinkRefused:
                await asyncio.sleep(60)

    def _on_pending(self, pending: Pending) -> None:
        task = self._world.loop.create_task(self._approve(self.token, pending.user_code))
        self._approving.add(task)
        task.add_done_callback(self._approving.discard)

    async def _approve(self, token: str, user_code: str) -> None:
        """Approve this machine, as its owner does who has read the mail."""
        world, tid = self._world, parse_token(token)
        await asyncio.sleep(self._dice.uniform(20, 120))
        try:
            waiting = await world.consoles.do(
                lambda console: console.approvals.open_requests(world.user_id)
            )
            for rid in [one.rid for one in waiting if one.tid == tid]:
                await world.consoles.do(partial(_approve, world.user_id, rid, user_code))
                self.approvals += 1
                world.rights.good(tid)
        except (ConsoleAway, RequestGone, WrongCode):
            return  # the terminal asks anew

    # --- the bot -------------------------------------------------------------------------------

    async def trade(self) -> None:
        """Call now and then, until cancelled."""
        days = self._world.days
        while True:
            await asyncio.sleep(self._dice.expovariate(1 / days.bot_pause_s(PAUSE_S)))
            token = self.token
            if self.before and self._dice.random() < OLD_SHARE:
                token = self._dice.choice(self.before[-3:])
            if self._world.is_daemon_up:
                await self._call(token)

    async def _call(self, token: str) -> None:
        need, method, params = self._drawn_call()
        tid, asked_s, before = parse_token(token), self._world.true_s(), self._books()
        if need is Tier.FULL:
            self.limits.asked(asked_s)
        answer = await self._client(token).ask(method, params, 20.0)
        self.calls += 1
        error = {} if answer is None else answer.get("error", {}).get("data", {})
        if answer is not None and ("result" in answer or error.get("name") in RIGHTS):
            reason = error.get("reason") if "result" not in answer else None
            self._world.rights.judge(tid, need, asked_s, reason)
        if error.get("name") == "risk_limit":
            self._accuse(self.limits.judge_refusal(error, asked_s, before, self._books()))
        if error.get("name") == "market_closed":
            self.closed_market += 1
            if not self._world.days.is_closed(WEEKEND_MARGIN_S):
                self._accuse("an order was refused as the market is closed, and it is open")
        if need > Tier.READ:
            self._see_executed(tid, need, params["client_order_id"], before)

    def _drawn_call(self) -> tuple[Tier, str, dict[str, Any]]:
        """Return what to call: the right that it takes, the method, its parameters."""
        kind = self._dice.choice(("open", "close", "read"))
        positions = self.truth.broker.positions()
        id_ = f"{self.name}-{next(self._ids)}"
        if kind == "close" and positions:
            close = {"ticket": positions[0].ticket, "client_order_id": id_}
            return Tier.REDUCE, "close_position", close
        if kind == "read" or len(positions) > MAX_POSITIONS:
            return Tier.READ, "get_account_info", {}
        order = {"symbol": SYMBOL, "side": "buy", "volume": 0.01, "client_order_id": id_}
        return Tier.FULL, "place_order", order

    def _books(self) -> Books:
        world, broker = self._world, self.truth.broker
        tick = self.machine._market.tick(SYMBOL)
        broker_s = world.days.broker_s(world.true_s())
        return books_at(broker, broker_s, 0 if tick is None else tick.time_msc)

    def _see_executed(self, tid: str, need: Tier, id_: str, before: Books) -> None:
        executed = self.truth.tagged.get(tag(*self._account, id_), [])
        for one in executed:
            self.trades += 1
            self.executed.add(id_)
            at_s = self._world.days.utc_s(one.at_msc)
            if why := self._world.rights.must_refuse(tid, need, at_s):
                self._accuse(f"{id_} was executed with token {tid}, though {why}")
            if need is Tier.FULL:
                self._accuse(self.limits.executed(at_s, before, self._books()))
        if len(executed) > 1:
            self._accuse(f"{id_} was executed {len(executed)} times")

    def _accuse(self, said: str) -> None:
        if said:
            self._world.accuse(f"{self.name}: {said}")

    def _client(self, token: str) -> HttpRpcClient:
        if token not in self._clients:
            self._clients[token] = HttpRpcClient(
                self._address,
                token,
                on_ask=lambda _: Asking(0, "", "", self._world.loop.now, 0),
                on_answer=lambda *_: None,
            )
        return self._clients[token]


async def _approve(user_id: str, rid: str, user_code: str, console: Console) -> None:
    await console.approvals.approve(user_id, rid, user_code)
