"""A sweep is about the account that the terminal was logged in to when it began."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import DONE, ORDER, POSITION
from scripted_terminal import Scene

from ea_bridge.errors import NotSent


@pytest.mark.parametrize(
    ("method", "asked", "first", "other"),
    [
        ("cancel_all_orders", "orders_get", replace(ORDER, ticket=1), replace(ORDER, ticket=2)),
        (
            "close_all_positions",
            "positions_get",
            replace(POSITION, ticket=1, identifier=1),
            replace(POSITION, ticket=2, identifier=2),
        ),
    ],
)
async def test_a_login_elsewhere_ends_a_sweep(
    scene: Scene, method: str, asked: str, first: Any, other: Any
) -> None:
    """What the other account has stays: nobody has asked for its end."""
    script = scene.script
    there = {scene.hello.login: [first], 777: [other]}

    def listed(params: Any) -> list[Any]:
        return [one for one in there[scene.hello.login] if params.ticket in (None, one.ticket)]

    def switch(_: object) -> Any:
        scene.hello = script.hello = replace(scene.hello, login=777)
        return DONE

    script.answers |= {asked: listed, "order_send": switch}
    await scene.ask(method)
    assert [one.order or one.position for one in script.sent] == [1]


async def test_what_was_closed_in_part_is_named_though_the_terminal_goes(scene: Scene) -> None:
    """Nobody can look at it again, so its caller hears that something may be left."""
    part = replace(DONE, retcode=10010, volume=POSITION.volume / 2)
    listings = iter([[POSITION], [POSITION]])

    def listed(_: object) -> Any:
        return next(listings, None) or NotSent("positions_get", "link lost")

    scene.script.answers |= {"positions_get": listed, "order_send": part}
    swept = await scene.ask("close_all_positions")
    assert swept["closed"] == []
    [failed] = swept["failed"]
    assert (failed["ticket"], failed["outcome"]) == (POSITION.ticket, "unknown")


async def test_an_order_said_to_be_gone_is_named_where_nobody_can_look(scene: Scene) -> None:
    """It may have been filled: its position would stay, and nobody would be told of it."""
    listings = iter([[ORDER], [ORDER]])

    def listed(_: object) -> Any:
        return next(listings, None) or NotSent("orders_get", "link lost")

    scene.script.answers |= {"orders_get": listed, "order_send": replace(DONE, retcode=10035)}
    swept = await scene.ask("cancel_all_orders")
    assert swept["cancelled"] == []
    [failed] = swept["failed"]
    assert (failed["ticket"], failed["outcome"]) == (ORDER.ticket, "unknown")
