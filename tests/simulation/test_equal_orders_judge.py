"""Equal orders without tags may be told each other's ends; what differs may not."""

from __future__ import annotations

import pytest

from ea_bridge.emulator.factory import build_terminal
from ea_bridge.model import OrderType, TradeAction, TradeRequest, TradeResult, TradeRetcode

from .intents import Intent, Json, Reply
from .judge import Heard, Known, judge
from .shared_account import broker_of
from .truth import Executed, Truth
from .verdict import Verdict

BUY: Json = {"symbol": "EURUSD", "volume": 0.02, "magic": 7, "side": "buy"}
UNKNOWN = Reply("unknown", "order_unresolved")


CLOSE: Json = {"ticket": 12}


def judged(
    first: Json,
    second: Json,
    executed: int = 1,
    *,
    method: str = "place_order",
    lots: tuple[float, float] | None = None,
) -> Verdict:
    """Judge two orders, of which the first is told to be done, and the second was executed.

    Args:
        first, second: their params.
        executed: how often the second was.
        method: of both.
        lots: of their commands, where these are not in the params.

    """
    had = lots or (first["volume"], second["volume"])
    told = {
        "a": Known("done", reconciled=True, commands=(4,), last=("EURUSD", "buy", had[0])),
        "b": Known("rejected", reconciled=True, commands=(5,), last=("EURUSD", "buy", had[1])),
    }
    intents = [
        Intent(id=id_, method=method, params=params, tag=f"g{id_}")
        for id_, params in (("a", first), ("b", second))
    ]
    for intent in intents:
        intent.replies += [UNKNOWN, Reply(told[intent.id].outcome)]
    truth, verdict = Truth(broker_of(build_terminal(seed=1))), Verdict()
    one = Executed(TradeRequest(action=1), TradeResult(retcode=10009, order=9), 5, 0)
    truth.tagged["gb"] = [one] * executed
    judge(intents, Heard(told, []), truth, verdict)
    return verdict


@pytest.mark.parametrize("more", [{}, {"type_filling": "ioc"}, {"deviation": 5}])
def test_equal_orders_may_have_changed_places(more: Json) -> None:
    """Also where they differ in what nobody is told apart by."""
    for pair in ((BUY | more, BUY), (BUY, BUY | more)):
        verdict = judged(*pair)
        assert verdict.is_right
        assert verdict.assigned == 2


@pytest.mark.parametrize("more", [{"sl": 1.1}, {"magic": 8}, {"volume": 0.03}, {"side": "sell"}])
def test_others_may_not(more: Json) -> None:
    """Orders that differ are never exchanged: one is missing, and the other is wrong."""
    verdict = judged(BUY | more, BUY)
    assert (len(verdict.missing), len(verdict.wrong), verdict.assigned) == (1, 1, 0)


def test_as_many_are_told_to_be_done_as_were_executed() -> None:
    """One that is told so and for which none was executed is missing."""
    assert len(judged(BUY, BUY, executed=0).missing) == 1


@pytest.mark.parametrize(("second", "is_equal"), [(0.01, True), (0.02, False)])
def test_closes_are_compared_as_the_broker_has_them(second: float, is_equal: bool) -> None:
    """One that names the lots of the whole position is equal to one that names none."""
    verdict = judged(CLOSE | {"volume": 0.01}, CLOSE, method="close_position", lots=(0.01, second))
    assert verdict.is_right is is_equal
    other = judged(CLOSE, {"ticket": 13}, method="close_position", lots=(0.01, 0.01))
    assert not other.is_right


@pytest.mark.parametrize(
    ("side", "other", "is_equal"),
    [
        pytest.param(OrderType.SELL, False, True, id="closed it"),
        pytest.param(OrderType.BUY, False, False, id="added to it"),
        pytest.param(OrderType.SELL, True, False, id="a close of another position"),
    ],
)
def test_a_plain_order_may_have_been_taken_for_a_close(
    side: OrderType, other: bool, is_equal: bool
) -> None:
    """On a netting account, where it took from the position that the close was to close."""
    machine = build_terminal(seed=1, netting=True, start_ms=1_780_000_000_000)
    broker = broker_of(machine)
    now_msc = machine._now_msc()

    def trade(type_: OrderType) -> TradeResult:
        request = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.02, type=type_)
        result = broker.send(request, now_msc)
        assert result.retcode == TradeRetcode.DONE
        return result

    position, second = trade(OrderType.BUY).order, trade(side)
    told = {
        "close": Known("done", reconciled=True, commands=(4,), last=("EURUSD", "sell", 0.02)),
        "plain": Known("rejected", reconciled=True, commands=(5,), last=("EURUSD", "sell", 0.02)),
    }
    intents = [
        Intent(
            id="close",
            method="close_position",
            params={"ticket": position + other},
            tag="gclose",
            replies=[UNKNOWN],
        ),
        Intent(id="plain", method="place_order", params=BUY, tag="gplain", replies=[UNKNOWN]),
    ]
    truth, verdict = Truth(broker), Verdict()
    truth.tagged["gplain"] = [Executed(TradeRequest(action=1), second, 5, 0)]
    judge(intents, Heard(told, []), truth, verdict)
    assert (verdict.is_right, verdict.assigned) == (is_equal, 2 if is_equal else 0)


def judged_beside_sweep(
    *,
    is_told: bool = False,
    volume: float = 0.02,
    platform: str = "mt4",
    ticket: int = 12,
    tag: str = "gsweep",
    closes: int = 1,
) -> Verdict:
    """Judge closes that are told to be done, beside another one, which was carried out.

    Args:
        is_told: a sweep was told that it has closed the position.
        volume: that was closed.
        platform: of the terminal.
        ticket: that was closed.
        tag: of what has closed it; of no caller where a sweep has.
        closes: how many were told to be done.

    """
    told = {"sweep": Known("done"), "plain": Known("done", commands=(5,))}
    sweep = Intent(id="sweep", method="close_all_positions", params={}, tag="gs")
    sweep.replies.append(Reply("done", swept=((), (ticket,) if is_told else (), ())))
    plain = Intent(id="plain", method="close_position", params={"ticket": ticket}, tag="gplain")
    intents = [sweep, plain] if tag == "gplain" else [sweep]
    for number in range(closes):
        last = ("EURUSD", "buy", 0.02)
        told[f"{number}"] = Known("done", reconciled=True, commands=(number,), last=last)
        one = Intent(id=f"{number}", method="close_position", params=CLOSE, tag=f"g{number}")
        one.replies += [UNKNOWN, Reply("done")]
        intents.append(one)
    truth, verdict = Truth(broker_of(build_terminal(platform=platform, seed=1))), Verdict()
    request = TradeRequest(action=TradeAction.DEAL, position=ticket, volume=volume)
    truth.tagged[tag] = [Executed(request, TradeResult(retcode=10009, order=9), 5, 0)]
    judge(intents, Heard(told, []), truth, verdict)
    return verdict


def test_a_close_may_have_been_given_what_a_sweep_has_done() -> None:
    """A closed trade of MetaTrader 4 does not show which of two unclear closes has closed it."""
    verdict = judged_beside_sweep()
    assert verdict.is_right
    assert verdict.assigned == 1


@pytest.mark.parametrize(
    "other",
    [
        {"is_told": True},
        {"volume": 0.01},
        {"platform": "mt5"},
        {"ticket": 13},
        {"tag": "gplain"},
        {"closes": 2},
    ],
)
def test_no_close_is_given_what_else_was_done(other: Json) -> None:
    """What a sweep or another caller was told to have done is its own, another volume or ticket
    shows, and one close is given once."""
    assert len(judged_beside_sweep(**other).missing) == 1
