"""What the broker did, and whether everybody was told the truth about it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ea_bridge.emulator.broker import Broker
from ea_bridge.model import SUCCESSES, TradeAction, TradeRequest, TradeResult

from .bots import ENDS, Intent, Key

WITHIN_S = 10.0
"""In which an unknown outcome is to be found out after the terminal is back."""
_OF_ORDERS = frozenset({TradeAction.MODIFY, TradeAction.REMOVE})


class Truth:
    """What a broker has executed, by what the requests were for. The broker hears each comment
    before it rewrites it."""

    def __init__(self, broker: Broker) -> None:
        self.executed: defaultdict[Key, list[TradeResult]] = defaultdict(list)
        self._broker = broker
        self._orders_before = self._count()
        self._send = broker.send
        broker.send = self._witness  # type: ignore[method-assign]  # to see each request

    def _witness(self, request: TradeRequest, now_msc: int) -> TradeResult:
        result = self._send(request, now_msc)
        if result.retcode in SUCCESSES:
            self.executed[_key(request)].append(result)
        return result

    def _count(self) -> int:
        return len(self._broker.history_orders()) + len(self._broker.orders())

    def check(self) -> None:
        """Fail unless the books have as many new orders as requests for one were seen; what
        closes a position in MetaTrader 4 is none."""
        if self._broker.terms.platform == "mt5":
            seen = sum(len(found) for key, found in self.executed.items() if key[0] == "tag")
            assert self._count() - self._orders_before == seen


def _key(request: TradeRequest) -> Key:
    action = TradeAction(request.action)
    return (action, request.order) if action in _OF_ORDERS else ("tag", request.comment[:10])


@dataclass(kw_only=True)
class Verdict:
    """The figures of a run; ids of what is wrong."""

    orders: int = 0
    executed: int = 0
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """Told to be done, and not executed."""
    wrong: list[str] = field(default_factory=list)
    """``get_order`` says what is not so, or somebody was told two different ends."""
    unknown: int = 0
    """How many were unknown for a time."""
    slow: int = 0
    """Of those, found out later than 10 s after the terminal was back, and had not died."""
    slow_deaths: int = 0
    """The same of those over which it had died: what its table lacks is seen by its account."""
    unresolved: list[str] = field(default_factory=list)
    """Unknown to the last, though no terminal had died over it."""
    lost: list[str] = field(default_factory=list)
    """Unknown to the last: a terminal died over it."""
    assigned: int = 0
    """Told another end than its own, and an equal request that was unknown as well the other way
    round: as many of them are told to be done as were executed."""
    swapped: int = 0
    """Done, with the ticket of another order that is alike in everything."""
    seconds: list[float] = field(default_factory=list)
    """From the terminal's first return after the answer, or from the answer if it had been there
    all the time, until it was found out."""

    broken: list[str] = field(default_factory=list)
    """Rules that did not hold, each as its name and what was seen."""

    @property
    def is_right(self) -> bool:
        """Nothing doubled, missing, wrong or broken, and nothing is unknown to the last."""
        wrong = self.doubled or self.missing or self.wrong or self.broken
        return not (wrong or self.unresolved or self.lost)

    def breach(self, rule: str, seen: str) -> None:
        """Take that a rule did not hold."""
        self.broken.append(f"{rule}: {seen}")

    def __str__(self) -> str:
        seconds = sorted(self.seconds)
        share = 100 * self.unknown / max(self.orders, 1)
        return (
            f"{self.orders} orders, {self.executed} executed: {len(self.doubled)} doubled, "
            f"{len(self.missing)} missing, {len(self.wrong)} with a wrong state, "
            f"{len(self.broken)} rules broken, "
            f"{self.swapped} swapped, {self.assigned} assigned; "
            f"{self.unknown} unknown for a time ({share:.2f} %), "
            f"to the last {len(self.lost)} over which a terminal had died and "
            f"{len(self.unresolved)} others; {self.slow} others and {self.slow_deaths} such for "
            f"more than {WITHIN_S:.0f} s after the terminal was back; the others were found out "
            f"in {_quantile(seconds, 0.5):.2f} s (p50), "
            f"{_quantile(seconds, 0.99):.2f} s (p99), {_quantile(seconds, 1.0):.2f} s (max)"
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """What a daemon says at the end."""

    states: Mapping[str, str | None]
    """Outcome by id, ``None`` where the id is not known."""
    reconciled: Collection[str]
    """Ids whose ends were not answered but found out."""
    links: Sequence[float]
    """When the terminal came back, in order, by the loop's clock."""


def judge(intents: Sequence[Intent], heard: Heard, truth: Truth, verdict: Verdict) -> None:
    """Compare what the bots were told, and what ``get_order`` says at the end, with the truth.

    Args:
        verdict: takes the figures.

    """
    tickets: Counter[int | None] = Counter()
    counts = {one.id: len(truth.executed.get(one.key, [])) for one in intents}
    assigned = _assigned(intents, heard, counts)
    verdict.assigned += len(assigned)
    for intent in intents:
        verdict.orders += 1
        results = truth.executed.get(intent.key, [])
        verdict.executed += len(results)
        if intent.id not in assigned:
            _compare(intent, heard.states[intent.id], results, verdict)
        _time(intent, heard.states[intent.id], heard.links, verdict)
        if intent.method == "place_order" and intent.receipt is not None:
            ticket = intent.receipt.order
            tickets[ticket] += 1
            verdict.swapped += ticket not in [one.order for one in results]
    verdict.wrong += [f"order {ticket} for {n} ids" for ticket, n in tickets.items() if n > 1]


def _assigned(intents: Sequence[Intent], heard: Heard, counts: Mapping[str, int]) -> set[str]:
    """Return those that were told each other's ends: requests that are equal in all but their ids,
    of each kind as many that were executed and are rejected as the other way round.
    """
    kinds: defaultdict[tuple[object, ...], list[Intent]] = defaultdict(list)
    for one in intents:
        if one.id in heard.reconciled and not _contradicts(one):
            kinds[one.method, *sorted(one.params.items())].append(one)
    found = set[str]()
    for alike in kinds.values():
        told = [(one.id, heard.states[one.id], counts[one.id]) for one in alike]
        without = {id_ for id_, state, count in told if (state, count) == ("done", 0)}
        executed = {id_ for id_, state, count in told if (state, count) == ("rejected", 1)}
        if len(without) == len(executed):
            found |= without | executed
    return found


def _compare(
    intent: Intent, state: str | None, results: list[TradeResult], verdict: Verdict
) -> None:
    count = len(results)
    told = {one.outcome for one in intent.replies}
    said = (
        f"{intent.id} {intent.method} executed {count} times, state {state}, told {intent.replies}"
    )
    if count > 1:
        verdict.doubled.append(said)
    if "done" in told and not count:
        verdict.missing.append(said)
    allowed = {"done", "unknown"} if count else {"rejected", "not_sent", "unknown", None}
    if state not in allowed or None in told or _contradicts(intent):
        verdict.wrong.append(said)
    if state == "unknown":
        (verdict.lost if intent.terminal_died else verdict.unresolved).append(said)


def _contradicts(intent: Intent) -> bool:
    """Whether two answers cannot both be true. What was not sent may be sent later."""
    ends = {one for one in intent.replies if one.outcome in ENDS - {"not_sent"}}
    return len(ends) > 1


def _time(intent: Intent, state: str | None, links: Sequence[float], verdict: Verdict) -> None:
    if intent.unknown_at_s is None:
        return
    verdict.unknown += 1
    if intent.resolved_at_s is None or state == "unknown":
        return
    back = (one for one in links if intent.unknown_at_s <= one <= intent.resolved_at_s)
    took_s = intent.resolved_at_s - next(back, intent.unknown_at_s)
    if intent.terminal_died:
        verdict.slow_deaths += took_s > WITHIN_S
    else:
        verdict.seconds.append(took_s)
        verdict.slow += took_s > WITHIN_S


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
