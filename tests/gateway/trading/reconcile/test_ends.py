"""An end for everything: five minutes after a command can do nothing any more, it has one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DONE, ORDER, POSITION
from test_reconcile import HERE_MS, filled, mine, opened, outcome

from ea_bridge.commands import TOO_LARGE
from ea_bridge.errors import CommandFailed
from ea_bridge.model import TradeResult
from gateway import errors
from gateway.trading.journal import PAPER_FP
from gateway.trading.reconcile import patience

TABLELESS = "ticks,book,deals,check"


class Watch:
    """A clock that a test drives."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(name="watch")
def drive_the_clock(kept: Kept) -> Watch:
    """The clock of the five minutes."""
    watch = Watch()
    kept.reconciler._patience = patience.Patience(watch)
    return watch


async def look_until(kept: Kept, watch: Watch, until_s: float, step_s: float = 30.0) -> None:
    """Look every half a minute."""
    while watch.now_s < until_s:
        await kept.look()
        watch.now_s += step_s
    await kept.look()


# --- what was answered is not on its way any more ----------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        TradeResult(retcode=10012),
        TradeResult(retcode=10011),
        TradeResult(retcode=10031),
        TradeResult(retcode=99999),
        CommandFailed("order_send", 4756),
        CommandFailed("order_send", TOO_LARGE),
    ],
)
@pytest.mark.parametrize("has_table", [True, False])
async def test_the_broker_s_time_out_opens_the_symbol_on_the_same_link(
    kept: Kept, watch: Watch, answer: Any, has_table: bool
) -> None:
    """The terminal stays linked, and nothing was executed: unknown for five minutes, no longer."""
    if not has_table:
        kept.equip(TABLELESS)
    elif isinstance(answer, TradeResult):
        kept.results("done", answer)
    else:
        kept.results("done", err=answer.err)
    kept.scene.script.answers |= {**NOTHING, "order_send": answer}
    assert (await kept.fail("a")).data["outcome"] == "unknown"
    await look_until(kept, watch, 270.0)
    assert await outcome(kept) == "unknown"
    assert kept.scene.guarded.journal.unresolved("EURUSD") == ["a"]
    await look_until(kept, watch, 300.0)
    assert await outcome(kept) == "rejected"
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []
    again = await kept.fail("a")
    assert isinstance(again, errors.OrderRejected)
    assert again.data["outcome"] == "rejected"


class OnPaper:
    """The way to the paper broker of a terminal; it has a session of its own."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self.session = SimpleNamespace(id="paper", broker=True, hello=kept.scene.hello)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kept.scene.guarded, name)


async def test_what_is_unknown_on_paper_does_not_keep_the_market_s_from_its_end(
    kept: Kept, watch: Watch
) -> None:
    """Another terminal of the account, which is away, has sent that."""
    kept.equip(TABLELESS)
    for one in ("a", "b"):
        await kept.lose(one)
    paper = kept.log.find(kept.here(), "b")
    assert paper is not None
    paper.terminal, paper.sends[0].fp = "mt5-b", PAPER_FP
    kept.reconciler._on_paper = lambda: OnPaper(kept)  # type: ignore[assignment, return-value]  # quacks like one
    await look_until(kept, watch, 330.0)
    assert [await outcome(kept, one) for one in ("a", "b")] == ["rejected", "rejected"]


async def test_a_broker_that_is_away_tells_nothing(kept: Kept, watch: Watch) -> None:
    """Its connection failed, which is why 10012 came: the five minutes are those after it."""
    kept.equip(TABLELESS)
    kept.scene.script.answers |= {**NOTHING, "order_send": TradeResult(retcode=10012)}
    await kept.fail("a")
    kept.scene.script.broker = False
    await look_until(kept, watch, 600.0)
    assert await outcome(kept) == "unknown"
    kept.scene.script.broker = True
    await look_until(kept, watch, 870.0)
    assert await outcome(kept) == "unknown"
    await look_until(kept, watch, 960.0)
    assert await outcome(kept) == "rejected"


async def test_what_was_never_answered_ends_on_the_same_link_too(kept: Kept, watch: Watch) -> None:
    """Its time to begin is over once the terminal has answered a question that came later."""
    kept.equip(TABLELESS)
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    await kept.fail("a", ttl_ms=5000)
    await look_until(kept, watch, 300.0)
    assert await outcome(kept) == "unknown"
    await look_until(kept, watch, 330.0)
    assert await outcome(kept) == "rejected"


async def test_an_open_answer_that_is_in_the_account_is_done(kept: Kept, watch: Watch) -> None:
    """However late it shows."""
    kept.equip(TABLELESS)
    kept.scene.script.answers |= {**NOTHING, "order_send": TradeResult(retcode=10012)}
    await kept.fail("a")
    await look_until(kept, watch, 240.0)
    kept.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    await kept.look()
    assert await outcome(kept) == "done"


async def test_a_table_that_was_lost_does_not_undo_an_answer(kept: Kept, watch: Watch) -> None:
    """It says "absent" of a command that was answered: that was taken, and may be executed."""
    kept.scene.script.answers |= {**NOTHING, "order_send": TradeResult(retcode=10012)}
    kept.results("absent")
    await kept.fail("a")
    kept.link()
    await kept.look()
    assert await outcome(kept) == "unknown"


# --- what cannot be is not believed ------------------------------------------------------------

IMPLAUSIBLE = [
    {"volume": 100.0},
    {"volume": -1.0},
    {"price": 1e308},
    {"price": -1.0},
    {"price": DONE.price * 50},
    {"order": -5},
    {"deal": -5},
    {"position": -5},
    {"retcode": 10025},  # that nothing had to be changed is no answer to an order
]


@pytest.mark.parametrize("wrong", IMPLAUSIBLE)
async def test_an_implausible_result_is_unknown_and_found_by_its_tag(
    kept: Kept, watch: Watch, wrong: dict[str, Any]
) -> None:
    """More than was asked for, a price of no market, a negative ticket: neither told nor kept."""
    told = replace(DONE, **wrong)
    kept.scene.script.answers |= {**NOTHING, "order_send": told}
    kept.results("done", told)
    assert isinstance(await kept.fail("a"), errors.OrderUnresolved)
    await kept.look()
    assert await outcome(kept) == "unknown"
    kept.scene.script.answers["history_orders_get"] = [filled(900, mine())]
    await kept.look()
    receipt = (await kept.buy("a"))["order"]
    assert (receipt["order"], receipt["filled_volume"]) == (900, 0.1)


async def test_an_implausible_result_that_nothing_shows_ends(kept: Kept, watch: Watch) -> None:
    """As any other that was answered."""
    told = replace(DONE, volume=100.0)
    kept.scene.script.answers |= {**NOTHING, "order_send": told}
    kept.results("done", told)
    await kept.fail("a")
    await look_until(kept, watch, 300.0)
    assert await outcome(kept) == "rejected"


# --- changes -----------------------------------------------------------------------------------

PENDING = replace(ORDER, ticket=900, type=2)
OPEN = replace(POSITION, ticket=900, sl=0.0, tp=0.0)
CHANGES: list[tuple[str, dict[str, Any], str, Any]] = [
    ("modify_order", {"price": 1.079}, "orders_get", PENDING),
    ("modify_order", {"sl": 1.0}, "positions_get", OPEN),
    ("cancel_order", {}, "orders_get", PENDING),
]


async def change(kept: Kept, case: tuple[str, dict[str, Any], str, Any], answer: Any) -> None:
    """Send a change that nobody knows the outcome of."""
    method, params, where, there = case
    kept.equip(TABLELESS)
    kept.scene.script.answers |= {**NOTHING, where: [there], "order_send": answer}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask(method, ticket=900, **params, client_order_id="a", ttl_ms=5000)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: f"{case[0]} {case[2]}")
@pytest.mark.parametrize("answer", [LOST, TradeResult(retcode=10012)], ids=["lost", "10012"])
@pytest.mark.parametrize("links", [True, False], ids=["later link", "same link"])
@pytest.mark.parametrize("is_there", [True, False], ids=["there", "gone"])
async def test_a_change_that_does_not_show_ends(
    kept: Kept,
    watch: Watch,
    case: tuple[str, dict[str, Any], str, Any],
    answer: Any,
    links: bool,
    is_there: bool,
) -> None:
    """What it was to change is there and not as asked, or gone: five minutes later it is refused,
    and the terminal is asked no more."""
    await change(kept, case, answer)
    if links:
        kept.link()
    if not is_there:
        kept.scene.script.answers[case[2]] = []
    await look_until(kept, watch, 270.0)
    assert await outcome(kept) == "unknown"
    await look_until(kept, watch, 330.0)
    assert await outcome(kept) == "rejected"
    record = await kept.scene.ask("get_order", client_order_id="a")
    assert "not as it asked, or is gone" in record["error"]["message"]
    asked = len(kept.scene.script.asked)
    assert await kept.reconciler._round() is True
    assert len(kept.scene.script.asked) == asked


async def test_a_change_that_shows_is_done(kept: Kept, watch: Watch) -> None:
    """Written with another last digit of a double, which is no other price."""
    await change(kept, CHANGES[0], LOST)
    [request] = kept.scene.script.sent
    changed = replace(PENDING, price_open=request.price * (1 + 1e-15), sl=request.sl)
    kept.scene.script.answers["orders_get"] = [changed]
    kept.link()
    await kept.look()
    assert await outcome(kept) == "done"


async def test_two_lost_exits_of_one_trade_on_metatrader_4(kept: Kept, watch: Watch) -> None:
    """It was closed once: by the oldest, as far as anybody can tell."""
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    kept.scene.script.answers |= {
        **NOTHING,
        "order_send": LOST,
        "positions_get": [opened(900)],
    }
    for one in ("a", "b"):
        with pytest.raises(errors.OrderUnresolved):
            await kept.scene.ask("close_position", ticket=900, client_order_id=one)
    kept.link()
    closed = filled(900, "to #901", state=0, time_done_msc=HERE_MS + 5)
    kept.scene.script.answers |= {"positions_get": [], "history_orders_get": [closed]}
    await look_until(kept, watch, 270.0)
    assert [await outcome(kept, one) for one in ("a", "b")] == ["unknown", "unknown"]
    await look_until(kept, watch, 360.0)
    assert [await outcome(kept, one) for one in ("a", "b")] == ["done", "rejected"]


async def test_an_exit_on_metatrader_4_may_be_of_one_whose_answer_is_under_way(
    kept: Kept, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trade is closed when the first has waited for its five minutes, but by a second one,
    which has no answer yet: the first is told no end before that, and then that it was too late.
    """
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    kept.scene.script.answers |= NOTHING | {"order_send": LOST, "positions_get": [opened(900)]}
    with pytest.raises(errors.OrderUnresolved):
        await kept.scene.ask("close_position", ticket=900, client_order_id="a")
    kept.link()
    await look_until(kept, watch, 270.0)
    closed = filled(900, "to #901", state=0, time_done_msc=HERE_MS + 5)
    request, seen = kept.scene.script.request, list[str]()

    async def look_before_the_answer(command: Any, params: Any, **more: Any) -> Any:
        answer = await request(command, params, **more)
        if command.op == "order_send":
            kept.scene.script.answers |= {"positions_get": [], "history_orders_get": [closed]}
            await look_until(kept, watch, 330.0)
            seen.append(await outcome(kept, "a"))
        return answer

    monkeypatch.setattr(kept.scene.script, "request", look_before_the_answer)
    kept.scene.script.answers["order_send"] = replace(DONE, order=900, position=900)
    await kept.scene.ask("close_position", ticket=900, client_order_id="b")
    await kept.look()
    assert (seen, await outcome(kept, "a")) == (["unknown"], "rejected")
