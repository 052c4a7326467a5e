"""Pauses between looks for a command, and the time after which one without a trace is given up.

To look for it is to read the account's past since it was sent, and that grows for as long as the
account trades. So it is looked for often at first, and then ever less (:class:`RetrySchedule`):
all looks together cost no more than a few at the end would.

The five minutes after which a command without a trace is taken for not executed
(:class:`Patience`) begin when nothing of it can be on its way any more: on a later link than the
one that it was written to; as soon as the terminal has answered it, whatever that was; and
otherwise when its time to begin is over. They are five minutes of one link, with the broker there
all the time: lists are empty for a while after a login, and what one link lacked says nothing on
the next. A computer that sleeps in between lets nothing of them pass: what is on its way sleeps as
well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable

from ea_bridge import host

from ..journal.intents import CommandRecord
from ..session import TradingSession

DENSE_S = 600.0
"""For so long the pauses stay under a minute: histories lag by seconds, seldom by minutes."""
MAX_DENSE_S = 60.0
MAX_PAUSE_S = 3600.0
OLD = 0.01
"""Share of its age that one waits after the first look, which mostly tells already."""
SPARSE = 0.1
"""Share of the time since the first look, in the long run."""


class RetrySchedule:
    """Due times of commands that are looked for.

    Args:
        now_ms: UTC, as in the times of commands.
        monotonic_s: seconds that only grow.

    """

    def __init__(
        self, now_ms: Callable[[], int], monotonic_s: Callable[[], float] = host.monotonic_s
    ) -> None:
        self._now_ms = now_ms
        self._monotonic_s = monotonic_s
        self._scene: Hashable = None
        self._looks: dict[int, tuple[float, float, float]] = {}

    def due(self, sends: Iterable[CommandRecord], scene: Hashable) -> list[CommandRecord]:
        """Return the commands to look for now.

        Args:
            scene: what everybody is due again after a change of: a new link, or a broker that is
                back, may show what was not there before.

        """
        if scene != self._scene:
            self._scene = scene
            self._looks.clear()
        now_s = self._monotonic_s()
        return [send for send in sends if now_s >= self._due_s(send)]

    def looked(self, sends: Iterable[CommandRecord]) -> None:
        """Note that it was looked for these."""
        now_s = self._monotonic_s()
        for send in sends:
            age_s = (self._now_ms() - send.created_ms) / 1000
            first_s, _, age_s = self._looks.get(send.command_id, (now_s, now_s, age_s))
            self._looks[send.command_id] = (first_s, now_s, age_s)

    def forget(self, send: CommandRecord) -> None:
        """It has ended."""
        self._looks.pop(send.command_id, None)

    def keep(self, command_ids: Collection[int]) -> None:
        """Forget all others: they have ended."""
        for command_id in self._looks.keys() - command_ids:
            del self._looks[command_id]

    def _due_s(self, send: CommandRecord) -> float:
        if send.command_id not in self._looks:
            return 0.0
        first_s, last_s, age_s = self._looks[send.command_id]
        # each pause is a share of the time that has passed: all looks together cost no more than
        # a few of the last one, however much past there is to read
        passed_s = last_s - first_s
        if passed_s >= DENSE_S:
            return last_s + min(SPARSE * passed_s, MAX_PAUSE_S)
        return last_s + min(max(passed_s, OLD * age_s), MAX_DENSE_S)


GONE_S = 300.0
"""After so long a command that left no trace is taken for not executed."""
LONGEST_LOOK_S = 65.0
"""Time between two looks counts for no more: they are a minute apart, or the computer slept."""
SURE_S = 1.0
"""Beyond its time to begin, before a command that the terminal does not know is given up."""


class Patience:
    """Time limits after which a command without a trace counts as not executed.

    Args:
        monotonic_s: seconds that only grow.
    """

    def __init__(self, monotonic_s: Callable[[], float] = host.monotonic_s) -> None:
        self._monotonic_s = monotonic_s
        self._last_s: float | None = None
        self._awake_s = 0.0
        self._scene: Hashable = None
        self._heard_since_s: dict[int, float] = {}
        self._traceless_since_s: dict[int, float] = {}

    def _now_s(self) -> float:
        """Return the seconds that have passed while the computer was awake."""
        now_s = self._monotonic_s()
        if self._last_s is not None:
            # asleep, the computer's sockets sleep as well: that time says nothing of a command
            self._awake_s += min(now_s - self._last_s, LONGEST_LOOK_S)
        self._last_s = now_s
        return self._awake_s

    def enter(self, scene: Hashable) -> None:
        """Take the link and the state of the broker; where one of them is new all begins anew."""
        if scene != self._scene:
            self._scene = scene
            # after a login lists are empty for a while; what one link lacked proves nothing
            self._traceless_since_s.clear()

    def heard(self, sends: Iterable[CommandRecord]) -> None:
        """Note that the terminal has answered what it was asked after these were written to it:
        what it reads comes in order, so all of them had arrived.
        """
        now_s = self._now_s()
        for send in sends:
            self._heard_since_s.setdefault(send.command_id, now_s)

    def is_over(self, session: TradingSession, send: CommandRecord) -> bool:
        """Whether the terminal will not begin with a command any more."""
        if session.id != send.session or send.is_answered:
            return True
        now_s = self._now_s()
        heard_s = self._heard_since_s.get(send.command_id, now_s)
        # from an answer on: the terminal reads in order, so the command had arrived by then, and
        # its time to begin runs from its arrival there
        return now_s - heard_s > send.ttl_ms / 1000 + SURE_S

    def note_traceless(self, session: TradingSession | None, send: CommandRecord) -> None:
        """Note that nothing shows a command; its time begins if it can."""
        if session is None or session.broker is not True or not self.is_over(session, send):
            # a broker that is away takes its lists along: what they lack proves nothing
            self._traceless_since_s.pop(send.command_id, None)
        else:
            self._traceless_since_s.setdefault(send.command_id, self._now_s())

    def may_end(self, send: CommandRecord) -> bool:
        """Whether it may come to an end at the next look, which therefore has to be thorough."""
        now_s = self._now_s()
        return now_s - self._traceless_since_s.get(send.command_id, now_s) >= GONE_S

    def ends(self, send: CommandRecord) -> bool:
        """Whether it has gone without a trace for long enough."""
        return send.command_id in self._traceless_since_s and self.may_end(send)

    def ends_together(self, sends: Collection[CommandRecord]) -> bool:
        """Whether all given commands have timed out, or one has waited for twice the limit."""
        now_s = self._now_s()
        ages_s = [now_s - self._traceless_since_s.get(send.command_id, now_s) for send in sends]
        # a stream of new commands would put the end off for ever, but for the second bound
        return all(map(self.ends, sends)) or max(ages_s) >= 2 * GONE_S > 0

    def keep(self, command_ids: Collection[int]) -> None:
        """Forget all others: they have ended."""
        for known in (self._heard_since_s, self._traceless_since_s):
            for command_id in known.keys() - command_ids:
                del known[command_id]
