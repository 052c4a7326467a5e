"""Schedule of looks into the account for commands of which nothing is known.

To look for it is to read the account's past since it was sent, and that grows for as long as the
account trades. So it is looked for often at first, and then ever less: all looks together cost no
more than a few at the end would.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable

from ea_bridge import host

from ..journal.intents import CommandRecord

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
