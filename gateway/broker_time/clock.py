"""The broker's wall clock, and how it becomes UTC.

MetaTrader types the broker's wall clock as if it were UTC and does not tell the time zone.
:class:`BrokerClock` learns the offset from heartbeats: each carries ``tcur`` (``TimeCurrent``, the
stamp of the newest quote, broker time) and ``tgmt`` (``TimeGMT``, the PC's idea of UTC). While
quotes arrive, their difference is the offset, give or take the age of the quote; without quotes
``tcur`` stands still (a Sunday shows Friday evening) and says nothing.

Past dates need the offset of that date: see :mod:`gateway.broker_time.timetable`. A rule that a
measurement contradicts is given up, but not where a broker puts its clock on or back some hours
before its zone does, or after; what no rule foresaw holds from the moment on at which it was seen.

In autumn a clock shows an hour twice. Stamps of that hour mean its first time as long as it is not
over, and also later if quotes came in it: a broker's stamps do not go back, and so there are none
of the second time; or its second time where nobody has seen the first.

Sans-I/O: time is an argument. :class:`BrokerClocks` feeds the clock of each terminal with its
heartbeats, and begins it anew with its account.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal

from ea_bridge.host import boot_ms, wall_ms
from ea_bridge.registry import ChangeKind, TerminalChange
from ea_bridge.session import TerminalSession

from .timetable import ALWAYS_MS, OffsetTransition, Timetable, ZoneRule, transitions_of

GRID_S = 900
"""Time zones lie on quarters of an hour."""
MAX_RESIDUE_S = 120
"""A measurement further than this from the grid is a wrong PC clock, or an old quote."""
MAX_OFFSET_S = 14 * 3600
MAX_GAP_S = 5
"""Heartbeats further apart than this don't show that a quote in between is fresh."""
FRESH_MS = 60_000
"""A quote that came between two heartbeats no further apart than this is no older."""
SHOWN_MS = 3_600_000
"""So long a fresh quote tells the broker's clock, whatever ours shows: after it markets may be
closed, and the clock put on or back."""
AGREEING = 3
"""Equal measurements in a row that make an offset."""
MANY = 10
"""As many make it certain."""
EARLIEST_S = 946_684_800
"""The year 2000: an earlier stamp is none."""
NEAR_S = 2 * 86_400
"""So far from the hour of its zone a broker may put its clock on or back: it has the weekend."""

Rule = Literal[ZoneRule, "constant"]
Source = Literal["ticks", "assumed"]
Confidence = Literal["high", "low", "none"]

_RULES: tuple[ZoneRule, ...] = ("new_york+7h", "eet")
_NONE: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class OffsetEstimate:
    """Estimate of the offset by a :class:`BrokerClock`."""

    offset_s: int
    rule: Rule
    source: Source
    confidence: Confidence
    since_ms: int | None


class BrokerClock:
    """Tells broker time from UTC and back, for any date.

    Until measured it assumes the commonest rule, and says so in :attr:`estimate`. Feed it every
    heartbeat with :meth:`observe`.
    """

    def __init__(self) -> None:
        self._account: tuple[int, str] | None = None
        self._begin()

    def _begin(self) -> None:
        """Know nothing."""
        self._rules = list(_RULES)
        self._moved: dict[tuple[ZoneRule, int], int] = {}
        """Moments of transitions that the broker made earlier or later than its rule says."""
        self._quoted: set[int] = set()
        """Transitions before which quotes came in the hour that is doubled."""
        self._measured_s: int | None = None
        self._since_s = 0
        self._candidate_s = 0
        self._candidate_since_s = 0
        self._agreeing = 0
        self._confirmed = 0
        self._last: tuple[int, int] | None = None
        self._quoted_ms: tuple[int, int] | None = None
        """Stamp of the newest quote, and our time since boot when it was seen first."""
        self._heard_ms = -ALWAYS_MS
        """Our time since boot at the last heartbeat."""
        self._is_fresh = False
        """The newest quote came between two heartbeats, and was not there before."""
        self._now_s = 0
        self._ahead_ms = 0
        self._ahead_then_ms = 0
        self._use(_RULES[0], transitions_of(_RULES[0]))

    # --- learning --------------------------------------------------------------------------

    def of_account(self, login: int, server: str) -> bool:
        """Forget what another account's broker has shown; return whether times mean another now.

        Accounts of one server have one clock, but a terminal shows the newest quote that it has
        seen of the new one.
        """
        before, account = self._account, (login, server)
        if not login or account == before:
            return False  # logged in nowhere, it shows what it has shown before
        self._account = account
        if before is None:
            return False
        if before[1] == server:
            # one clock, but the newest quote may be of the account before
            self._last = self._quoted_ms = None
            return False
        self._begin()
        return True

    def observe(self, tcur: int, tgmt: int) -> bool:
        """Learn from a heartbeat (seconds); return whether the offset or its rule changed.

        An offset counts only while quotes arrive: ``tcur`` has moved since the heartbeat just
        before. A transition that the rule knows needs no quote.
        """
        last, self._last = self._last, (tcur, tgmt)
        if tcur <= 0 or tgmt <= 0:
            return False
        turned = self._pass(tgmt)
        self._see_quote(tcur, tgmt, last)
        # without a fresh quote the difference is its age, and says nothing of the offset
        if last is None or tcur <= last[0] or not 0 <= tgmt - last[1] <= MAX_GAP_S:
            return turned
        offset = round((tcur - tgmt) / GRID_S) * GRID_S
        # no time zone lies there: the PC's clock is wrong, or the quote is old
        if abs(tcur - tgmt - offset) > MAX_RESIDUE_S or abs(offset) > MAX_OFFSET_S:
            return turned
        return self._count(offset, tcur - offset) or turned

    def see(self, tcur: int, boot_ms: int) -> None:
        """Learn from a heartbeat what the broker's clock shows itself, whatever ours shows.

        Args:
            tcur: in seconds.
            boot_ms: milliseconds of a clock that nobody sets, sleep included.

        """
        before = self._quoted_ms
        if tcur >= EARLIEST_S and (before is None or before[0] != tcur * 1000):
            self._quoted_ms = tcur * 1000, boot_ms
            # the first quote that we see may be days old
            self._is_fresh = before is not None and boot_ms - self._heard_ms <= FRESH_MS
        self._heard_ms = boot_ms

    def compare(self, tgmt: int, utc_ms: int) -> None:
        """Learn how far the terminal's idea of UTC (seconds) is from the daemon's.

        They are one machine's, so that it is nothing; but ``TimeGMT`` follows the PC's time zone,
        and an emulated terminal may live in another year.
        """
        ahead_ms = tgmt * 1000 - utc_ms
        self._ahead_ms = ahead_ms if abs(ahead_ms) > MAX_GAP_S * 1000 else 0

    def _pass(self, tgmt: int) -> bool:
        """Go on to a moment; return whether a transition lies before it."""
        before_s, is_first = self.offset_s, not self._now_s
        self._now_s = tgmt
        if not self._present.utc_start <= tgmt * 1000 < self._present.utc_end:
            self._lay()
        return not is_first and self.offset_s != before_s

    def _see_quote(self, tcur: int, tgmt: int, last: tuple[int, int] | None) -> None:
        """See in which time of a doubled hour quotes come.

        A quote is never ahead of the present: one of that hour that is there before the transition
        is of the first time. Of the second is what comes after it, and is as old as that.
        """
        index = self._table.index(tgmt * 1000)
        if tcur * 1000 in self._table.doubled(index + 1):
            self._quoted.add(self._table.transitions[index + 1].utc_ms)
        elif tcur * 1000 in self._table.doubled(index) and last is not None and tcur != last[0]:
            transition = self._table.transitions[index]
            is_fresh = abs(tcur - tgmt - transition.offset_ms // 1000) <= MAX_RESIDUE_S
            if is_fresh and transition.utc_ms in self._quoted:
                self._quoted.discard(transition.utc_ms)
                self._lay()

    def _count(self, offset: int, at_s: int) -> bool:
        """Count a measurement by a quote of that moment.

        One that is seen right after a transition may be of before it.
        """
        if offset != self._candidate_s or not self._agreeing:
            self._agreeing, self._candidate_s, self._candidate_since_s = 0, offset, at_s
        self._agreeing += 1
        # one measurement may be an old quote; several in a row are a clock
        if self._agreeing < AGREEING:
            return False
        if offset == self._measured_s and offset == self.offset_at(at_s * 1000) // 1000:
            self._confirmed += 1
            return False
        before = (self._measured_s, self._rule)
        self._adopt(offset, at_s)
        return (self._measured_s, self._rule) != before

    def _adopt(self, offset: int, at_s: int) -> None:
        stepped = self._measured_s not in (None, offset)
        if abs(self._ahead_ms - self._ahead_then_ms) > MAX_GAP_S * 1000:
            # the PC's clock was set, not the broker's: what it had us believe is worth nothing
            self._rules, stepped = list(_RULES), False
            self._moved.clear()
        self._measured_s, self._since_s, self._confirmed = offset, at_s, AGREEING
        self._ahead_then_ms = self._ahead_ms
        exact = [rule for rule in self._rules if _offset_at(transitions_of(rule), at_s) == offset]
        self._rules = [rule for rule in self._rules if self._fits(rule, offset, at_s)]
        chosen = next(iter(exact or self._rules), None)
        # the rule that held so far, if it fits: two rules agree for most of the year
        chosen = next((rule for rule in exact if rule == self._rule), chosen)
        if chosen is not None:
            self._use(chosen, self._transitions_as_made(chosen))
        elif stepped:
            at_ms = self._candidate_since_s * 1000
            kept = [
                transition for transition in self._table.transitions if transition.utc_ms < at_ms
            ]
            self._use("constant", (*kept, OffsetTransition(at_ms, offset * 1000)))
        else:
            self._use("constant", (OffsetTransition(-ALWAYS_MS, offset * 1000),))

    def _fits(self, rule: ZoneRule, offset: int, at_s: int) -> bool:
        """Whether a rule allows an offset, at once or near a turn; note when that was made."""
        transitions, at_ms = transitions_of(rule), at_s * 1000
        index = Timetable(transitions).index(at_ms)
        transition, following = transitions[index], transitions[index + 1 : index + 2]
        if transition.offset_ms == offset * 1000:
            if self._moved.get((rule, transition.utc_ms), 0) > at_ms:  # late, and made by now
                self._moved[rule, transition.utc_ms] = self._candidate_since_s * 1000
            for step in following:  # early, and taken back
                self._moved.pop((rule, step.utc_ms), None)
            return True
        for step in following:
            if step.offset_ms == offset * 1000 and step.utc_ms - at_ms < NEAR_S * 1000:
                since_ms = self._candidate_since_s * 1000
                self._moved[rule, step.utc_ms] = min(
                    since_ms, self._moved.get((rule, step.utc_ms), since_ms)
                )
                return True
        is_late = index > 0 and transitions[index - 1].offset_ms == offset * 1000
        limit_ms = transition.utc_ms + NEAR_S * 1000
        if is_late and at_ms < limit_ms:
            self._moved[rule, transition.utc_ms] = limit_ms
            return True
        return False

    def _transitions_as_made(self, rule: ZoneRule) -> tuple[OffsetTransition, ...]:
        """Return a rule's transitions, each at the moment at which this broker made it."""
        return tuple(
            transition._replace(
                utc_ms=self._moved.get((rule, transition.utc_ms), transition.utc_ms)
            )
            for transition in transitions_of(rule)
        )

    def _use(self, rule: Rule, transitions: tuple[OffsetTransition, ...]) -> None:
        self._rule: Rule = rule
        self._table = Timetable(transitions)
        self._lay()

    def _lay(self) -> None:
        """Settle what doubled hours mean, as seen from now."""
        transitions, now_ms = self._table.transitions, self._now_s * 1000
        first = (
            {transition.utc_ms for transition in transitions if transition.utc_ms > now_ms}
            if now_ms
            else _NONE
        )
        self._table = Timetable(transitions, first | self._quoted)
        self._present = self._table.at(now_ms)
        self._span = self._table.spans[-1]

    # --- telling ---------------------------------------------------------------------------

    @property
    def estimate(self) -> OffsetEstimate:
        """What is known now, for people and for ``get_server_info``."""
        measured = self._measured_s
        confidence: Confidence = "high" if self._confirmed >= MANY else "low"
        return OffsetEstimate(
            offset_s=self.offset_s,
            rule=self._rule,
            source="assumed" if measured is None else "ticks",
            confidence="none" if measured is None else confidence,
            since_ms=None if measured is None else self._since_s * 1000,
        )

    @property
    def is_measured(self) -> bool:
        """Whether the offset was measured, and is not a guess."""
        return self._measured_s is not None

    @property
    def offset_s(self) -> int:
        """Broker time minus UTC, at the last heartbeat; before the first, in winter."""
        if self._now_s:
            return self.offset_at(self._now_s * 1000) // 1000
        return min(span.offset for span in self._table.spans[-2:]) // 1000

    def offset_at(self, utc_ms: int) -> int:
        """Return broker time minus UTC at a moment, in milliseconds."""
        span = self._present
        if not span.utc_start <= utc_ms < span.utc_end:
            span = self._table.at(utc_ms)
        return span.offset

    def broker_now_ms(self, utc_ms: int) -> int:
        """Return what the broker's clock shows when the daemon's shows that."""
        return self.to_broker_ms(utc_ms + self._ahead_ms)

    def present_ms(self, utc_ms: int, boot_ms: int) -> int:
        """Return what the broker's clock shows now, whether ours is right or not.

        Quotes tell it while they come; else it is taken from ours, which may have been set.

        Args:
            utc_ms: what our clock shows.
            boot_ms: see :meth:`see`.

        """
        # quotes before our own clock: that may have been set, and a broker's stamps go on
        if self._quoted_ms is not None and self._is_fresh:
            stamp_ms, seen_ms = self._quoted_ms
            if boot_ms - seen_ms <= SHOWN_MS:
                return stamp_ms + boot_ms - seen_ms
        return self.broker_now_ms(utc_ms)

    def shown_ms(self, boot_ms: int) -> int | None:
        """Return what the broker's clock shows, by its quotes alone; ``None``: none was seen.

        It does not matter how wrong our clock is, or whether it is set. It shows less where the
        first quote that we saw was old by then.
        """
        if self._quoted_ms is None:
            return None
        stamp_ms, seen_ms = self._quoted_ms
        return stamp_ms + boot_ms - seen_ms

    def least_ms(self, boot_ms: int) -> int | None:
        """Return what the broker's clock shows at the least, by a quote of the last minute, so
        that it cannot have been put back since; ``None``: there was none.
        """
        shown_ms = self.shown_ms(boot_ms)
        is_recent = self._quoted_ms is not None and boot_ms - self._quoted_ms[1] <= FRESH_MS
        return shown_ms if is_recent else None

    def to_utc_ms(self, broker_ms: int) -> int:
        """Turn broker milliseconds into UTC milliseconds.

        The hour that a clock shows twice in autumn means its second time (a Sunday morning
        without quotes, under each rule that we know), but its first as long as that is not over,
        or if quotes came in it.
        """
        span = self._span
        if not span.broker_start <= broker_ms < span.broker_end:
            self._span = span = self._table.of_stamp(broker_ms)
        return broker_ms - span.offset

    def to_broker_ms(self, utc_ms: int) -> int:
        """Turn UTC milliseconds into broker milliseconds."""
        return utc_ms + self.offset_at(utc_ms)

    def stamps(self, first_ms: int, last_ms: int) -> tuple[int, int]:
        """Return the first and last stamps that :meth:`to_utc_ms` puts into a span of UTC.

        Both ends are included; in broker milliseconds. A clock that is put back within the span
        loses none of them. The first is later than the last where there can be none.
        """
        return self._table.stamps(first_ms, last_ms)


def _offset_at(transitions: tuple[OffsetTransition, ...], utc_s: int) -> int:
    return Timetable(transitions).at(utc_s * 1000).offset // 1000


Told = Callable[[str], None]
"""Called with the name of a terminal whose clock means something else now."""
_LINKED = (ChangeKind.ACCOUNT_CHANGED, ChangeKind.CONNECTED)


class BrokerClocks:
    """The broker's clocks; there are as many as tokens were ever named."""

    def __init__(self) -> None:
        self._clocks = defaultdict[str, BrokerClock](BrokerClock)

    def of(self, terminal: str) -> BrokerClock:
        """Return that of a terminal, which stays the same whatever it is logged in to."""
        return self._clocks[terminal]

    def linked(self, told: Told, change: TerminalChange) -> None:
        """Take a terminal's link: it may be logged in to another broker now.

        It must be known before the first command is sent, which notes what the clock shows.
        """
        if change.kind not in _LINKED:
            return
        terminal, hello = change.facts.terminal, change.facts.hello
        if self.of(terminal).of_account(hello.login, hello.server):
            # when all others have heard of the link, too
            asyncio.get_running_loop().call_soon(told, terminal)

    def beat(self, told: Told, session: TerminalSession, tcur: int, tgmt: int) -> None:
        """Take a heartbeat."""
        clock = self.of(session.terminal)
        clock.see(tcur, boot_ms())
        clock.compare(tgmt, wall_ms())
        if clock.observe(tcur, tgmt):
            told(session.terminal)
