"""Masks of groups and symbols."""

from __future__ import annotations

import pytest

from ea_bridge.mt4_manager.model.types import Masks


@pytest.mark.parametrize(
    ("text", "fits", "fits_not"),
    [
        (None, ["demo", ""], []),
        ("*", ["demo", ""], []),
        ("demo", ["demo"], ["demo2", "Demo"]),
        ("demo*,!demo-old", ["demo", "demo-1"], ["demo-old", "real"]),
        ("*USD*, !EURUSD", ["USDJPY"], ["EURUSD", "EURJPY"]),
        ("!a,*", ["a", "b"], []),
        ("", [""], ["demo"]),
        ("a[b", ["a[b"], ["ab"]),
    ],
)
def test_the_last_mask_that_fits_decides(text: str | None, fits: list[str], fits_not: list[str]):
    """Case matters; blanks around a mask do not."""
    masks = Masks(text)

    assert all(masks.fit(name) for name in fits)
    assert not any(masks.fit(name) for name in fits_not)
