"""Faults of what callers may do: how long their tokens last, and how much they may trade."""

from __future__ import annotations

from .mutation import Change, Mutant

CALLER_FAULTS = (
    Mutant(
        "expired-token-served",
        "A token that was replaced goes on after its end.",
        (
            Change(
                "gateway.auth.entry",
                "        state = self.record.state(now_s)\n",
                "        state = self.record.state(now_s - 86_400)\n",
            ),
        ),
    ),
)
