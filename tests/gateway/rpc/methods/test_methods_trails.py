"""Stops that follow the market: what the terminal is told, and what is refused before."""

from __future__ import annotations

from typing import Any

import pytest
from scripted_answers import EURUSD, POSITION
from scripted_terminal import Scene

from ea_bridge.errors import CommandTimeout, NotSent
from ea_bridge.model import Trail
from gateway import errors
from gateway.credentials.lease import Tier

RUNNING = Trail(
    ticket=POSITION.ticket, symbol="EURUSD", distance=100, activation=50, break_even=80, sl=1.08
)


async def test_the_terminal_is_told_all_of_it(scene: Scene) -> None:
    """Every number goes out as it was given; the answer says that the terminal runs it."""
    terms: dict[str, Any] = {
        "distance": 150,
        "step": 10,
        "activation": 200,
        "break_even": 100,
        "break_even_offset": 5,
    }
    answer = await scene.ask("set_trailing_stop", ticket=POSITION.ticket, **terms)
    (told,) = scene.script.asked_for("trail_set")
    assert {name: getattr(told, name) for name in terms} == terms
    assert told.ticket == POSITION.ticket
    assert {name: answer[name] for name in terms} == terms
    assert (answer["runs_in"], answer["sl"], answer["retcode"]) == ("terminal", None, None)
    assert scene.script.sent == [], "no order is sent for it"


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({}, "distance"),
        ({"step": 5, "break_even": 20}, "step"),
        ({"activation": 5, "break_even": 20}, "activation"),
        ({"distance": 20, "break_even_offset": 1}, "break_even_offset"),
        ({"break_even": 20, "break_even_offset": 20}, "break_even_offset"),
    ],
)
async def test_terms_that_make_no_sense(scene: Scene, terms: dict[str, Any], field: str) -> None:
    """Named by their field; the terminal hears nothing."""
    with pytest.raises(errors.InvalidParams) as refused:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, **terms)
    assert refused.value.data["errors"][0]["field"] == field
    assert refused.value.data["outcome"] == "not_sent"
    assert scene.script.asked == []


@pytest.mark.parametrize(
    ("terms", "passes"),
    [
        ({"distance": EURUSD.trade_stops_level}, True),
        ({"distance": EURUSD.trade_stops_level - 1}, False),
        ({"break_even": 30, "break_even_offset": 30 - EURUSD.trade_stops_level}, True),
        ({"break_even": 30, "break_even_offset": 31 - EURUSD.trade_stops_level}, False),
    ],
)
async def test_the_stops_level(scene: Scene, terms: dict[str, Any], passes: bool) -> None:
    """What the broker would refuse on every tick is refused at once, with its level."""
    if passes:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, **terms)
        return
    with pytest.raises(errors.InvalidStops) as refused:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, **terms)
    assert refused.value.data["stops_level_points"] == EURUSD.trade_stops_level
    assert scene.script.asked_for("trail_set") == []


async def test_what_is_not_there(scene: Scene) -> None:
    """No position: 2010. An EA without trails: said as the lack of a capability."""
    with pytest.raises(errors.PositionNotFound):
        await scene.ask("set_trailing_stop", ticket=1, distance=100)
    scene.hello = scene.script.hello = type(scene.hello)(
        **{f: getattr(scene.hello, f) for f in scene.hello.__struct_fields__} | {"caps": "ticks"}
    )
    scene.script.caps = frozenset({"ticks"})
    with pytest.raises(errors.MethodNotSupported) as refused:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, distance=100)
    assert refused.value.data["capability"] == "trail"
    with pytest.raises(errors.MethodNotSupported):
        await scene.ask("get_trailing_stops")


async def test_a_lost_answer_is_unknown_and_saying_it_again_is_safe(scene: Scene) -> None:
    """It is told as it is: the terminal may have taken it."""
    answer = scene.script.answers["trail_set"]
    for lost, error in (
        (CommandTimeout("trail_set", 10.0), errors.Timeout),
        (NotSent("gone"), errors.TerminalDisconnected),
    ):
        scene.script.answers["trail_set"] = lost
        with pytest.raises(error) as caught:
            await scene.ask("set_trailing_stop", ticket=POSITION.ticket, distance=100)
        assert caught.value.data["outcome"] == "unknown"
    scene.script.answers["trail_set"] = answer
    assert (await scene.ask("set_trailing_stop", ticket=POSITION.ticket, distance=100))["distance"]
    scene.disconnect()
    with pytest.raises(errors.TerminalDisconnected) as caught:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, distance=100)
    assert caught.value.data["outcome"] == "not_sent"


@pytest.mark.parametrize(
    ("terms", "loosens"),
    [
        ({"distance": 100, "activation": 50, "break_even": 80}, False),
        ({"distance": 99, "activation": 50, "break_even": 80}, False),
        ({"distance": 101, "activation": 50, "break_even": 80}, True),
        ({"distance": 100, "activation": 51, "break_even": 80}, True),
        ({"distance": 100, "activation": 50, "step": 1, "break_even": 80}, True),
        ({"distance": 100, "activation": 50, "break_even": 81}, True),
        ({"distance": 100, "activation": 50}, True),
        ({"break_even": 80}, True),
    ],
)
async def test_who_may_only_reduce_may_not_loosen(
    scene: Scene, terms: dict[str, Any], loosens: bool
) -> None:
    """While the console is silent a stop can be set to follow, and closer, but not farther away;
    nor can it be taken off."""
    scene.tier = Tier.REDUCE
    await scene.ask("set_trailing_stop", ticket=POSITION.ticket, distance=100)
    scene.script.answers["trails_get"] = [RUNNING]
    if loosens:
        with pytest.raises(errors.Forbidden):
            await scene.ask("set_trailing_stop", ticket=POSITION.ticket, **terms)
    else:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, **terms)
    with pytest.raises(errors.Forbidden):
        await scene.ask("remove_trailing_stop", ticket=POSITION.ticket)
    assert len(scene.script.asked_for("trail_set")) == (1 if loosens else 2)


async def test_rights_are_looked_at_right_before_the_bytes(scene: Scene) -> None:
    """A token that is revoked while the terminal is asked sets nothing."""

    def revoke() -> None:
        if scene.script.ops()[-1:] == ["trails_get"]:
            scene.revoked = errors.Unauthorized(reason="revoked")

    scene.script.on_the_way = revoke
    with pytest.raises(errors.Unauthorized) as refused:
        await scene.ask("set_trailing_stop", ticket=POSITION.ticket, distance=100)
    assert refused.value.data["outcome"] == "not_sent"
    assert scene.script.asked_for("trail_set") == []


async def test_removing(scene: Scene) -> None:
    """All numbers go to 0; what there was is told, and nothing to remove is no error."""
    assert await scene.ask("remove_trailing_stop", ticket=POSITION.ticket) == {
        "removed": False,
        "trailing_stop": None,
    }
    scene.script.answers["trails_get"] = [RUNNING]
    removed = await scene.ask("remove_trailing_stop", ticket=POSITION.ticket)
    (told,) = scene.script.asked_for("trail_set")
    assert (told.ticket, told.distance, told.break_even) == (POSITION.ticket, 0, 0)
    assert (removed["removed"], removed["trailing_stop"]["distance"]) == (True, 100)
    assert [one["sl"] for one in await scene.ask("get_trailing_stops", symbol="EURUSD")] == [1.08]
