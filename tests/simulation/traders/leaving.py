"""Programs that have their orders cancelled when they lose their connection, and lose it."""

from __future__ import annotations

import asyncio
import itertools
from random import Random

from gateway.trading.kill_switch.disconnects import REPLACED
from gateway.trading.requests import tag

from ..bot_requests import FAR_ABOVE, FAR_BELOW, BotRequest
from ..disconnect_rules import Rule, Session
from ..intents import Intent, Json, reply_of
from ..network import NODE
from ..plugins import trader
from ..stream_client import Line, StreamClient
from ..terminals import TradedTerminal
from ..watchers.disconnects import LEAVING, DisconnectWatcher
from ..world import World
from .careless import new_bot

SYMBOL = "EURUSD"
GRACES_S = (0.3, 0.5, 1.0, 2.5)
OWN_SHARE = 0.7
"""Of the rules: they are about the program's own orders alone."""
BY_RPC_SHARE = 0.2
"""Of the orders: they are asked for over ``/rpc``, and so are no connection's."""
LATE_SHARE = 1.3
"""Of the grace, up to which a program stays away that wants to come back."""
LOOK_S = 0.25
"""Between two looks whether all was cancelled, and between two tries to connect."""
BOUND_S, ROUGH_BOUND_S = 3.0, 40.0
"""In which all is cancelled after the grace: while nothing fails; while the terminal was linked to
one life of the daemon, whatever else has failed. Whoever does not get it done in that time has to
say so."""
UNHEARD_S = 25.0
"""In which the gateway finds out that nobody is there any more."""
HASTE_S = 0.03
"""Within which a program loses its connection once it has asked for an order."""
HELD_UP_SHARE, HELD_UP_S = 0.5, 0.5
"""Share of these orders that the terminal begins with only so long after the grace."""
ACTS = {
    **{"leave": 8, "leave at once": 8, "return": 8},
    **{"take over": 3, "stay": 2, "log out": 2, "disarm": 2},
}
"""What a program does once it has placed its orders, and how often."""


@trader("leaving", count=2, alone_at=LEAVING)
async def leave(world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
    """Trade under a rule, and leave in one way or another, again and again."""
    program = Program(world, terminal, name, dice)
    run = world.run
    while run.begun < run.goal:
        if not await program.begin():
            program.vanish()
            await asyncio.sleep(LOOK_S)
            continue
        goes_on = True
        while goes_on:
            await program.trade()
            goes_on = await program.act()
        program.vanish()


class _NotingClient(StreamClient):
    """Way of a program that notes what is asked and answered there."""

    program: Program

    def on_line_ask(self, line: Line | None, message: Json) -> None:
        self.program.asks(line, message)

    def on_line_answer(self, line: Line, message: Json, answer: Json, asked_s: float) -> None:
        self.program.answered(line, message, answer, asked_s)


class Program:
    """Program that asks for cancel on disconnect; it has one session after the other."""

    def __init__(self, world: World, terminal: TradedTerminal, name: str, dice: Random) -> None:
        self._world, self._terminal, self._dice = world, terminal, dice
        self._watcher = next(one for one in world.watchers if isinstance(one, DisconnectWatcher))
        self._rules = self._watcher.rules
        self._client, by_rpc = (
            world.client(terminal.name, world.tokens[terminal.name], _NotingClient)
            for _ in range(2)
        )
        self._client.program = by_rpc.program = self
        self._bot = new_bot(terminal, name, dice, [self._client])
        self._other_bot = new_bot(terminal, f"{name}-rpc", dice, [by_rpc])
        self._names = (f"{name}-{number}" for number in itertools.count())
        self._late_ids = (f"{name}-late-{number}" for number in itertools.count())
        self._session = Session(next(self._names))
        self._rule = Rule(own=True, within_s=0.0)
        self._line: Line | None = None
        """Of which it is known that the session's rule is in force for it."""
        self._life = 0
        """Of the daemon, when that was known last."""

    # --- what is noted ---------------------------------------------------------------------------

    def asks(self, line: Line | None, message: Json) -> None:
        """Note whose an order is that is about to be asked for."""
        if message["method"] == "place_order":
            name = message["params"]["client_order_id"]
            session = None if line is None else self._session
            self._rules.asks_for_order(session, tag(*self._terminal.account, name))

    def answered(self, line: Line, message: Json, answer: Json, asked_s: float) -> None:
        """Note that a connection was there, and the ticket of an order."""
        if line is not self._line:
            return
        self._rules.heard(self._session, asked_s)
        order = (answer.get("result") or {}).get("order")
        if message["method"] == "place_order" and order is not None and order["order"]:
            self._rules.has_order(self._session, order["order"])

    # --- what it does ----------------------------------------------------------------------------

    async def begin(self) -> bool:
        """Connect under a new name, and ask for a rule; return whether it is surely in force."""
        self._session = session = Session(next(self._names))
        line = await self._connect()
        if line is None:
            return False
        own = self._dice.random() < OWN_SHARE
        self._rule = rule = Rule(own=own, within_s=self._dice.choice(GRACES_S))
        self._rules.arms(session, rule, self._world.loop.now)
        done = await self._client.ask_on(line, "set_cancel_on_disconnect", rule.params)
        if done is None or "result" not in done:
            return False
        self._rules.armed(session)
        self._hold(line)
        return True

    async def trade(self) -> None:
        """Place some orders that wait."""
        begin = self._world.run.begin_at(self._terminal)
        for _ in range(self._dice.randint(1, 3)):
            bot = self._other_bot if self._dice.random() < BY_RPC_SHARE else self._bot
            await bot.carry_out(BotRequest("place_order", self._draw()), begin)

    def _draw(self) -> Json:
        kind = self._dice.choice(("buy_limit", "sell_limit"))
        price = FAR_BELOW if kind == "buy_limit" else FAR_ABOVE
        return {"symbol": SYMBOL, "volume": 0.01, "type": kind, "price": price}

    async def act(self) -> bool:
        """Leave, or do not; return whether the same session goes on."""
        line, dice = self._line, self._dice
        if line is None:
            return False
        (act,) = dice.choices(tuple(ACTS), tuple(ACTS.values()))
        if line.is_over:
            act = dice.choice(("leave", "return"))
        if act == "return":
            self._lose()
            await asyncio.sleep(dice.uniform(0.0, self._rule.within_s * LATE_SHARE))
            return await self._return()
        match act:
            case "leave":
                await self._leave()
            case "leave at once":
                await self._leave_at_once(line)
            case "take over":
                return await self._take_over(line)
            case "stay":
                await asyncio.sleep(self._rule.within_s * 2)
                return await self._is_in_force(line)
            case "log out":
                await self._disarm(line, "logout", {})
            case "disarm":
                await self._disarm(line, "set_cancel_on_disconnect", {"enabled": False})
        return False

    def vanish(self) -> None:
        """Break the connection, if there is one."""
        line, self._line, self._client.line = self._line, None, None
        if line is not None:
            line.wire.vanish()

    # --- ways to leave ---------------------------------------------------------------------------

    def _lose(self) -> float:
        """Lose the connection in some way; return within how long that is noticed at last."""
        line, dice = self._line, self._dice.random()
        assert line is not None
        noticed_s = 0.0
        if line.is_over:
            pass
        elif dice < 0.3:
            line.wire.close()
        elif dice < 0.4 and self._world.options.kills_every:
            self._part(line)
            noticed_s = UNHEARD_S
        self.vanish()
        return noticed_s

    def _part(self, line: Line) -> None:
        """Have nothing go through any more, so that the gateway does not hear of its end."""
        network = self._world.network
        for near in network.links(NODE.get()):
            if near.getsockname() == line.wire.address and near.peer is not None:
                network.lose(near)
                network.lose(near.peer)

    async def _leave_at_once(self, line: Line) -> None:
        """Lose the connection while an order is on its way, and see that it does not stay."""
        id_, order = next(self._late_ids), self._draw()
        late = tag(*self._terminal.account, id_)
        intent = Intent(id=id_, method="place_order", params=order, tag=late)
        if not self._world.run.begin_at(self._terminal)(intent):
            return
        is_owed = self._session.fired_s is None
        is_held_up = self._dice.random() < HELD_UP_SHARE
        if is_held_up:
            self._hold_up()
        params = order | {"client_order_id": id_}
        asking = asyncio.create_task(self._client.ask_on(line, "place_order", params))
        await asyncio.sleep(HASTE_S if is_held_up else self._dice.uniform(0.0, HASTE_S))
        was_there = bool(self._terminal.truth.tagged[late])
        await self._leave(late if is_owed else "")
        if (response := await asking) is not None:
            intent.replies.append(reply_of(response))
        if is_owed and not was_there and self._terminal.truth.tagged[late]:
            self._world.sometimes("disconnect: an order came later")

    def _hold_up(self) -> None:
        """Hold the terminal up before the next order, until the sweep has begun."""
        faults = self._terminal.machine.faults
        faults.stall_ms = round((self._rule.within_s + HELD_UP_S) * 1000)
        self._world.loop.call_later(2 * HASTE_S, setattr, faults, "stall_ms", 0)

    async def _leave(self, late: str = "") -> None:
        """Lose the connection, and see that all is cancelled.

        Args:
            late: tag of an order that is on its way; empty: there is none.

        """
        world, watcher, session = self._world, self._watcher, self._session
        broker = self._terminal.truth.broker
        meant, since_s = self._rules.owed(session, broker.orders(), world.loop.now)
        bound_s = self._rule.within_s + self._lose()
        bound_s += ROUGH_BOUND_S if world.options.kills_every else BOUND_S
        quiet_s, stage = 0.0, watcher.stage()
        while True:
            told = {one for one, at_s in watcher.left.items() if at_s >= since_s}
            orders = broker.orders()
            came = {one.ticket for one in orders if late and one.comment.startswith(late)}
            left = (meant | came) & self._rules.meant(session, orders) - told
            is_over = quiet_s > bound_s
            if not left and (is_over or not late):
                break
            if is_over:
                said = f"{sorted(left)} are there {quiet_s} s after {session.name} was lost"
                watcher.accuse(said)
                return
            await asyncio.sleep(LOOK_S)
            # time may leap, and a link or a life begins it anew
            quiet_s, before, stage = quiet_s + LOOK_S, stage, watcher.stage()
            if stage != before:
                quiet_s = 0.0
        if meant:
            world.sometimes("disconnect: all was cancelled")

    async def _disarm(self, line: Line, method: str, params: Json) -> None:
        """Ask that the orders stay, and leave; wait for as long as they would have stayed."""
        self._rules.disarms(self._session)
        self._line = self._client.line = None
        asked_s = self._world.loop.now
        done = await self._client.ask_on(line, method, params)
        if done is not None and "result" in done:
            self._rules.disarmed(self._session, asked_s)
        line.wire.vanish()
        await asyncio.sleep(self._rule.within_s * 1.5)

    # --- ways to come back -----------------------------------------------------------------------

    async def _return(self) -> bool:
        """Connect again; return whether the rule is still in force."""
        line = await self._connect()
        while line is None:
            await asyncio.sleep(self._dice.uniform(0.01, LOOK_S))
            line = await self._connect()
        life = self._life
        is_back = await self._is_in_force(line)
        is_new = self._world.daemons.present != life
        if not is_back:
            self._world.sometimes("disconnect: back too late")
        elif is_new:
            self._world.sometimes("disconnect: back to a new life")
        else:
            self._world.sometimes("disconnect: back in time")
        return is_back

    async def _take_over(self, line: Line) -> bool:
        """Connect once more, while the connection is still there."""
        new = await self._connect()
        if new is None or not await self._is_in_force(new):
            line.wire.vanish()
            return False
        await asyncio.wait((line.wire.over,), timeout=BOUND_S)
        if not self._world.options.kills_every and line.wire.close_code != REPLACED:
            self._watcher.accuse(f"{self._session.name} was taken over, and not closed for that")
        line.wire.vanish()
        return True

    async def _connect(self) -> Line | None:
        """Return a new connection on which the session's name was said."""
        line = self._client.new_line()
        if line is None or not await line.open():
            return None
        self._rules.comes_back(self._session, self._world.loop.now)
        done = await self._client.ask_on(line, "hello", {"session_id": self._session.name})
        if done is None or "result" not in done:
            line.wire.vanish()
            return None
        return line

    async def _is_in_force(self, line: Line) -> bool:
        """Ask for the rule on a connection, and hold that if it is in force."""
        world = self._world
        asked_s = world.loop.now
        told = await self._client.ask_on(line, "get_cancel_on_disconnect", {})
        if told is None or "result" not in told:
            line.wire.vanish()
            return await self._return()
        if not self._rules.told(self._session, told["result"], asked_s, world.loop.now):
            line.wire.vanish()
            return False
        self._hold(line)
        return True

    def _hold(self, line: Line) -> None:
        self._line = self._client.line = line
        self._life = self._world.daemons.present
