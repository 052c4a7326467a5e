"""Halts that were acknowledged, and what may have lifted them."""

from __future__ import annotations

import math

EVERYWHERE = ""
"""Stands for all terminals."""


class Halts:
    """Halts that hold for sure.

    A halt holds from its acknowledgement on, until somebody is about to lift it. Nobody knows
    whether it holds if somebody was about to lift one while it was asked for: the daemon may have
    done that last.
    """

    def __init__(self) -> None:
        self._held: dict[str, bool] = {}
        """By terminal, or :data:`EVERYWHERE`: whether what reduces may go on."""
        self._lifting: set[tuple[str, object]] = set()
        """Calls that lift a halt of a terminal and may still have to be carried out."""
        self._lifted_s: dict[str, float] = {}
        """When the last of them was over."""

    def begin_life(self) -> None:
        """Forget the calls of a dead daemon: nobody carries them out any more."""
        self._lifting = {one for one in self._lifting if one[1] is None}

    def hold(self, terminal: str, asked_s: float, *, reductions: bool) -> None:
        """Take that a halt was acknowledged for which somebody asked then."""
        if not self.may_be_lifted(terminal, asked_s):
            self._held[terminal] = reductions and self._held.get(terminal, True)

    def may_be_lifted(self, terminal: str, asked_s: float) -> bool:
        """Whether a halt may have been lifted again by the time of its acknowledgement."""
        is_lifting = any(where == terminal for where, _ in self._lifting)
        return is_lifting or self._lifted_s.get(terminal, -math.inf) >= asked_s

    def begin_lift(self, terminal: str, call: object = None) -> None:
        """Take that somebody is about to lift a halt.

        Args:
            terminal: its name.
            call: what tells the call from others; ``None``: it is made without the daemon.

        """
        self._held.pop(terminal, None)
        self._lifting.add((terminal, call))

    def end_lift(self, terminal: str, at_s: float, call: object = None) -> None:
        """Take that such a call is over."""
        self._lifting.discard((terminal, call))
        self._lifted_s[terminal] = at_s

    def is_halted(self, terminal: str) -> bool:
        """Whether nothing may be written that adds risk."""
        return terminal in self._held or EVERYWHERE in self._held

    def is_frozen(self, terminal: str) -> bool:
        """Whether nothing may be written at all."""
        return not (self._held.get(terminal, True) and self._held.get(EVERYWHERE, True))
