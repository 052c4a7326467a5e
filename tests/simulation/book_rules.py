"""Rule of the books: what the daemon says is open is what the broker has.

The broker's books are read before a question is asked and after it was answered. Where they are
the same, the answer has to be that; where they are not, nothing can be said of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.simulation.broker import Broker

from .bots import TerminalClient
from .invariants import Invariants

Facts = tuple[Any, ...]
Book = dict[int, Facts]
"""What is known of each ticket, but its prices of the moment."""
ANSWERS_WITHIN_S = 5.0


def _changes(machine: EmulatedTerminal) -> tuple[str, int, int, int]:
    """Return what is another value after each change of a terminal's account."""
    broker = machine._broker
    untold = len(getattr(broker, "untold", ()))  # of one that shares its account with another
    return machine._boot, machine._q, len(broker._ledger._events), untold


def of_broker(broker: Broker) -> tuple[Book, Book]:
    """Return the positions and the pending orders that a broker has."""
    positions = {
        one.ticket: (one.symbol, one.volume, one.price_open, one.sl, one.tp, one.magic)
        for one in broker.positions()
    }
    orders = {
        one.ticket: (one.symbol, one.volume_current, one.price_open, one.sl, one.tp, one.magic)
        for one in broker.orders()
    }
    return positions, orders


def _read(told: Iterable[Mapping[str, Any]], volume: str) -> Book:
    return {
        one["ticket"]: (
            *(one["symbol"], one[volume], one["price_open"] or 0.0),  # one at market has none
            *(one["sl"] or 0.0, one["tp"] or 0.0, one["magic"]),
        )
        for one in told
        if not one.get("emulated")
    }


async def look_at_books(
    name: str,
    client: TerminalClient,
    machine: EmulatedTerminal,
    invariants: Invariants,
    is_paper: Callable[[], bool] = lambda: False,
) -> bool:
    """Compare what the daemon says of a terminal with its broker's books.

    Args:
        name: of the terminal.
        client: where the daemon is asked.
        machine: the terminal.
        invariants: told of a difference.
        is_paper: whether the terminal trades on paper now, so that the daemon tells of that.

    Returns:
        Whether they could be compared.

    """
    kinds = (("get_positions", "volume", 0), ("get_orders", "volume_current", 1))
    is_compared, broker = True, machine.handler.broker
    for method, volume, index in kinds:
        before, changes = of_broker(broker)[index], _changes(machine)
        was_paper = is_paper()
        answer = await client.ask(method, {}, ANSWERS_WITHIN_S)
        if answer is None or "error" in answer or was_paper or is_paper():
            is_compared = False
            continue
        if of_broker(broker)[index] != before or _changes(machine) != changes:
            is_compared = False
            continue
        told = _read(answer["result"], volume)
        if told != before:
            wrong = sorted(
                (ticket, before.get(ticket), told.get(ticket))
                for ticket in before.keys() | told.keys()
                if before.get(ticket) != told.get(ticket)
            )
            said = f"{method} of {name}: (ticket, broker's, told) {wrong[:3]}"
            invariants.broken("books", said)
    return is_compared
