"""The grammar of channel names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ea_bridge.model import Timeframe
from gateway.errors import InvalidParams
from gateway.streams.channels import (
    Channel,
    ChannelRequest,
    Item,
    VendorRequest,
    parse_channel,
    read_items,
    vendor_channel,
)

symbols = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=31
)
intervals = st.integers(10, 60_000).map(lambda ms: f"{ms}ms")
channels = st.one_of(
    st.builds(
        Channel, st.just("tick"), st.one_of(st.sampled_from(["", "all"]), intervals), symbols
    ),
    st.builds(Channel, st.just("book"), st.sampled_from(["", "1", "10", "100"]), symbols),
    st.builds(Channel, st.just("bar"), st.sampled_from(list(Timeframe.__members__)), symbols),
    st.builds(Channel, st.just("pnl"), st.one_of(st.just(""), intervals)),
    st.sampled_from(
        [Channel(t) for t in ("orders", "positions", "deals", "account", "terminal", "heartbeat")]
    ),
)


@given(channels)
def test_a_name_is_read_back_as_the_channel_it_names(channel: Channel) -> None:
    """Whatever the symbol holds (dots, colons, spaces), name and channel are one."""
    assert parse_channel(channel.name) == channel


@given(st.text(max_size=60))
def test_any_text_is_a_channel_or_an_error(text: str) -> None:
    """Nothing but InvalidParams comes out, with a reason; what is accepted is canonical."""
    try:
        channel = parse_channel(text)
    except InvalidParams as error:
        reason = error.data["reason"]
    else:
        reason = ""
        assert parse_channel(channel.name) == channel
    assert reason in ("", "unknown_channel", "option", "symbol", "length")


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("bar.m1:EURUSD", "bar.M1:EURUSD"), ("bar.PERIOD_MN1:a:b.c", "bar.MN1:a:b.c")],
)
def test_timeframes_are_read_in_any_case(name: str, canonical: str) -> None:
    """Clients write timeframes in several ways; events carry one."""
    assert parse_channel(name).name == canonical


@pytest.mark.parametrize(
    ("name", "reason", "near"),
    [
        ("ticks:EURUSD", "unknown_channel", "tick"),
        ("order", "unknown_channel", "orders"),
        ("", "unknown_channel", None),
        ("tick", "symbol", None),
        ("tick:", "symbol", None),
        ("tick:a\nb", "symbol", None),
        ("tick:" + "x" * 65, "symbol", None),
        ("orders:EURUSD", "symbol", "orders"),
        ("orders.all", "option", "orders"),
        ("tick.fast:EURUSD", "option", "tick.all"),
        ("tick.9ms:EURUSD", "option", None),
        ("tick.0100ms:EURUSD", "option", "tick.100ms"),
        ("tick.60001ms:EURUSD", "option", None),
        ("tick.99999999999999999999ms:EURUSD", "option", "tick.all"),
        ("book.0:EURUSD", "option", "book.10"),
        ("book.101:EURUSD", "option", "book.10"),
        ("bar:EURUSD", "option", "bar.M1:EURUSD"),
        ("bar.M7:EURUSD", "option", None),
        ("bar.M55:EURUSD", "option", "M5"),
        ("tick.all.100ms:EURUSD", "option", None),
        ("x" * 200, "length", None),
    ],
)
def test_what_is_no_channel_says_why(name: str, reason: str, near: str | None) -> None:
    """The error names what is wrong, and what comes close where something does."""
    with pytest.raises(InvalidParams) as caught:
        parse_channel(name)
    assert caught.value.data["reason"] == reason
    if near is not None:
        assert near in caught.value.data["did_you_mean"]


@pytest.mark.parametrize(
    ("kind", "symbol", "timeframe", "name"),
    [
        ("tick", "EURUSD", None, "tick:EURUSD"),
        ("mbook", "US30.cash", None, "book:US30.cash"),
        ("ohlc", "EURUSD", "M15", "bar.M15:EURUSD"),
        ("ohlc", "EURUSD", 16385, "bar.H1:EURUSD"),
        ("order", None, None, "orders"),
    ],
)
def test_the_vendors_types_map_to_channels(
    kind: str, symbol: str | None, timeframe: str | int | None, name: str
) -> None:
    """tick, mbook, ohlc and order are tick, book, bar and orders."""
    assert vendor_channel(kind, symbol, timeframe).name == name


@pytest.mark.parametrize(
    ("kind", "symbol", "timeframe"),
    [
        ("ticks", "EURUSD", None),
        ("tick", None, None),
        ("tick", "EURUSD", "M1"),
        ("ohlc", "EURUSD", None),
        ("ohlc", "EURUSD", 7),
        ("ohlc", None, "M1"),
        ("order", "EURUSD", None),
    ],
)
def test_a_vendors_form_that_makes_no_sense_fails(
    kind: str, symbol: str | None, timeframe: str | int | None
) -> None:
    """What lacks its symbol or timeframe, or has one too many, is refused."""
    with pytest.raises(InvalidParams):
        vendor_channel(kind, symbol, timeframe)


def test_one_bad_item_does_not_spoil_the_others() -> None:
    """Items are read one by one; each failure names what was asked for."""
    items: list[Item] = ["tick:EURUSD", "nonsense", VendorRequest(type="ohlc", symbol="EURUSD")]
    wanted, failed = read_items([*items, ChannelRequest(channel="orders", terminal="b")], "a")
    assert [one.channel.name for one in wanted] == ["tick:EURUSD"]
    assert [(f["channel"], f["name"]) for f in failed] == [
        ("nonsense", "invalid_params"),
        ("ohlc:EURUSD", "invalid_params"),
        ("orders", "terminal_not_found"),
    ]


@pytest.mark.parametrize(
    ("name", "delivery"),
    [
        ("tick:E", "latest"), ("tick.all:E", "lossless"), ("tick.100ms:E", "latest"),
        ("book:E", "latest"), ("bar.M1:E", "mixed"), ("orders", "lossless"),
        ("positions", "lossless"), ("deals", "lossless"), ("pnl", "latest"),
        ("pnl.1000ms", "latest"), ("account", "latest"), ("terminal", "lossless"),
        ("heartbeat", "latest"),
    ],
)  # fmt: skip
def test_each_channel_has_its_delivery(name: str, delivery: str) -> None:
    """As the protocol's table says."""
    assert parse_channel(name).delivery == delivery
