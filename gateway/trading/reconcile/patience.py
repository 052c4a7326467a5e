"""Time that a command may go without a trace before it is taken for not executed.

Its five minutes begin when nothing of it can be on its way any more: on a later link than the one
that it was written to; as soon as the terminal has answered it, whatever that was; and otherwise
when its time to begin is over. They are five minutes of one link, with the broker there all the
time: lists are empty for a while after a login, and what one link lacked says nothing on the next.
A computer that sleeps in between lets nothing of them pass: what is on its way sleeps as well.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable

from ea_bridge import host

from ..journal.intents import CommandRecord
from ..session import Session

GONE_S = 300.0
"""After so long a command that left no trace is taken for not executed."""
LONGEST_LOOK_S = 65.0
"""Time between two looks counts for no more: they are a minute apart, or the computer slept."""
SURE_S = 1.0
"""Beyond its time to begin, before a command that the terminal does not know is given up."""


class Patience:
    """With the commands of one terminal.

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

    def is_over(self, session: Session, send: CommandRecord) -> bool:
        """Whether the terminal will not begin with a command any more."""
        if session.id != send.session or send.is_answered:
            return True
        now_s = self._now_s()
        heard_s = self._heard_since_s.get(send.command_id, now_s)
        return now_s - heard_s > send.ttl_ms / 1000 + SURE_S

    def note_traceless(self, session: Session | None, send: CommandRecord) -> None:
        """Note that nothing shows a command; its time begins if it can."""
        if session is None or session.broker is not True or not self.is_over(session, send):
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
        """Whether all of these have; or one has for so long that it waits for none that is newer,
        lest those that come go on for ever.
        """
        now_s = self._now_s()
        ages_s = [now_s - self._traceless_since_s.get(send.command_id, now_s) for send in sends]
        # a stream of new commands would put the end off for ever, but for the second bound
        return all(map(self.ends, sends)) or max(ages_s) >= 2 * GONE_S > 0

    def keep(self, command_ids: Collection[int]) -> None:
        """Forget all others: they have ended."""
        for known in (self._heard_since_s, self._traceless_since_s):
            for command_id in known.keys() - command_ids:
                del known[command_id]
