"""Whose orders are cancelled on disconnect, where calls outlive their connection."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import Any

import pytest
from connection_double import Line

from ea_bridge.model import Order, TradeAction, TradeRequest, TradeResult, TradeRetcode
from gateway.errors import Cancelled
from gateway.trading.journal import AccountKey, Intent
from gateway.trading.journal.intents import CallKey, CommandRecord, Stage
from gateway.trading.kill_switch import disconnects as module
from gateway.trading.kill_switch.dead_man import SESSION, Armed, Firing
from gateway.trading.kill_switch.disconnects import REPLACED, AccountTicket, Disconnects
from gateway.trading.requests import ReceiptContext, tag

HERE, THERE = AccountKey(77, "Demo"), AccountKey(77, "Live")
TERMINAL, TID = "main", "A1b2C3d4E5f6"
NAME = "grid-7"
"""Session of the program."""


class Program:
    """A program whose own orders are cancelled when it is lost, and what fires for it."""

    def __init__(self) -> None:
        self.rung: asyncio.Queue[Firing] = asyncio.Queue()
        self.disconnects = Disconnects(fire=self.rung.put_nowait)

    async def connect(self) -> Line:
        """Return a new connection of it, on which it has asked for the rule."""
        line = Line()
        self.disconnects.hello(line, TERMINAL, NAME)
        await self.arm(line)
        return line

    async def arm(self, line: Line) -> None:
        """Ask for the rule."""
        rule = self.rule(self.disconnects.session(line, TERMINAL))
        await self.disconnects.set(line, TERMINAL, rule)

    def rule(self, session: str) -> Armed:
        """Return the rule of a session."""
        return Armed(
            terminal=TERMINAL,
            tid=TID,
            name=f"{SESSION} {session}",
            action="cancel_orders",
            own=True,
            within_ms=0,
            account=HERE,
        )

    async def fired(self) -> Firing:
        """Return the next firing, or the one that there is."""
        return await asyncio.wait_for(self.rung.get(), 60)


async def test_a_ticket_that_is_told_within_the_grace_is_meant() -> None:
    """The order was on its way when the connection was lost; a broker may rewrite its comment."""
    program = Program()
    line = await program.connect()
    program.disconnects.placing(line, TERMINAL, "gAAAAAAAAA")
    line.lose()
    program.disconnects.placed(line, HERE, 1)
    assert set((await program.fired()).chosen.tickets) == {1}


async def test_a_ticket_that_is_told_while_it_is_carried_out_is_meant() -> None:
    """A sweep looks more than once; on another account the number is another order's."""
    program = Program()
    line = await program.connect()
    line.lose()
    chosen = (await program.fired()).chosen
    program.disconnects.placed(line, HERE, 1)
    program.disconnects.placed(line, THERE, 2)
    assert (1 in chosen.tickets, 2 in chosen.tickets) == (True, False)
    assert (len(chosen.tickets), list(chosen.tickets)) == (1, [1])


async def test_what_is_left_of_a_position_is_meant_as_well() -> None:
    """On MetaTrader 4 it has another ticket; one that was closed by hand has a comment alone."""
    program = Program()
    line = await program.connect()
    program.disconnects.placed(line, HERE, 1)
    program.disconnects.left(HERE, 1, 2)
    program.disconnects.left(HERE, 2, 3)
    program.disconnects.left(HERE, 7, 8)
    line.lose()
    chosen = (await program.fired()).chosen
    assert set(chosen.tickets) == {1, 2, 3}
    assert chosen.matches(order(4, "from #3"))
    assert not chosen.matches(order(9, "from #8"))
    assert not chosen.matches(order(9, "to #3"))


async def test_a_ticket_that_the_replaced_connection_is_told_is_the_new_ones() -> None:
    """It takes over the orders, also those whose receipts are to come."""
    program = Program()
    old = await program.connect()
    program.disconnects.placing(old, TERMINAL, "gAAAAAAAAA")
    new = Line()
    program.disconnects.placing(new, TERMINAL, "gBBBBBBBBB")
    program.disconnects.hello(new, TERMINAL, NAME)
    assert old.closed == (REPLACED, "replaced")
    program.disconnects.placed(old, HERE, 1)
    program.disconnects.placed(new, HERE, 2)
    new.lose()
    chosen = (await program.fired()).chosen
    assert set(chosen.tickets) == {1, 2}
    assert set(chosen.tags or ()) == {"gAAAAAAAAA", "gBBBBBBBBB"}


async def test_an_order_that_is_sent_within_the_grace_is_meant() -> None:
    """Its call had waited; the connection counts as gone all the same."""
    program = Program()
    line = await program.connect()
    line.lose()
    program.disconnects.placing(line, TERMINAL, "gAAAAAAAAA")
    assert set((await program.fired()).chosen.tags or ()) == {"gAAAAAAAAA"}
    assert not program.disconnects.live(TERMINAL, TID)


async def test_nothing_is_kept_for_a_connection_that_is_gone() -> None:
    """Once its last call is over, whether it had asked for anything or not."""
    program = Program()
    line = Line()
    line.lose()
    program.disconnects.placing(line, TERMINAL, "gAAAAAAAAA")
    program.disconnects.placed(line, HERE, 1)
    assert not program.disconnects.live(TERMINAL, TID)
    del line
    met = Line()
    program.disconnects.placing(met, TERMINAL, "gBBBBBBBBB")
    met.lose()
    del met
    gc.collect()  # a connection and what it calls when it is gone hold each other
    assert (len(program.disconnects._of), len(program.disconnects._lost)) == (0, 0)


async def test_what_is_asked_on_a_connection_that_was_lost_meanwhile_fires() -> None:
    """A rule that nothing can fire would stay for good, and a lease of the terminal with it."""
    program = Program()
    line = Line()
    line.lose()
    await program.arm(line)
    assert (await program.fired()).armed.terminal == TERMINAL


async def test_who_is_lost_again_while_it_says_hello_does_not_come_back() -> None:
    """What its run had armed fires."""
    program = Program()
    line = await program.connect()
    program.disconnects.placed(line, HERE, 1)
    line.lose()
    new = Line()
    new.lose()
    program.disconnects.hello(new, TERMINAL, NAME)
    assert set((await program.fired()).chosen.tickets) == {1}


def order(ticket: int, comment: str) -> Order:
    """Return a pending order."""
    blank: dict[str, Any] = dict.fromkeys(Order.__struct_fields__, 0)
    return Order(**blank | {"ticket": ticket, "comment": comment})


@pytest.mark.parametrize("comes_back", [False, True])
async def test_orders_of_before_the_start_are_its_own_also_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch, comes_back: bool
) -> None:
    """Nobody knows whose they were; of later orders those of others are known for others'."""
    monkeypatch.setattr(module, "RESTART_GRACE_S", 0.0)
    program = Program()
    disconnects = program.disconnects
    disconnects.resume(program.rule(NAME))
    if comes_back:
        line = Line()
        disconnects.placing(line, TERMINAL, "gMINE55555")
        disconnects.hello(line, TERMINAL, NAME)
        line.lose()
    chosen = (await program.fired()).chosen
    disconnects.placing(None, TERMINAL, "gOTHERS555")
    assert chosen.matches(order(1, "gBEFORE555 of the program"))
    assert chosen.matches(order(2, "gMINE55555")) or not comes_back
    assert not chosen.matches(order(3, "gOTHERS555"))
    assert not chosen.matches(order(4, "of a person"))


async def test_a_rule_for_all_orders_means_all_after_a_start_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By whomever they were made, and whenever."""
    monkeypatch.setattr(module, "RESTART_GRACE_S", 0.0)
    program = Program()
    program.disconnects.resume(replace(program.rule(NAME), own=False))
    assert (await program.fired()).chosen.matches(order(4, "of a person"))


@pytest.mark.parametrize("within_ms", [0, 60_000])
async def test_who_had_asked_for_nothing_more_before_it_was_lost_loses_nothing(
    within_ms: int,
) -> None:
    """The call had waited: what it says counts, also while its orders are swept already."""
    program = Program()
    line = Line()
    rule = replace(program.rule(program.disconnects.session(line, TERMINAL)), within_ms=within_ms)
    await program.disconnects.set(line, TERMINAL, rule)
    line.lose()
    firing = None if within_ms else await program.fired()
    program.disconnects.off(line)
    assert program.disconnects.armed(TERMINAL) == []
    assert firing is None or firing.called_off
    assert program.rung.empty()


async def test_what_a_replaced_connection_had_asked_for_changes_nothing() -> None:
    """Its calls are of before: the new connection has said what it wants."""
    program = Program()
    old = await program.connect()
    new = await program.connect()
    (wanted,) = program.disconnects.armed(TERMINAL)
    later = replace(wanted, action="cancel_and_close", within_ms=1)
    await program.disconnects.set(old, TERMINAL, later)
    assert program.disconnects.armed(TERMINAL) == [wanted]
    assert program.disconnects.of(old) is None
    program.disconnects.off(old)
    assert program.disconnects.of(new) == wanted


async def test_what_a_lost_connection_had_asked_for_changes_nothing_once_it_is_back() -> None:
    """Its rule had been carried out, so that it has begun anew; the late call is of before."""
    program = Program()
    old = await program.connect()
    old.lose()
    await program.fired()
    new = await program.connect()
    (wanted,) = program.disconnects.armed(TERMINAL)
    await program.disconnects.set(old, TERMINAL, replace(wanted, action="cancel_and_close"))
    program.disconnects.off(old)
    assert program.disconnects.armed(TERMINAL) == [wanted]
    assert program.disconnects.of(new) == wanted
    new.lose()
    assert (await program.fired()).armed == wanted


async def test_an_order_whose_call_had_waited_for_too_long_is_not_sent() -> None:
    """A sweep that has looked already would leave it; nothing of that is for a connection that
    lives, or whose rule does not hold any more.
    """
    program = Program()
    line = await program.connect()
    line.lose()
    await program.fired()
    with pytest.raises(Cancelled) as refused:
        program.disconnects.placing(line, TERMINAL, "gAAAAAAAAA")
    assert refused.value.outcome == "not_sent"
    program.disconnects.placing(await program.connect(), TERMINAL, "gAAAAAAAAA")
    program.disconnects.placing(None, TERMINAL, "gAAAAAAAAA")
    other = Line()
    other.lose()
    program.disconnects.placing(other, TERMINAL, "gBBBBBBBBB")


async def test_an_order_that_is_under_way_is_waited_for() -> None:
    """Until its caller has the answer it may not be at the broker, or nobody knows its ticket."""
    program = Program()
    old = await program.connect()
    program.disconnects.placing(old, TERMINAL, "gAAAAAAAAA")
    new = Line()
    program.disconnects.placing(new, TERMINAL, "gBBBBBBBBB")
    program.disconnects.hello(new, TERMINAL, NAME)
    new.lose()
    firing = await program.fired()
    for line, mark in ((new, "gBBBBBBBBB"), (old, "gAAAAAAAAA")):
        assert firing.may_grow()
        program.disconnects.settled(line, mark)
    assert not firing.may_grow()


async def test_what_takes_the_place_of_a_held_order_is_its_programs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also while its orders are swept; that of another program is not of before the start."""
    monkeypatch.setattr(module, "RESTART_GRACE_S", 0.0)
    program = Program()
    disconnects = program.disconnects
    disconnects.resume(replace(program.rule("another"), within_ms=0))
    of_before = (await program.fired()).chosen
    line = await program.connect()
    disconnects.placing(line, TERMINAL, "gHELD55555")
    disconnects.replaced(TERMINAL, "gHELD55555", "gLIMIT5555", None)
    line.lose()
    chosen = (await program.fired()).chosen
    disconnects.replaced(TERMINAL, "gLIMIT5555", "gAGAIN5555", AccountTicket(HERE, 7))
    disconnects.replaced("other", "gHELD55555", "gELSE55555", None)
    assert chosen.matches(order(1, "gLIMIT5555"))
    assert chosen.matches(order(7, "of the broker"))
    assert not chosen.matches(order(2, "gELSE55555"))
    assert not of_before.matches(order(1, "gLIMIT5555"))
    assert of_before.matches(order(3, "gBEFORE555"))


def found(order_id: str, number: int, terminal: str = TERMINAL) -> Intent:
    """Return a call for an order that the broker has under a number."""
    request = TradeRequest(action=TradeAction.PENDING, symbol="EURUSD", volume=0.01)
    result = TradeResult(retcode=TradeRetcode.DONE, order=number)
    send = CommandRecord(command_id=1, request=request, context=ReceiptContext(), result=result)
    return Intent(
        asked=CallKey(HERE, order_id, "place_order", "{}"),
        terminal=terminal,
        created_ms=0,
        updated_ms=0,
        stage=Stage.DONE,
        sends=[send],
    )


async def test_an_order_that_is_found_later_is_its_programs() -> None:
    """Its answer was lost and its comment was rewritten: what is left is the number that it was
    found under, of which its program may hear by an event alone. Others' are not its own."""
    program = Program()
    line = await program.connect()
    program.disconnects.placing(line, TERMINAL, tag(*HERE, "mine"))
    program.disconnects.settled(line, tag(*HERE, "mine"))
    program.disconnects.found(found("mine", 1))
    program.disconnects.found(found("another's", 2))
    program.disconnects.found(found("mine", 3, terminal="other"))
    line.lose()
    chosen = (await program.fired()).chosen
    assert set(chosen.tickets) == {1}
    program.disconnects.found(found("mine", 4))  # while it is carried out
    assert set(chosen.tickets) == {1, 4}
