"""The run waits at its end for each order whose fate may still be open."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ea_bridge.emulator.factory import build_terminal

from .accounts import TradedAccount
from .bots import Address
from .dice import Dice
from .intents import Intent, Json, Reply
from .loop import SimulatedLoop
from .network import Network
from .shared_account import broker_of
from .trace import Trace

NOT_SENT = Reply("not_sent", "terminal_disconnected")
FOUND_AFTER_S = 5.0


class RuntimeInfo:
    """A daemon that finds out in a while what became of all orders."""

    def __init__(self, loop: SimulatedLoop, after_s: float = FOUND_AFTER_S) -> None:
        self.address = Address()
        self._loop, self._found_at_s = loop, loop.time() + after_s

    async def ask(self, _method: str, _params: Json, _timeout_s: float) -> Json | None:
        """Nothing: orders are asked for together."""

    async def ask_all(self, _: str, params: Sequence[Json], _timeout_s: float) -> list[Json]:
        """Return what is known of each."""
        is_found = self._loop.time() > self._found_at_s
        outcome = "done" if is_found else "unknown"
        return [
            {"result": {"outcome": outcome, "reconciled": True, "sends": [], "error": None}}
            for _ in params
        ]


def new_loop() -> SimulatedLoop:
    """Return a loop with a network, which it looks at at each turn."""
    dice = Dice(1)
    loop = SimulatedLoop(dice("threads"), dice("turns"))
    Network(loop, dice("network"), Trace())
    return loop


@pytest.mark.parametrize("replies", [[], [Reply("unknown")], [NOT_SENT]])
def test_it_waits_for_what_may_be_under_way(replies: list[Reply]) -> None:
    """Also for what was told not to be sent, and asked for once more by a bot that did not wait
    for the answer.
    """
    loop, account = new_loop(), TradedAccount(broker_of(build_terminal(seed=1)))
    intent = Intent(id="a", method="place_order", params={}, tag="ga", replies=replies)
    account.begin(intent)
    begun_s = loop.time()
    loop.run_until_complete(account.settle(RuntimeInfo(loop)))
    assert intent.resolved_at_s is not None
    assert intent.resolved_at_s > begun_s + FOUND_AFTER_S


def test_it_waits_for_a_second_look_at_what_is_days_old() -> None:
    """Each may come a minute late, and the reconciler rests for a minute before it sees that."""
    loop, account = new_loop(), TradedAccount(broker_of(build_terminal(seed=1)))
    intent = Intent(id="a", method="place_order", params={}, tag="ga", replies=[Reply("unknown")])
    account.begin(intent)
    loop.run_until_complete(account.settle(RuntimeInfo(loop, 2 * (60.0 + 60.0) - 1)))
    assert intent.resolved_at_s is not None


def test_it_waits_for_nothing_that_has_ended() -> None:
    """Its end is on the disk of the daemon, or is the same once it is asked for."""
    loop, account = new_loop(), TradedAccount(broker_of(build_terminal(seed=1)))
    ended = Intent(id="a", method="place_order", params={}, tag="ga", replies=[Reply("done")])
    account.begin(ended)
    begun_s = loop.time()
    loop.run_until_complete(account.settle(RuntimeInfo(loop)))
    assert loop.time() < begun_s + 0.1
    assert ended.resolved_at_s is None
