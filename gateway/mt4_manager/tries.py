"""How fast wrong passwords of operators are answered.

Counted by name, whether there is such an operator or not, and only where the password was wrong: a
right one is never refused. On loopback all have one address and anybody knows a name, so a wait
that held for the operator too would be a gift to whoever wants to keep him out. Guessing is slow
enough by the hash, the length of passwords and the pace of failures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gateway.credentials.tries import delay_s

MAX_NAMES = 4096
"""Names that are remembered; then the one that was tried longest ago is forgotten."""


class Tries:
    """Counts wrong passwords, since the start of the gateway.

    Args:
        now_s: seconds that only grow.

    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def failed(self, name: str) -> float:
        """Note a wrong password; return how much too early it came, in seconds, or 0.

        One that came too early says nothing new and makes the wait no longer.
        """
        failures, at_s = self._failed.get(name, (0, 0.0))
        now_s = self._now_s()
        wait_s = delay_s(failures) - (now_s - at_s)
        if failures and wait_s > 0:
            return wait_s
        self._failed[name] = (failures + 1, now_s)
        self._failed.move_to_end(name)
        if len(self._failed) > MAX_NAMES:
            self._failed.popitem(last=False)
        return 0.0

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name: its password was given."""
        self._failed.pop(name, None)
