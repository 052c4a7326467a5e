"""Bounds of queues: whatever waits in a daemon is counted, and its count has a bound with a name.

Each queue is named with how it is counted and what bounds it. Those whose bound is no single
number of the product's have it from what may fill them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ea_bridge.protocol.codec import MAX_LINE_TO_EA
from ea_bridge.registry import MAX_SUBSCRIBERS, MAX_TERMINALS
from ea_bridge.session import TerminalSession
from ea_bridge.session.calls import MAX_IN_FLIGHT, MAX_LATE, MAX_RESULT_BYTES, MAX_UNSENT
from ea_bridge.session.terminal import MAX_SYMBOLS
from gateway.app.daemon import Gateway
from gateway.audit.recorder import MAX_KINDS
from gateway.storage.ledger import MAX_GROUP
from gateway.streams.hub import MAX_PENDING_EVENTS
from gateway.streams.outbox import STALLED_S, Outbox
from gateway.trading.contingent.emulated import MAX_HELD
from gateway.trading.contingent.oco import MAX_LINKS
from gateway.trading.kill_switch.disconnects import MAX_PLACED
from gateway.trading.reconcile import reported_results
from gateway.trading.risk.counters import MAX_IDLE

from .invariants import Invariants

Count = tuple[str, int, int]
"""The name of a queue, how much waits in it, and its bound."""

LEDGER_WAITING = 2 * MAX_GROUP
"""A full group, and one more of those who wait themselves: there are fewer callers."""


def of_ledger(gateway: Gateway) -> Iterator[Count]:
    """Count what waits for the disk."""
    ledger = gateway.ledger
    yield "ledger: waiting", len(ledger._waiting), LEDGER_WAITING
    yield "ledger: handed over", ledger._handed, LEDGER_WAITING
    for sampler in (gateway.audit._often, gateway.audit._hourly):
        yield "audit: kinds", len(sampler._windows), MAX_KINDS


def of_sessions(gateway: Gateway) -> Iterator[Count]:
    """Count what is on its way to terminals, and from them."""
    registry = gateway.registry
    yield "registry: terminals", len(registry._known), MAX_TERMINALS
    yield "registry: subscribers", len(registry._subscribers), MAX_SUBSCRIBERS
    for session in registry.sessions():
        yield from _of_session(session)


def _of_session(session: TerminalSession) -> Iterator[Count]:
    calls = session._calls
    yield "session: in flight", len(calls), MAX_IN_FLIGHT
    yield "session: late", len(calls._late), MAX_LATE
    yield "session: unfinished bytes", calls._unfinished, MAX_RESULT_BYTES
    yield "session: unsent bytes", session._wire.unsent(), MAX_UNSENT + MAX_LINE_TO_EA
    yield "session: symbols", len(session._symbols), MAX_SYMBOLS


def of_trading(gateway: Gateway) -> Iterator[Count]:
    """Count what is kept for those who trade."""
    limits = gateway._config.limits
    callers = limits.max_connections * limits.max_in_flight
    log = gateway.trading.reconcile.log
    yield "journal: under way", len(log._running), callers
    yield "journal: being settled", len(log._settling), len(log._unresolved) + len(log._watched)
    yield "ticket locks", len(gateway.trading.account_state._locks), callers
    yield (
        "tallies",
        len(gateway.trading.account_state._counter_book._counters),
        MAX_IDLE + MAX_TERMINALS,
    )
    for reconciler in gateway.trading.reconcile._reconcilers.values():
        yield (
            "reconciler: late answers",
            len(reconciler._reported._late),
            reported_results.MAX_LATE,
        )
    for orders in gateway.trading.contingent._orders.values():
        yield "held orders", len(orders._held), MAX_HELD
        yield "links", len(orders.links), MAX_LINKS
    for session in gateway.trading.kill_switch.disconnects._armed.values():
        yield "connection: orders", len(session.tickets), MAX_PLACED
        yield "connection: ids", len(session.tags), MAX_PLACED


def of_streams(gateway: Gateway) -> Iterator[Count]:
    """Count what waits for those who listen."""
    streams = gateway.trading.streams
    yield "hub: pending", streams._hub._pending, MAX_PENDING_EVENTS
    limits = gateway._config.limits
    for listeners in streams._registry._listeners.values():
        yield "websockets of a token", len(listeners), limits.max_websockets
        for listener in listeners:
            outbox = listener.outbox
            yield "outbox: merged", len(outbox._latest), limits.max_channels
            if not listener.is_gone:  # else it is let go, with what still came
                yield "outbox: bytes", outbox._bytes, limits.queue_bytes
                yield "outbox: messages", outbox._counted, limits.queue_messages


def of_outbox(outbox: Outbox, now_s: float) -> Iterator[Count]:
    """Count what waits for one who listens, and how long for who takes nothing."""
    yield "outbox: bytes", outbox._bytes, outbox._max_bytes
    yield "outbox: messages", outbox._counted, outbox._max_messages
    waiting_s = 0.0 if outbox._waiting_since is None else now_s - outbox._waiting_since
    yield "outbox: milliseconds", int(waiting_s * 1000), int(STALLED_S * 1000)


GROUPS: tuple[Callable[[Gateway], Iterator[Count]], ...] = (
    of_ledger,
    of_sessions,
    of_trading,
    of_streams,
)


def check_bounds(gateway: Gateway, invariants: Invariants) -> None:
    """Count every queue of a daemon that has begun."""
    for group in GROUPS:
        _check(group(gateway), invariants)


def check_outbox(outbox: Outbox, now_s: float, invariants: Invariants) -> None:
    """Count what waits for one who listens, right after it was said that it may wait on."""
    _check(of_outbox(outbox, now_s), invariants)


def _check(counts: Iterator[Count], invariants: Invariants) -> None:
    for name, count, bound in counts:
        if count > bound:
            invariants.broken("bound", f"{name}: {count}, of at most {bound}")


def at_rest(gateway: Gateway) -> Iterator[Count]:
    """Count what must be gone when nobody asks for anything, and nothing is unknown."""
    journals, sharing = gateway.trading.reconcile, gateway.trading.account_state
    yield "orders under way", len(journals.log._running), 0
    yield "orders being settled", len(journals.log._settling), 0
    yield "ticket locks", len(sharing._locks), 0
    yield "halts not written", len(gateway.trading.kill_switch.switch._latched), 0
    for session in gateway.registry.sessions():
        yield "trades in flight", session.trades_in_flight, 0
    if journals.log._unresolved:
        return
    for reconciler in journals._reconcilers.values():
        if reconciler._task is not None and not reconciler._task.done():
            continue  # another terminal of the account was faster: it sees that at its next look
        yield "commands that are waited for", len(reconciler._patience._traceless_since_s), 0
        yield "commands that were heard of", len(reconciler._patience._heard_since_s), 0
        yield "commands that are looked for", len(reconciler._schedule._looks), 0


def check_at_rest(gateway: Gateway, invariants: Invariants) -> None:
    """See that nothing is left of what is over."""
    for name, count, most in at_rest(gateway):
        if count > most:
            invariants.broken("at rest", f"{name}: {count}")
