"""Prices and volumes on the symbol's grid; filling modes; ids; deadlines."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scripted_answers import EURUSD

from ea_bridge.model import OrderFilling, OrderType, SymbolExecution
from gateway.errors import DeadlineExceeded, InvalidPrice, InvalidVolume
from gateway.rpc.methods.params import read_decimal
from gateway.trading.filling import allowed_fillings
from gateway.trading.price_grid import PriceGrid, exact, nearest, tick_size
from gateway.trading.requests import (
    CLIENT_ORDER_ID,
    DEFAULT_TTL_MS,
    Deadline,
    new_client_order_id,
    tag,
    tagged_comment,
)

STEPS = st.sampled_from(["0.01", "0.1", "1", "0.001", "0.25", "0.00001", "0.5"])


@given(step=STEPS, count=st.integers(1, 10_000), parts=st.integers(1, 7))
def test_sums_of_doubles_lie_on_the_grid(step: str, count: int, parts: int) -> None:
    """However a client adds its steps up in binary, the sum means what it meant."""
    total = sum(float(step) for _ in range(parts)) + float(step) * count
    read = read_decimal(total)
    assert read == Decimal(step) * (count + parts)
    info = replace(EURUSD, volume_min=0.0, volume_max=0.0, volume_step=float(step))
    assert PriceGrid(info).volume(read) == read


@given(number=st.floats(1e-6, 1e9, allow_nan=False))
def test_numbers_mean_what_they_print(number: float) -> None:
    """15 significant digits of a double are all that is read."""
    assert read_decimal(number) == Decimal(format(number, ".15g"))
    assert abs(float(read_decimal(number)) - number) <= number * 1e-14


@given(points=st.integers(1, 10**7), off=st.decimals("0.000001", "0.000009", places=6))
def test_prices_off_the_grid_are_refused_or_moved_by_half_a_tick(
    points: int, off: Decimal
) -> None:
    """Never rounded silently; normalizing never moves further than half a tick."""
    on = points * tick_size(EURUSD)
    assert PriceGrid(EURUSD).price("price", on) == on
    with pytest.raises(InvalidPrice):
        PriceGrid(EURUSD).price("price", on + off)
    grid = PriceGrid(EURUSD, normalize=True)
    moved = grid.price("sl", on + off)
    assert abs(moved - on - off) <= tick_size(EURUSD) / 2
    assert moved % tick_size(EURUSD) == 0
    assert grid.moved == ["sl"]


@given(volume=st.decimals("0.001", "100", places=4))
def test_normalizing_never_makes_a_volume_larger(volume: Decimal) -> None:
    """More than was asked for is never traded."""
    grid = PriceGrid(EURUSD, normalize=True)
    try:
        taken = grid.volume(volume)
    except InvalidVolume:
        assert volume < Decimal("0.01")
        return
    assert Decimal("0.01") <= taken <= min(volume, Decimal(50))
    assert taken % Decimal("0.01") == 0


def test_a_symbol_without_steps_takes_any_volume() -> None:
    """0 means that the broker sets no grid and no maximum."""
    info = replace(EURUSD, volume_step=0.0, volume_max=0.0)
    assert PriceGrid(info, normalize=True).volume(Decimal("123.456")) == Decimal("123.456")


def test_tick_size_may_differ_from_the_point() -> None:
    """An index with points of 0.01 and ticks of 0.25."""
    index = replace(EURUSD, point=0.01, trade_tick_size=0.25)
    assert PriceGrid(index).price("price", Decimal("4500.75"))
    with pytest.raises(InvalidPrice):
        PriceGrid(index).price("price", Decimal("4500.80"))
    assert tick_size(replace(index, trade_tick_size=0.0)) == Decimal("0.01")


def test_terminals_numbers_are_read_as_meant() -> None:
    """Artefacts of doubles are below the 15th digit."""
    assert exact(0.1 + 0.2) == Decimal("0.3")
    assert nearest(Decimal("0.019"), Decimal(0)) == Decimal("0.019")


@pytest.mark.parametrize(
    ("mask", "execution", "order_type", "allowed"),
    [
        (3, SymbolExecution.MARKET, OrderType.BUY, ["FOK", "IOC"]),
        (2, SymbolExecution.MARKET, OrderType.SELL, ["IOC"]),
        (0, SymbolExecution.MARKET, OrderType.BUY, ["FOK"]),
        (0, SymbolExecution.EXCHANGE, OrderType.BUY, ["RETURN"]),
        (2, SymbolExecution.EXCHANGE, OrderType.BUY, ["IOC", "RETURN"]),
        (1, SymbolExecution.INSTANT, OrderType.BUY, ["FOK", "RETURN"]),
        (3, SymbolExecution.MARKET, OrderType.BUY_LIMIT, ["RETURN", "FOK", "IOC"]),
        (5, SymbolExecution.EXCHANGE, OrderType.SELL_LIMIT, ["RETURN", "FOK", "BOC"]),
        (5, SymbolExecution.EXCHANGE, OrderType.SELL_STOP, ["RETURN", "FOK"]),
        (None, SymbolExecution.MARKET, OrderType.BUY, []),
    ],
)
def test_filling_modes(
    mask: int | None, execution: int, order_type: int, allowed: list[str]
) -> None:
    """The mask, the execution mode and the kind of order decide (quirk 8)."""
    info = replace(EURUSD, filling_mode=mask, trade_exemode=int(execution))
    assert allowed_fillings(info, order_type) == [OrderFilling[name] for name in allowed]


@given(st.integers(0, 2**48 - 2))
def test_made_ids_are_good_and_sort_by_time(now_ms: int) -> None:
    """A ULID behind `gw-`, which the pattern of ids accepts."""
    made = new_client_order_id(now_ms)
    assert re.fullmatch(CLIENT_ORDER_ID, made)
    assert len(made) == 29
    assert new_client_order_id(now_ms + 1)[:13] >= made[:13]


def test_tag_depends_on_the_account() -> None:
    """The same id of another login or server is another order."""
    tags = {tag(1, "A", "x"), tag(2, "A", "x"), tag(1, "B", "x"), tag(1, "A", "y")}
    assert len(tags) == 4
    assert all(re.fullmatch(r"g[A-Z2-7]{9}", one) for one in tags)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=64))
def test_comments_fit_metatrader(comment: str) -> None:
    """The tag is whole, and the rest is cut to 31 characters."""
    told = tagged_comment(1, "A", "x", comment)
    assert told.startswith(tag(1, "A", "x"))
    assert len(told) <= 31


def test_the_earlier_end_counts() -> None:
    """`ttl_ms` and `deadline_ms` together; 5 s if neither is given."""
    assert Deadline.of(lambda: 1000, None, None).at_ms == 1000 + DEFAULT_TTL_MS
    assert Deadline.of(lambda: 1000, 300, 1200).at_ms == 1200
    assert Deadline.of(lambda: 1000, 100, 1200).at_ms == 1100
    assert Deadline.of(lambda: 1000, None, 9000).remaining_ms() == 8000
    with pytest.raises(DeadlineExceeded) as late:
        Deadline.of(lambda: 1000, None, 900).remaining_ms()
    assert late.value.data == {"outcome": "not_sent", "late_ms": 100}


def test_normalizing_never_takes_a_price_away() -> None:
    """0 means no stop: what lies nearest to it is refused, so that nobody loses a stop loss."""
    grid = PriceGrid(EURUSD, normalize=True)
    with pytest.raises(InvalidPrice):
        grid.price("sl", Decimal("0.000004"))
    assert grid.price("sl", Decimal("0.000006")) == Decimal("0.00001")
