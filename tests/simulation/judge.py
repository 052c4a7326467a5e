"""Whether everybody was told the truth about what the broker did."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ea_bridge.model import DealEntry, TradeAction
from gateway.trading.requests import FIRST_HELD

from .intents import CONFLICT, ENDS, SWEEPS, Intent
from .receipts import faults, is_void
from .truth import Executed, Truth
from .verdict import WITHIN_S, Verdict

TAGGED = frozenset({"place_order", "close_position", "close_by"})
"""Methods whose requests carry the tag of their own id."""
NOT_SHOWN = frozenset({"deviation", "type_filling", "volume"})
"""Params by which orders are not told apart where their tags are gone: no terminal shows the
deviation, and the filling that one asks for may be that which the gateway chooses for another. The
lots are those of the command: a close without any asks for those that the position has."""
SUPERSEDED = "What it was to change"
"""How the error of a change begins that does not show any more."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a daemon says of an id at the end."""

    outcome: str | None
    """``None`` where the id is not known."""
    reconciled: bool = False
    """Its end was not answered but found out."""
    commands: tuple[int, ...] = ()
    """Ids of the commands that were sent for it."""
    message: str = ""
    """Of its error."""
    last: tuple[object, ...] = ()
    """Symbol, type and lots of the last of them, as the broker was to have them."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a daemon says at the end of all ids of an account."""

    known: Mapping[str, Known]
    links: Sequence[float]
    """When a terminal came back, in order, by the loop's clock."""


def judge(intents: Sequence[Intent], heard: Heard, truth: Truth, verdict: Verdict) -> None:
    """Compare what the bots were told, and what ``get_order`` says at the end, with the truth.

    Args:
        verdict: takes the figures.

    """
    executed = {one.id: executed_for(one, heard.known[one.id], truth) for one in intents}
    assigned = _assigned(intents, heard, executed)
    assigned |= _taken_for_closes(
        [one for one in intents if one.id not in assigned], heard, executed, truth
    )
    verdict.assigned += len(assigned)
    swept = SweptCloses.of(intents, truth)
    tickets: Counter[int] = Counter()
    for intent in intents:
        verdict.orders += 1
        known, done = heard.known[intent.id], executed[intent.id]
        verdict.executed += len(done)
        verdict.methods[intent.method] += bool(done)
        if intent.id not in assigned:
            if not done and swept.give(intent, known):
                verdict.assigned += 1
            else:
                _compare(intent, known, done, truth, verdict)
        _compare_conflicts(intent, verdict)
        _time(intent, known.outcome, heard.links, verdict)
        receipt = intent.receipt
        if intent.method == "place_order" and receipt is not None and receipt.order is not None:
            tickets[receipt.order] += 1
    verdict.wrong += [f"order {ticket} for {n} ids" for ticket, n in tickets.items() if n > 1]


def executed_for(intent: Intent, known: Known, truth: Truth) -> list[Executed]:
    """Return what was carried out for an intent: by its tag, or where a request has none of its
    own, by the commands that were sent for it.
    """
    if intent.method in TAGGED:
        return truth.tagged.get(intent.tag, [])
    return [one for command in known.commands for one in truth.commands.get(command, ())]


def _assigned(
    intents: Sequence[Intent], heard: Heard, executed: Mapping[str, Sequence[Executed]]
) -> set[str]:
    """Return those that were told each other's ends: requests whose commands are equal in all that
    tells orders apart, of each kind as many that were executed and are rejected as the other way
    round.
    """
    kinds: defaultdict[tuple[object, ...], list[Intent]] = defaultdict(list)
    for one in intents:
        if heard.known[one.id].reconciled and not _contradicts(one):
            shown = (item for item in one.params.items() if item[0] not in NOT_SHOWN)
            kinds[one.method, heard.known[one.id].last, *sorted(map(str, shown))].append(one)
    found = set[str]()
    for alike in kinds.values():
        told = [(one.id, heard.known[one.id].outcome, len(executed[one.id])) for one in alike]
        without = {id_ for id_, state, count in told if (state, count) == ("done", 0)}
        lacking = {id_ for id_, state, count in told if (state, count) == ("rejected", 1)}
        if len(without) == len(lacking):
            found |= without | lacking
    return found


def _taken_for_closes(
    intents: Sequence[Intent],
    heard: Heard,
    executed: Mapping[str, Sequence[Executed]],
    truth: Truth,
) -> set[str]:
    """Return closes and plain orders that were told each other's ends: on a netting account the
    order went into the position that the close was to close, so that their effect is the same.
    """
    found = set[str]()
    closes, plain = list[Intent](), list[Intent]()
    for one in intents:
        known, count = heard.known[one.id], len(executed[one.id])
        if known.reconciled and not _contradicts(one):
            match one.method, known.outcome, count:
                case "close_position", "done", 0:
                    closes.append(one)
                case "place_order", "rejected", 1:
                    plain.append(one)
    for close in closes:
        last, ticket = heard.known[close.id].last, close.params["ticket"]
        for order in plain:
            is_equal = order.id not in found and heard.known[order.id].last == last
            if is_equal and _has_reduced(executed[order.id][0], ticket, truth):
                found |= {close.id, order.id}
                break
    return found


@dataclass
class SweptCloses:
    """Closes of sweeps on MetaTrader 4 that no caller was told of.

    A closed trade there does not show which of two unclear closes has closed it: the older of them
    is taken to be the one, which may be that of a caller. Each is given once.
    """

    left: dict[object, list[Executed]]
    """By the ticket of the position."""

    @classmethod
    def of(cls, intents: Sequence[Intent], truth: Truth) -> SweptCloses:
        """Return those of an account."""
        left = defaultdict[object, list[Executed]](list)
        if truth.broker.terms.platform == "mt4":
            own = {one.tag for one in intents}
            for tag, executed in truth.tagged.items():
                for one in executed if tag not in own else ():
                    left[one.request.position].append(one)
        for reply in (reply for one in intents for reply in one.replies if reply.swept):
            closed: Any = reply.swept[1]
            for ticket in closed:
                left.pop(ticket, None)
        return cls(left)

    def give(self, intent: Intent, known: Known) -> bool:
        """Use up a sweep's close that explains this close; return whether there was one."""
        if (intent.method, known.outcome, known.reconciled) != ("close_position", "done", True):
            return False
        if _contradicts(intent) or None in {one.outcome for one in intent.replies}:
            return False
        for one in self.left.get(intent.params["ticket"], ()):
            if one.request.volume in known.last[2:]:
                self.left[intent.params["ticket"]].remove(one)
                return True
        return False


def _has_reduced(one: Executed, ticket: int, truth: Truth) -> bool:
    """Whether an order took from the position of a ticket, and added nothing to it."""
    deals = truth.broker.history_deals(ticket=one.result.order)
    reduced = {deal.position_id for deal in deals if deal.entry != DealEntry.IN}
    if len(reduced) != 1:
        return False
    # the ticket of a position is that of the order that opened it, or turned it round
    made = truth.broker.history_deals(position=reduced.pop())
    return any(deal.order == ticket and deal.entry != DealEntry.OUT for deal in made)


def _compare(
    intent: Intent, known: Known, executed: list[Executed], truth: Truth, verdict: Verdict
) -> None:
    count, told = len(executed), {one.outcome for one in intent.replies}
    said = (
        f"{intent.id} {intent.method} {intent.params} executed {count} times, "
        f"state {known}, told {intent.replies}"
    )
    if count > 1:
        verdict.doubled.append(said)
    may_be_repeated = verdict.has_disk_failed and intent.method in SWEEPS
    if None in told or (_contradicts(intent) and not may_be_repeated):
        verdict.wrong.append(said)
    if known.outcome == "unknown":
        (verdict.lost if intent.terminal_died else verdict.unresolved).append(said)
    if intent.method in SWEEPS or _is_held(intent, truth):
        if count or known.outcome not in ("done", "rejected", "not_sent", None):
            verdict.wrong.append(said)
        return
    if count == 0 and (known.outcome == "done" or "done" in told):
        if _has_other_hand(intent, known, truth):
            verdict.assigned += 1
        else:
            verdict.missing.append(said)
    elif count and known.outcome not in ("done", "unknown"):
        if known.outcome == "rejected" and is_void(executed[0], truth.broker):
            pass  # the market had nothing for it
        elif known.outcome == "rejected" and known.message.startswith(SUPERSEDED):
            verdict.superseded += 1
        else:
            verdict.wrong.append(said)
    if count == 1:
        _compare_receipt(intent, known, executed[0], truth, said, verdict)


def _compare_receipt(
    intent: Intent, known: Known, executed: Executed, truth: Truth, said: str, verdict: Verdict
) -> None:
    receipt = intent.receipt
    if executed.command not in known.commands:
        verdict.wrong.append(f"not by its own command {executed.command}: {said}")
    if receipt is None:
        return
    if intent.method == "place_order" and receipt.order != executed.result.order:
        verdict.swapped += 1
        return
    wrong = faults(intent, receipt, executed, truth.broker)
    if wrong:
        verdict.wrong.append(f"{', '.join(wrong)}: {executed} of {said}")


def _is_held(intent: Intent, truth: Truth) -> bool:
    """Whether it is about an order that the gateway keeps itself, so that nothing is sent.

    Without a receipt that is so of a stop-limit order on MetaTrader 4, but where its caller was
    told at last that it was not sent, and no try is open that may have been carried out after
    that: then nothing may be kept.
    """
    receipt = intent.receipt
    if receipt is not None and receipt.emulated:
        return True
    if intent.params.get("ticket", 0) >= FIRST_HELD:
        return True
    is_stop_limit = str(intent.params.get("type", "")).endswith("stop_limit")
    if not is_stop_limit or truth.broker.terms.platform != "mt4":
        return False
    return not intent.replies or intent.replies[-1].outcome != "not_sent" or bool(intent.open_at)


def _has_other_hand(intent: Intent, known: Known, truth: Truth) -> bool:
    """Whether a change that was not executed was made by somebody else, or was there from the
    beginning, so that it can be told from its own by nothing that a terminal shows.
    """
    if not known.reconciled or intent.method in TAGGED:
        return False
    ticket = intent.params["ticket"]
    changes = truth.changes.get(ticket, ())
    if intent.method == "cancel_order":
        return any(one.request.action == TradeAction.REMOVE for one in changes)
    takes_away = "sl" in intent.params and intent.params["sl"] is None  # where there was none
    maker = truth.makers.get(ticket)
    others = changes if maker is None else (*changes, maker)
    return takes_away or any(_makes(intent, one) for one in others)


def _makes(intent: Intent, one: Executed) -> bool:
    wanted = {name: intent.params[name] for name in ("price", "sl", "tp") if name in intent.params}
    return all(getattr(one.request, name) == (value or 0.0) for name, value in wanted.items())


def _compare_conflicts(intent: Intent, verdict: Verdict) -> None:
    """An id stands for what it was used for: with other params it is refused."""
    for reply in intent.conflicts:
        is_refused = reply.name in (CONFLICT, "shutting_down") and reply.outcome == "not_sent"
        if not is_refused and not _passes(reply.name):
            verdict.wrong.append(f"{intent.id} stood for something else as well: {reply}")


def _passes(name: str) -> bool:
    """Whether an error comes before anybody looks at an id."""
    return name in ("unauthorized", "forbidden", "terminal_disconnected", "internal_error")


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
