"""Faults of an EA: it fails after it has sent an order, or answers what cannot be understood.

An order may have been executed all the same, and the table of results has no more than what was
answered.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from ea_bridge.commands import ORDER_SEND
from ea_bridge.endpoint.results import split_result
from ea_bridge.model import TradeResult, TradeRetcode
from ea_bridge.protocol.messages import Cmd, Res

from ..plugins import fault
from ..terminals import TradedTerminal
from ..world import World

Answer = Callable[[Cmd, list[Res]], list[Res]]

FAILURES = (4024, 4756)
"""MQL's internal error, and that ``OrderSend`` has failed."""
UNCLEAR = (TradeRetcode.ERROR, TradeRetcode.CONNECTION, 10999)
"""They say neither that an order was executed nor that it was not."""


def answer_next(terminal: TradedTerminal, answer: Answer) -> None:
    """Have the next order of a terminal answered otherwise, once it was carried out."""
    executor = terminal.machine._executor
    trade = executor._trade

    def otherwise(cmd: Cmd) -> list[Res]:
        if cmd.op != ORDER_SEND.op:
            return trade(cmd)
        executor._trade = trade  # type: ignore[method-assign]  # as it was before
        return answer(cmd, trade(cmd))

    executor._trade = otherwise  # type: ignore[method-assign]  # for one order


@fault("ea_fails_after_sending")
def fail(_: World, terminal: TradedTerminal, dice: Random) -> None:
    """It has sent the order, and then fails for a reason of its own."""
    err = dice.choice(FAILURES)
    answer_next(terminal, lambda cmd, _: [Res(id=cmd.id, ok=False, err=err, msg="it has failed")])


@fault("ea_contradicts_itself")
def contradict(_: World, terminal: TradedTerminal, __: Random) -> None:
    """It says no, with the code of a success."""

    def refuse(cmd: Cmd, _: list[Res]) -> list[Res]:
        return [Res(id=cmd.id, ok=False, retcode=int(TradeRetcode.DONE), msg="no")]

    answer_next(terminal, refuse)


@fault("broker_unclear")
def tell_nothing(_: World, terminal: TradedTerminal, dice: Random) -> None:
    """The broker has executed the order, and answers with a code that says nothing of that; it may
    name the order."""
    retcode, is_named = dice.choice(UNCLEAR), dice.random() < 0.5

    def answer(cmd: Cmd, answers: list[Res]) -> list[Res]:
        done = answers[0].ok and is_named
        order = ORDER_SEND.decoder.decode(answers[0].d).order if done else 0
        return split_result(cmd.id, TradeResult(retcode=retcode, order=order))

    answer_next(terminal, answer)
