"""What counts as a price."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ea_bridge.protocol import codec as ticks
from ea_bridge.protocol import messages as m
from ea_bridge.protocol.codec import MAX_DIGITS, PriceCheck, is_price
from ea_bridge.protocol.errors import UnreadableLine


@pytest.mark.parametrize(
    "text",
    [
        *("0", "0.0", "1", "1.5", "1.08541", "-37.63", "98123.10", "0.00001234"),
        *("123456789012345", "12345678901234.5", "0.123456789012345"),
    ],
)
def test_plain_numbers_are_prices(text):
    """Negative ones too: oil was."""
    assert is_price(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-", ".", "1.", ".5", "+1", "01", "00.5", "--1", "1.5.5", "1 ", " 1", "1\n", "1,5"),
        *("1e5", "1E-5", "NaN", "nan", "Infinity", "-inf", "0x10", "true", "null", "1_000"),
        *("\uff11.\uff15", "1.5\x00", '1","x":"', "]", "1234567890123456", "1.234567890123456"),
        "0." + "0" * 30 + "1",
    ],
)
def test_everything_else_is_not(text):
    """No exponents, no other spellings, no more digits than a double holds."""
    assert not is_price(text)


@given(st.text(alphabet="0123456789.-+eEnN ", max_size=24))
@settings(max_examples=300)
def test_what_passes_is_a_json_number_that_survives_a_double(text):
    """Fifteen digits go through a double and come back the same."""
    if is_price(text):
        number = json.loads(text)
        digits = text.lstrip("-").replace(".", "").lstrip("0")
        assert len(digits) <= MAX_DIGITS
        assert json.loads(f"{number:.{len(text)}f}") == number


def frame(*prices: str) -> m.Ticks:
    return m.Ticks(d=[(1, 1_764_000_000_000, price, "1.5", 0.0, 0, 6) for price in prices])


def test_a_bad_price_stays_bad():
    """Only what has passed is remembered."""
    check = PriceCheck()
    for _ in range(2):
        with pytest.raises(UnreadableLine):
            check.check(frame("1.2", "NaN"))
    check.check(frame("1.2"))


def test_the_memory_of_prices_is_bounded(monkeypatch):
    """A market that moves does not fill it."""
    monkeypatch.setattr(ticks, "MAX_KNOWN_PRICES", 10)
    check = PriceCheck()
    check.check(frame(*(f"1.{n}" for n in range(100, 200))))
    assert len(check._known) <= 10
