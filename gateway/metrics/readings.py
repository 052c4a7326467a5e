"""Readings: what the parts of the daemon count and hold, at one moment, by name and label.

Labels have few values: methods and errors of ours, names of the terminals that the caller's owner
has tokens for. Tokens, symbols, accounts and ids of callers are never among them. What is counted
of all callers together is told without saying whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Literal

from ea_bridge.histogram import Histogram
from ea_bridge.registry import TerminalRegistry
from ea_bridge.session import SessionState, TerminalSession
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.paper.guarded_terminals import GuardedTerminals
from gateway.rpc.jsonrpc import CallMetrics
from gateway.rpc.server import WebServer
from gateway.runtime import RuntimeInfo
from gateway.storage.ledger import Ledger

Kind = Literal["counter", "gauge", "histogram"]
Labels = tuple[str, ...]
Buckets = tuple[tuple[int, ...], float]
"""Counts by bucket, each for itself, and the sum: see :meth:`.Histogram.read`."""

OTHER = "other"
"""``method`` of messages that named none of ours."""
OK = "ok"
"""``outcome`` of a call that was answered with a result."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One metric with all its samples. Names are without the prefix, and as Prometheus wants them:
    in seconds and bytes, counters with ``_total``.
    """

    name: str
    kind: Kind
    help: str
    labels: Labels = ()
    values: Mapping[Labels, float] = field(default_factory=dict)
    buckets: Mapping[Labels, Buckets] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Parts of the daemon that are read."""

    info: RuntimeInfo
    web: WebServer
    gate: Gate
    registry: TerminalRegistry
    trading: GuardedTerminals
    ledger: Ledger


def read_all(sources: Sources, caller: Caller) -> list[Reading]:
    """Return all that a caller may see; for the loop's thread, and without a wait."""
    names = _terminals(sources, caller)
    return [
        *_of_daemon(sources, caller),
        *_of_calls(sources.web.front.metrics),
        *_of_clients(sources.web),
        *_of_streams(sources),
        *_of_terminals(sources.registry, names),
        *_of_trading(sources.trading, names),
        *_of_ledger(sources.ledger),
    ]


def _terminals(sources: Sources, caller: Caller) -> list[str]:
    """Return the terminals that are told of: those of the caller's owner that were ever linked,
    before this run as well. A token that only programs use is for none.
    """
    gate, registry, log = sources.gate, sources.registry, sources.trading.reconcile.log
    return [
        name
        for name in gate.open_terminals(gate.owner(caller.tid))
        if registry.facts(name) is not None or log.account_of(name) is not None
    ]


def _gauge(name: str, help: str, value: float) -> Reading:
    return Reading(name, "gauge", help, (), {(): value})


def _counter(name: str, help: str, value: float) -> Reading:
    return Reading(name, "counter", help, (), {(): value})


def _counters(name: str, help: str, label: str, values: Mapping[str, float]) -> Reading:
    return Reading(name, "counter", help, (label,), {(key,): n for key, n in values.items()})


def _of_daemon(sources: Sources, caller: Caller) -> Iterator[Reading]:
    info = sources.info
    yield Reading("info", "gauge", "Version of the gateway.", ("version",), {(info.version,): 1})
    yield _gauge(
        "start_time_seconds", "Start of the gateway, since 1970 in UTC.", info.started_ms / 1000
    )
    console = info.console(caller.tid)
    if console is not None:
        yield _gauge(
            "console_connected", "1 while the console can be reached.", float(console.connected)
        )


def _of_calls(methods: Mapping[str, CallMetrics]) -> Iterator[Reading]:
    calls: dict[Labels, float] = {}
    durations: dict[Labels, Buckets] = {}
    for name, metrics in methods.items():
        method = name or OTHER
        whole = metrics.whole.read()
        total, failed = sum(whole[0]), dict(metrics.errors)
        # what nobody has called would be most of the text
        if not total:
            continue
        calls[method, OK] = total - sum(failed.values())
        calls |= {(method, error): n for error, n in failed.items()}
        durations[method, "whole"] = whole
        stages = {"queue": metrics.queue.read(), "terminal": metrics.terminal.read()}
        durations |= {(method, stage): told for stage, told in stages.items() if sum(told[0])}
    yield Reading(
        "calls_total", "counter", "Calls answered, by error or ok.", ("method", "outcome"), calls
    )
    yield Reading(
        "call_duration_seconds",
        "histogram",
        "Duration of calls: queue until the first command goes to the terminal, terminal with it.",
        ("method", "stage"),
        buckets=durations,
    )


def _of_clients(web: WebServer) -> Iterator[Reading]:
    yield _counter(
        "dropped_notifications_total",
        "Trades that came without an id, and were not sent.",
        web.front.dropped_notifications,
    )
    yield _counters(
        "refused_requests_total",
        "HTTP requests that were refused before they were looked into.",
        "status",
        {str(status): n for status, n in web.refused.items()},
    )
    yield _gauge("connections", "Open connections, WebSockets among them.", web.open_connections)
    yield _gauge(
        "unauthenticated_connections", "Those that have shown no token.", web.unauthenticated
    )
    yield _gauge("websockets", "Open WebSocket connections.", web.open_websockets)
    yield _counters(
        "websockets_closed_total",
        "WebSocket connections that are over, by reason.",
        "reason",
        web.websockets.closed,
    )


def _of_streams(sources: Sources) -> Iterator[Reading]:
    queues, streams = sources.web.websockets.queues, sources.trading.streams
    yield _gauge("calls_waiting", "Calls of WebSockets that wait for something.", queues.calls)
    yield _gauge(
        "outbox_messages", "Answers and events that wait for slow readers.", queues.messages
    )
    yield _gauge("outbox_longest_messages", "The most of one connection.", queues.longest)
    yield _gauge("outbox_bytes", "Bytes of those that cannot be merged.", queues.size)
    yield _counter(
        "events_merged_total", "Events dropped for newer ones, of slow readers.", queues.merged
    )
    yield _counter("events_delivered_total", "Events handed to connections.", streams.delivered)
    yield Reading(
        "subscriptions",
        "gauge",
        "Subscriptions by topic.",
        ("topic",),
        {(topic,): n for topic, n in streams.subscribed().items()},
    )


_OF_LINKS: tuple[tuple[str, str, Callable[[TerminalSession], float | None]], ...] = (
    (
        "terminal_round_trip_seconds",
        "Time of the last heartbeat, there and back.",
        attrgetter("round_trip_s"),
    ),
    (
        "terminal_silence_seconds",
        "Time since the terminal said something.",
        attrgetter("silence_s"),
    ),
    (
        "terminal_commands_in_flight",
        "Commands that wait for the terminal's answer.",
        attrgetter("in_flight"),
    ),
    (
        "terminal_broker_connected",
        "1 while the terminal is connected to its broker.",
        attrgetter("broker"),
    ),
    (
        "terminal_autotrading",
        "1 while AutoTrading is on in the terminal.",
        attrgetter("autotrading"),
    ),
)
"""What is told of each live link: name, help, and how to read it; ``None`` is not known yet."""


def _of_terminals(registry: TerminalRegistry, names: Iterable[str]) -> Iterator[Reading]:
    states: dict[Labels, float] = {}
    dropped: dict[Labels, float] = {}
    sessions: dict[Labels, TerminalSession] = {}
    for name in names:
        session = registry.get(name)
        if session is not None:
            sessions[name,] = session
            dropped[name, "answers"] = session.strays
            dropped[name, "events"] = session.counters.unknown_symbol
        now = SessionState.DISCONNECTED if session is None else session.state
        states |= {(name, state.value): float(state is now) for state in SessionState}
    yield Reading(
        "terminal_state",
        "gauge",
        "1 for the state that the link of a terminal is in.",
        ("terminal", "state"),
        states,
    )
    for metric, told, read in _OF_LINKS:
        found = {key: read(session) for key, session in sessions.items()}
        known = {key: float(value) for key, value in found.items() if value is not None}
        yield Reading(metric, "gauge", told, ("terminal",), known)
    yield Reading(
        "terminal_dropped_total",
        "counter",
        "What a terminal sent and nobody took, since its link began: late answers, events of "
        "symbols that were not asked for.",
        ("terminal", "what"),
        dropped,
    )


def _of_trading(trading: GuardedTerminals, names: Iterable[str]) -> Iterator[Reading]:
    unknown = trading.reconcile.log.unresolved_by_terminal()
    switch = trading.kill_switch.switch
    yield Reading(
        "orders_unknown",
        "gauge",
        "Orders of which nobody knows yet whether they were executed.",
        ("terminal",),
        {(name,): unknown[name] for name in names},
    )
    yield Reading(
        "trading_halted",
        "gauge",
        "1 while the kill switch stops trading of the terminal.",
        ("terminal",),
        {(name,): float(bool(switch.over(name))) for name in names},
    )


def _of_ledger(ledger: Ledger) -> Iterator[Reading]:
    yield _counters(
        "ledger_writes_total",
        "Writes of orders, halts and the audit trail.",
        "outcome",
        {"done": ledger.done, "failed": ledger.failed},
    )
    yield _gauge("ledger_writes_waiting", "Writes that are not on the disk yet.", ledger.waiting)
    yield _duration("ledger_commit_seconds", "Duration of commits of the ledger.", ledger.commits)
    yield _gauge(
        "ledger_has_reserve",
        "0 while the disk is full: nothing that adds risk is traded.",
        float(ledger.has_reserve),
    )


def _duration(name: str, help: str, histogram: Histogram) -> Reading:
    return Reading(name, "histogram", help, buckets={(): histogram.read()})
