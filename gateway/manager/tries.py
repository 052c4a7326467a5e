"""How often a password of an operator may be tried.

Counted by name, whether there is such an operator or not; a try is counted before the password is
looked at and taken back when it was right. Not by address: on loopback all have one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from gateway.credentials.tries import delay_s

from .errors import RateExceeded

MAX_NAMES = 4096
"""Names that are remembered; then the one that was tried longest ago is forgotten."""
TOO_MANY = "Too many tries; wait as long as Retry-After says"


class Tries:
    """Counts tries, since the start of the gateway.

    Args:
        now_s: seconds that only grow.

    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._failed: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def count(self, name: str) -> None:
        """Count a try as failed, before it is made.

        Raises:
            RateExceeded: it is too early for another one; it was not counted.

        """
        failures, at_s = self._failed.get(name, (0, 0.0))
        now_s = self._now_s()
        wait_s = delay_s(failures) - (now_s - at_s)
        if failures and wait_s > 0:
            raise RateExceeded(wait_s, TOO_MANY)
        self._failed[name] = (failures + 1, now_s)
        self._failed.move_to_end(name)
        if len(self._failed) > MAX_NAMES:
            self._failed.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name: its password was given."""
        self._failed.pop(name, None)

    def take_back(self, name: str) -> None:
        """Uncount a try that could not be made."""
        failures, at_s = self._failed.get(name, (0, 0.0))
        if failures > 1:
            self._failed[name] = (failures - 1, at_s)
        else:
            self._failed.pop(name, None)
