"""Equal commands at a broker that rewrites comments: who has which order, and an end for each."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from journal_scene import LOST, NOTHING, Kept
from msgspec.structs import replace
from scripted_answers import DONE, ORDER, POSITION
from test_ends import TABLELESS, Watch, look_until
from test_matching import AT_MS, order, send
from test_reconcile import HERE_MS, filled, outcome

from ea_bridge.model import TradeAction
from gateway.auth.caller import Scope
from gateway.trading.journal import CallKey, CommandRecord, Stage
from gateway.trading.journal.views import noted
from gateway.trading.reconcile import patience
from gateway.trading.reconcile.matching import assign_alike, descendants, match, terms_of
from gateway.trading.requests import ReceiptContext


@pytest.fixture(name="watch")
def drive_the_clock(kept: Kept) -> Watch:
    """The clock of the five minutes."""
    watch = Watch()
    kept.reconciler._patience = patience.Patience(watch)
    kept.equip(TABLELESS)
    return watch


async def lose(kept: Kept, *ids: str, **more: Any) -> None:
    """Lose equal orders; their terminal dies, and is back."""
    kept.scene.script.answers |= {**NOTHING, "order_send": LOST}
    for one in ids:
        await kept.fail(one, **more)
        kept.link()


async def outcomes(kept: Kept, *ids: str) -> list[str]:
    return [await outcome(kept, one) for one in ids]


async def test_of_two_equal_orders_one_was_executed(kept: Kept, watch: Watch) -> None:
    """The smallest case: unknown for five minutes, then the oldest has it; the symbol is open, and
    the audit trail says that it was an assignment."""
    await lose(kept, "a", "b")
    kept.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    await look_until(kept, watch, 270.0)
    assert await outcomes(kept, "a", "b") == ["unknown", "unknown"]
    await look_until(kept, watch, 330.0)
    assert await outcomes(kept, "a", "b") == ["done", "rejected"]
    assert (await kept.buy("a"))["order"]["order"] == 900
    assert "the oldest were" in (await kept.fail("b")).message
    assert kept.scene.guarded.journal.unresolved("EURUSD") == []
    presumed = [noted(one)["sends"][0]["presumed"] for one in kept.settled]
    assert presumed == ["assigned", "assigned"]


async def test_a_new_look_alike_does_not_begin_the_five_minutes_anew(
    kept: Kept, watch: Watch
) -> None:
    """Equal orders go on being lost, and being executed: the older ones end all the same."""
    await lose(kept, "a", "b")
    kept.link()
    await look_until(kept, watch, 240.0)
    kept.scene.script.answers["history_orders_get"] = [
        filled(900, "rewritten", time_setup_msc=HERE_MS + 100)
    ]
    await look_until(kept, watch, 330.0)
    assert await outcomes(kept, "a", "b") == ["done", "rejected"]


async def test_more_orders_than_commands_are_left_alone(kept: Kept, watch: Watch) -> None:
    """Somebody else's are among them: nobody is told that another one's order is his."""
    await lose(kept, "a")
    alike = [filled(900, "rewritten"), filled(901, "rewritten")]
    kept.scene.script.answers["history_orders_get"] = alike
    await look_until(kept, watch, 900.0)
    assert await outcomes(kept, "a") == ["unknown"]


async def test_the_price_tells_pending_orders_apart(kept: Kept, watch: Watch) -> None:
    """Two limits of one volume; one of them is there, and says by its price whose it is."""
    limit = {"type": "buy_limit", "side": None}
    await lose(kept, "a", price=1.071, **limit)
    await lose(kept, "b", price=1.072, **limit)
    there = replace(
        ORDER,
        ticket=900,
        type=2,
        magic=0,
        volume_initial=0.1,
        volume_current=0.1,
        price_open=1.072,
        sl=0.0,
        tp=0.0,
        time_setup_msc=HERE_MS,
        comment="rewritten",
    )
    kept.scene.script.answers["orders_get"] = [there]
    await kept.look()
    assert await outcomes(kept, "a", "b") == ["unknown", "done"]
    await look_until(kept, watch, 330.0)
    assert await outcomes(kept, "a", "b") == ["rejected", "done"]


async def test_a_younger_equal_order_is_waited_for_but_not_for_ever(
    kept: Kept, watch: Watch
) -> None:
    """Its answer may still come and name the order. Ten minutes are enough: those that follow
    each other must not keep the oldest from its end."""
    await lose(kept, "a")
    watch.now_s = 0.0
    await kept.look()
    watch.now_s = 200.0
    kept.scene.script.answers["order_send"] = LOST
    await kept.fail("b")
    await kept.fail("c")
    kept.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    await look_until(kept, watch, 480.0)
    assert await outcomes(kept, "a", "b", "c") == ["unknown", "unknown", "unknown"]
    await look_until(kept, watch, 600.0)
    assert (await outcomes(kept, "a", "b", "c"))[0] == "done"
    await look_until(kept, watch, 900.0)
    assert await outcomes(kept, "a", "b", "c") == ["done", "rejected", "rejected"]


async def test_what_a_look_shows_may_be_of_what_began_during_it(kept: Kept, watch: Watch) -> None:
    """An equal order was sent and executed while the terminal was asked; its answer is on its
    way, and its comment is rewritten: it is not given to the one that is unknown."""
    await lose(kept, "a")
    [lost] = kept.log.unresolved(kept.here())
    asked = CallKey(kept.here(), "b", "place_order", "{}")

    def begin(_: object) -> list[Any]:
        intent = kept.log.running_as(kept.here(), "b") or kept.log.take(asked, "mt5-a")
        new = CommandRecord(
            command_id=999,
            request=lost.sends[0].request,
            context=ReceiptContext(),
            stage=Stage.SENT,
        )
        new.created_ms = kept.scene.now_ms
        intent.sends[:] = [new]
        return [filled(900, "rewritten")]

    kept.scene.script.answers["history_orders_get"] = begin
    await kept.look()
    assert await outcomes(kept, "a") == ["unknown"]


async def test_what_a_person_settles_during_a_look_gets_no_order(
    kept: Kept, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one order there is belongs to the other request then."""
    await lose(kept, "a", "b")
    kept.scene.script.answers["history_orders_get"] = [filled(900, "rewritten")]
    await look_until(kept, watch, 270.0)
    request, settled = kept.scene.script.request, list[Any]()

    async def settle_first(command: Any, params: Any, **more: Any) -> Any:
        if command.op == "history_orders_get" and not settled:
            settled.append("a")
            await kept.scene.ask(
                "settle_order", scope=Scope.ADMIN, client_order_id="a", executed=False
            )
        return await request(command, params, **more)

    monkeypatch.setattr(kept.scene.script, "request", settle_first)
    watch.now_s = 330.0
    await kept.look()
    assert await outcome(kept, "a") == "rejected"
    await kept.look()
    assert (settled, await outcomes(kept, "a", "b")) == (["a"], ["rejected", "done"])


async def test_what_is_left_of_another_s_trade_is_no_sign(kept: Kept, watch: Watch) -> None:
    """On MetaTrader 4 the rest of a trade has another ticket, and so has the rest of that: where
    the first is a request's own, none of them keeps another request unknown."""
    kept.scene.hello = kept.scene.script.hello = replace(kept.scene.hello, platform="mt4")
    kept.equip("")
    kept.scene.script.answers |= {**NOTHING, "order_send": replace(DONE, order=900, position=900)}
    await kept.buy("b", volume=0.3)
    await lose(kept, "a")
    parts = {"magic": 0, "type": 0, "time_msc": HERE_MS, "time": HERE_MS // 1000}
    kept.scene.script.answers |= {
        "history_orders_get": [
            filled(900, "to #901", volume_initial=0.1),
            filled(901, "to #902", volume_initial=0.04),
        ],
        "positions_get": [
            replace(POSITION, ticket=902, volume=0.05, comment="from #901", **parts),
        ],
    }
    await look_until(kept, watch, 330.0)
    assert await outcomes(kept, "a") == ["rejected"]


def test_parts_are_of_those_who_made_the_whole() -> None:
    """Along either comment, also over a part that the history does not show."""
    seen = [order(1, "to #2"), order(3, "from #2"), order(5, "from #4"), order(7, "")]
    assert descendants(seen, lambda some: some & {1}) == {1, 2, 3}
    assert descendants(seen, lambda some: some & {4, 7}) == {4, 5, 7}
    assert descendants(seen, lambda some: set()) == set()
    circle = [order(1, "to #2"), order(2, "to #1")]
    assert descendants(circle, lambda some: some & {1}) == {1, 2}


# --- who gets what -----------------------------------------------------------------------------


def shared(sends: list[Any], seen: list[Any]) -> dict[int, int]:
    return {command_id: one.ticket for command_id, one in assign_alike(sends, seen).items()}


def test_those_of_about_the_same_time_go_to_the_oldest() -> None:
    """However they are listed."""
    sends = [send(n, at_ms=AT_MS + n) for n in (3, 1, 2)]
    assert shared(sends, [order(11, time_ms=AT_MS + 60), order(10)]) == {1: 10, 2: 11}


def test_the_time_of_an_order_tells_whose_it_is() -> None:
    """A minute lies between the commands, and the order was made right after the second."""
    sends = [send(1), send(2, at_ms=AT_MS + 60_000), send(3, at_ms=AT_MS + 120_000)]
    assert shared(sends, [order(10, time_ms=AT_MS + 60_100)]) == {2: 10}
    both = [order(10, time_ms=AT_MS + 60_100), order(11, time_ms=AT_MS + 120_300)]
    assert shared(sends, both) == {2: 10, 3: 11}


def test_an_order_is_none_of_a_command_of_other_prices() -> None:
    """Though that one is older; where no prices are its own they may have been changed."""
    limit = {"action": TradeAction.PENDING, "type": 2}
    sends = [send(1, price=1.04, **limit), send(2, price=1.05, **limit)]
    sends += [send(3, price=1.05, **limit)]
    there = order(10, type=2, terms=(1.05, 0.0, 0.0, 0.0))
    assert shared(sends, [there]) == {2: 10}
    assert shared(sends, [there, order(11, type=2, terms=(1.06, 0.0, 0.0, 0.0))]) == {2: 10, 1: 11}


def test_the_prices_of_orders_are_compared_before_their_number() -> None:
    """One that was moved by hand since is the one that is left."""
    sends = [send(n, type=2, price=1.0 + n / 10) for n in (1, 2, 3)]

    def at(price: float) -> Any:
        return terms_of(2, price, 0.0, 0.0, 0.0)

    seen = [order(10, type=2, terms=at(1.3)), order(11, type=2, terms=at(1.1))]
    assert {n: one.ticket for n, one in match(sends, seen).items()} == {1: 11, 3: 10}
    seen = [*seen, order(12, type=2, terms=at(9.9))]
    assert {n: one.ticket for n, one in match(sends, seen).items()} == {1: 11, 2: 12, 3: 10}


def test_sharing_gives_each_order_once_and_as_many_as_can_be() -> None:
    """To commands that it fits, never against the order of time; more orders than commands go to
    nobody."""
    dice = random.Random(11)  # noqa: S311 (cases for a test)
    spread = Counter[bool]()
    for _ in range(400):
        times_ms = sorted(AT_MS + dice.randrange(400_000) for _ in range(dice.randrange(1, 7)))
        sends = [
            send(n, at_ms=at_ms, volume=dice.choice((0.1, 0.2)))
            for n, at_ms in enumerate(times_ms)
        ]
        seen = [
            order(
                100 + n,
                time_ms=AT_MS + dice.randrange(400_000),
                volume=dice.choice((0.1, 0.2)),
            )
            for n in range(dice.randrange(0, 5))
        ]
        found = assign_alike(sends, seen)
        by_id = {one.command_id: one for one in sends}
        assert len({one.ticket for one in found.values()}) == len(found)
        for volume in (0.1, 0.2):
            pairs = sorted(
                (by_id[n].created_ms, one.time_ms)
                for n, one in found.items()
                if one.volume == volume
            )
            assert [late for _, late in pairs] == sorted(late for _, late in pairs)
        for command_id, one in found.items():
            assert one.volume == by_id[command_id].request.volume
            assert -120_000 <= one.time_ms - by_id[command_id].created_ms <= 300_000
        spread[bool(found)] += 1
    assert min(spread.values()) > 50
