"""Faults of an emulated terminal, made when it is told to.

Each counter says how often the fault is still to happen; it counts down by itself, so that a
test (or ``mt-gateway emulator --fault cut_after_ack=1``) gets exactly what it asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


class UnknownFault(ValueError):
    """There is no fault of that name, or its value is not a whole number."""


@dataclass(kw_only=True)
class EmulatedFaults:
    """Faults, and how often each is still to happen. All off by default."""

    cut_before_ack: int = 0
    """Trades on whose arrival the link breaks; they are not executed."""
    cut_unacked: int = 0
    """Trades that are taken and executed, after which the link breaks without even the ack."""
    cut_after_ack: int = 0
    """Trades that are taken and executed, after which the link breaks instead of the answer."""
    cut_after_result: int = 0
    """Trades that are executed and answered, after which the link breaks."""
    crash_before: int = 0
    """Trades that are taken; the terminal dies before it executes them, and starts again."""
    crash_after: int = 0
    """Trades that are taken and executed; the terminal dies before it notes the result."""
    open_before: int = 0
    """Trades that the broker leaves open (10012) and does not execute; the link stays."""
    open_after: int = 0
    """Trades that the broker executes and leaves open (10012); the link stays."""
    lose_memory: int = 0
    """Crashes by which the file of results is lost too."""
    lose_result: int = 0
    """Trades that are taken and executed but never answered; the link stays."""
    delay_result_ms: int = 0
    """Delay of the answers to trades."""
    stall_ms: int = 0
    """Time for which trades wait for their turn: the terminal is held up, as by MetaTrader 4's
    ``OrderSend``."""
    rewrite_comment: int = 0
    """Orders whose comment the broker replaces by its own."""
    mute: int = 0
    """Heartbeats to leave out."""
    zero_first_tick: int = 0
    """Symbols whose first tick after a watch has prices of 0 (as some brokers send)."""
    deals_lag: int = 0
    """History requests after a fill that do not see the new deal yet."""
    history_loading: int = 0
    """Requests for bars or ticks that are answered with the newer half: the terminal is still
    loading the rest."""
    slow_ticks_ms: int = 0
    """Time for which a request for ticks holds the terminal up, as ``CopyTicks`` does."""
    garbage: int = 0
    """Heartbeats that are followed by a line which is not JSON."""
    slow_login_ms: int = 0
    """Time that it takes to log in to another account."""
    login_unreachable: int = 0
    """Logins whose trade server does not answer."""
    lose_server: int = 0
    """Commands of an emulated manager that find its connection to the server lost."""
    wrong_proof: int = 0
    """Handshakes with a proof made from another token."""

    @classmethod
    def parse(cls, words: Iterable[str]) -> EmulatedFaults:
        """Build from ``name=count`` words.

        Raises:
            UnknownFault: the message lists the names there are.

        """
        known = {field.name for field in fields(cls)}
        faults = cls()
        for word in words:
            name, _, value = word.partition("=")
            if name not in known or not value.isdigit():
                raise UnknownFault(
                    f"{word!r}: write NAME=COUNT with one of {', '.join(sorted(known))}"
                )
            setattr(faults, name, int(value))
        return faults

    def take(self, name: str) -> bool:
        """Whether the fault happens now; if so it is counted down."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0
