"""What `modify_order` keeps and removes, and how much of a position can be closed: each case at
its boundary."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import EURUSD, NOW_MS, ORDER, POSITION
from scripted_terminal import Scene

from gateway import errors

ABSENT = object()
UNPRICED = [(ABSENT, "kept"), ("keep", "kept"), (None, 0.0), (0, 0.0), ("0.0", 0.0)]
"""What a caller may say of a stop, and what goes to the terminal."""
LOSSES = [*UNPRICED, (1.0751, 1.0751), ("1.0751", 1.0751)]
PROFITS = [*UNPRICED, (1.0951, 1.0951), ("1.0951", 1.0951)]


def given(**params: Any) -> dict[str, Any]:
    """The params without those that are absent."""
    return {name: value for name, value in params.items() if value is not ABSENT}


@pytest.mark.parametrize("target", ["order", "position"])
async def test_stops_are_kept_removed_or_set(scene: Scene, target: str) -> None:
    """Each for itself, of an order and of a position: absent keeps, null and 0 remove."""
    has = ORDER if target == "order" else replace(POSITION, tp=1.09)
    scene.script.answers["positions_get"] = [replace(POSITION, tp=1.09)]
    each = partial(zip, LOSSES, strict=True)
    turned = [*PROFITS[2:], *PROFITS[:2]]
    for (sl, sl_sent), (tp, tp_sent) in [*each(PROFITS), *each(turned)]:
        scene.script.asked.clear()
        params = given(sl=sl, tp=tp)
        if set(params.values()) <= {"keep"}:
            with pytest.raises(errors.InvalidParams):
                await scene.ask("modify_order", ticket=has.ticket, target=target, **params)
            assert scene.script.sent == []
            continue
        await scene.ask("modify_order", ticket=has.ticket, target=target, **params)
        (sent,) = scene.script.sent
        assert sent.sl == (has.sl if sl_sent == "kept" else sl_sent), params
        assert sent.tp == (has.tp if tp_sent == "kept" else tp_sent), params


@pytest.mark.parametrize(
    ("params", "sent_as"),
    [
        ({"price": 1.079}, (1.079, 1.0789)),
        ({"stoplimit": 1.0788}, (1.08, 1.0788)),
        ({"price": 1.079, "stoplimit": 1.0788}, (1.079, 1.0788)),
        ({"price": None, "stoplimit": 1.0788}, (1.08, 1.0788)),
        ({"price": 0, "stoplimit": 1.0788}, (1.08, 1.0788)),
        ({"price": 1.079, "stoplimit": None}, (1.079, 1.0789)),
        ({"sl": None}, (1.08, 1.0789)),
    ],
)
async def test_an_order_cannot_be_without_its_prices(
    scene: Scene, params: dict[str, Any], sent_as: tuple[float, float]
) -> None:
    """So null keeps them, as absent does; the kind, the volume and the magic stay as well."""
    waiting = replace(ORDER, type=6, price_stoplimit=1.0789, volume_current=0.15)
    scene.script.answers["orders_get"] = [waiting]
    await scene.ask("modify_order", ticket=ORDER.ticket, **params)
    (sent,) = scene.script.sent
    assert (sent.price, sent.stoplimit) == sent_as
    assert (sent.type, sent.volume, sent.magic) == (6, 0.15, ORDER.magic)


@pytest.mark.parametrize(
    ("lifetime", "params", "sent_as"),
    [
        ((0, 0), {"expiration": NOW_MS + 60_000}, (2, 60)),
        ((2, 600), {"expiration": NOW_MS + 60_000}, (2, 60)),
        ((3, 600), {"expiration": NOW_MS + 60_000}, (3, 60)),
        ((2, 600), {"sl": 1.07}, (2, 600)),
        ((2, 600), {"sl": 1.07, "expiration": None, "type_time": None}, (2, 600)),
        ((2, 600), {"type_time": "gtc"}, (0, 0)),
        ((0, 0), {"type_time": "day"}, (1, 0)),
    ],
)
async def test_lifetimes(
    scene: Scene,
    lifetime: tuple[int, int],
    params: dict[str, Any],
    sent_as: tuple[int, int],
) -> None:
    """Absent and null keep an expiration; only `gtc` takes it away. Seconds from now."""
    now_s = scene.clock.to_broker_ms(NOW_MS) // 1000
    kind, left_s = lifetime
    ends = now_s + left_s if left_s else 0
    scene.script.answers["orders_get"] = [replace(ORDER, type_time=kind, time_expiration=ends)]
    await scene.ask("modify_order", ticket=ORDER.ticket, **params)
    (sent,) = scene.script.sent
    wanted, left_s = sent_as
    assert (sent.type_time, sent.expiration) == (wanted, now_s + left_s if left_s else 0)


@pytest.mark.parametrize(
    ("volume", "closes"),
    [
        (0.01, 0.01),
        ("0.01", 0.01),
        (0.009, None),
        (0.011, None),
        (0.09, 0.09),
        (0.0999999, None),
        (0.1, 0.1),
        (0.1 + 1e-17, 0.1),
        (0.1000001, None),
        (0.11, None),
        (None, 0.1),
    ],
)
async def test_how_much_can_be_closed(scene: Scene, volume: Any, closes: float | None) -> None:
    """From the symbol's least volume to all that is open, in steps; one step more is refused with
    what is open, and nothing is sent."""
    params: dict[str, Any] = {} if volume is None else {"volume": volume}
    if closes is not None:
        await scene.ask("close_position", ticket=POSITION.ticket, **params)
        assert [sent.volume for sent in scene.script.sent] == [closes]
        return
    with pytest.raises(errors.InvalidVolume) as refused:
        await scene.ask("close_position", ticket=POSITION.ticket, **params)
    data = refused.value.data
    assert (data["open"], data["min"], data["step"]) == (0.1, 0.01, 0.01)
    assert data["outcome"] == "not_sent"
    assert scene.script.sent == []


@pytest.mark.parametrize(
    ("volume", "closes"),
    [(0.099, 0.09), (0.0101, 0.01), (0.0099, None), (0.1, 0.1), (0.109, 0.1), (0.11, None)],
)
async def test_how_much_is_closed_of_what_is_off_the_grid(
    scene: Scene, volume: float, closes: float | None
) -> None:
    """`normalize` goes down to the step: never more than was asked for, never more than there
    is, and not to nothing."""
    params: dict[str, Any] = {"ticket": POSITION.ticket, "volume": volume, "normalize": True}
    if closes is None:
        with pytest.raises(errors.InvalidVolume):
            await scene.ask("close_position", **params)
        assert scene.script.sent == []
        return
    receipt = await scene.ask("close_position", **params)
    assert [sent.volume for sent in scene.script.sent] == [closes]
    assert receipt["normalized"] == ([] if volume == closes else ["volume"])


async def test_a_rest_that_is_too_small_to_be_opened_can_be_closed(scene: Scene) -> None:
    """All of a position goes, whatever the least volume has become; a part of it does not."""
    scene.script.answers["symbol_get"] = replace(EURUSD, volume_min=0.05)
    scene.script.answers["positions_get"] = [replace(POSITION, volume=0.03)]
    with pytest.raises(errors.InvalidVolume):
        await scene.ask("close_position", ticket=POSITION.ticket, volume=0.02)
    await scene.ask("close_position", ticket=POSITION.ticket, volume=0.03)
    await scene.ask("close_position", ticket=POSITION.ticket)
    assert [sent.volume for sent in scene.script.sent] == [0.03, 0.03]


@pytest.mark.parametrize(
    ("other", "volume"),
    [
        ({"type": 1, "volume": 0.3}, 0.1),
        ({"type": 1, "volume": 0.1}, 0.1),
        ({"type": 1, "volume": 0.04}, 0.04),
        ({"type": 0, "volume": 0.1}, None),
        ({"type": 1, "symbol": "GBPUSD"}, None),
        ({"ticket": POSITION.ticket}, None),
    ],
)
async def test_what_closes_what(scene: Scene, other: dict[str, Any], volume: float | None) -> None:
    """The smaller volume of two opposite positions of a symbol; anything else is refused, by the
    name of the field."""
    second = replace(POSITION, **({"ticket": 5} | other))
    scene.script.answers["positions_get"] = lambda p: [
        one for one in (POSITION, second) if one.ticket == p.ticket
    ]
    params: dict[str, Any] = {"position": POSITION.ticket, "position_by": second.ticket}
    if volume is None:
        with pytest.raises(errors.InvalidParams) as refused:
            await scene.ask("close_by", **params)
        assert refused.value.data["errors"][0]["field"] == "position_by"
        assert refused.value.data["outcome"] == "not_sent"
        assert scene.script.sent == []
        return
    await scene.ask("close_by", **params)
    assert [sent.volume for sent in scene.script.sent] == [volume]
