"""How params are read: times, numbers, positions in a list."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError
from scripted_answers import NOW_MS
from scripted_terminal import CATALOGUE, Scene

from gateway import errors
from gateway.rpc.methods.params import MAX_MS, MIN_MS, read_decimal, read_time

ZONES = st.integers(-14 * 4, 14 * 4).map(
    lambda quarters: timezone(timedelta(minutes=15 * quarters))
)


@given(st.integers(MIN_MS, MAX_MS - 1), ZONES)
def test_times_as_integers_and_as_text(ms: int, zone: timezone) -> None:
    """Milliseconds are taken as they are; ISO text is the same moment in any zone."""
    assert read_time(ms) == ms
    text = (
        datetime.fromtimestamp(ms / 1000, UTC).astimezone(zone).isoformat(timespec="milliseconds")
    )
    assert read_time(text) == ms


@pytest.mark.parametrize(
    "given_",
    [
        1_780_000_000,
        1,
        99_999_999_999,
        -1,
        MAX_MS,
        10**30,
        1.78e12,
        True,
        None,
        "2026-03-01",
        "2026-03-01T00:00:00",
        "1780000000000",
        "yesterday",
        "",
        "2026-13-01T00:00Z",
        ["2026"],
    ],
)
def test_what_could_be_misread_is_no_time(given_: object) -> None:
    """Seconds, local times, dates without zone, other types: refused rather than guessed."""
    with pytest.raises(PydanticCustomError):
        read_time(given_)


def test_the_beginning_of_time() -> None:
    """0 is the one small integer that can only mean one thing."""
    assert read_time(0) == 0
    assert read_time("1971-01-04T00:00Z") == 31_795_200_000


@pytest.mark.parametrize(
    "given_",
    ["", " 1", "1 ", "+1", "0x1", "1_000", "inf", "NaN", "1e999", "٣", True, None, [], {}],
)
def test_what_is_no_number(given_: object) -> None:
    """No spaces, no signs of other scripts, no booleans."""
    with pytest.raises(PydanticCustomError):
        read_decimal(given_)


@given(st.decimals(-(10**9), 10**9, places=8))
def test_strings_are_exact(number: Decimal) -> None:
    """All the digits that were written count."""
    assert read_decimal(format(number, "f")) == number


@pytest.mark.parametrize("number", [10**12 + 1, "1e13", -1e13, 10**400])
def test_enormous_numbers_are_refused(number: Any) -> None:
    """Before anything is computed with them."""
    with pytest.raises(PydanticCustomError):
        read_decimal(number)


async def test_params_by_position(scene: Scene) -> None:
    """A list follows the order of the documentation, aliases included."""
    call = scene.call()
    answer = await CATALOGUE["get_ohlc"].answer(call, ["EURUSD", "H1", 2])
    assert len(answer["bars"]) == 2
    await CATALOGUE["get_history_prices"].answer(call, ["EURUSD", "M1", NOW_MS - 60_000])
    with pytest.raises(errors.InvalidParams):
        await CATALOGUE["get_account_info"].answer(call, [1])


async def test_from_is_the_name_on_the_wire(scene: Scene) -> None:
    """Python's word for it stays inside."""
    with pytest.raises(errors.InvalidParams):
        await CATALOGUE["get_history_prices"].answer(
            scene.call(), {"symbol": "EURUSD", "from_": NOW_MS}
        )


async def test_other_terminals_are_not_this_tokens(scene: Scene) -> None:
    """`terminal` may be named, but only the token's own."""
    await scene.ask("get_positions", terminal="mt5-a")
    with pytest.raises(errors.TerminalNotFound) as refused:
        await scene.ask("get_positions", terminal="mt5-b")
    assert refused.value.data == {"terminal": "mt5-b", "terminals": ["mt5-a"]}
