"""The form of a token, read. What is missing or wrong is said at its field, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.console.tokens import AS_BEFORE, MAX_LIFETIME_S, sentence
from gateway.credentials.keyset import DAY_S
from gateway.credentials.limits import LimitsError, read_count, read_number, read_symbols
from gateway.credentials.record import NAME, TradeLimits

from .words import LIFETIMES, OWN, SAME, SCOPES

LIMITS: Final[Mapping[str, Callable[[str], object]]] = {
    "max_lot": read_number,
    "max_open_lots": read_number,
    "max_daily_loss": read_number,
    "max_orders_per_min": read_count,
    "collar_bps": read_count,
    "allowed_symbols": read_symbols,
}
"""The fields of the limits, all that a record has, and how each is read."""
HOUR_S: Final = 3600
UNITS_S: Final = {"hours": HOUR_S, "days": DAY_S, "weeks": 7 * DAY_S}
MAX_DIGITS: Final = 6
OWN_TIME: Final = "Give a whole number: one hour at least, ten years at most."
FRESH: Final = {
    "platform": "mt5",
    "lifetime": "90",
    "lifetime_unit": "days",
    "scope": "trade",
    "strict_terminal": "yes",
}
"""What a new form proposes."""


@dataclass
class TokenForm:
    """A form that was read; it can be used if there are no ``problems``."""

    name: str = ""
    platform: str | None = None
    scope: str = ""
    lifetime_s: int | None = None
    limits: TradeLimits = field(default_factory=TradeLimits)
    strict_terminal: bool = True
    problems: dict[str, str] = field(default_factory=dict)
    """What to do, by the name of the field."""


def read_token(form: Mapping[str, str]) -> TokenForm:
    """Read the form of a new token."""
    read = read_limits(form)
    read.name = form.get("name", "").strip()
    if not NAME.fullmatch(read.name):
        read.problems["name"] = (
            "Give a name of 1 to 64 letters, digits, dots, dashes or underscores, without spaces. "
            "It begins with a letter or digit."
        )
    read.platform = form.get("platform") or None
    if read.platform not in ("mt4", "mt5", None):
        read.problems["platform"] = "Choose one of the platforms."
    read.lifetime_s = read_lifetime(form, read.problems)
    read.scope = form.get("scope", "")
    if read.scope not in {each.value for each in SCOPES}:
        read.problems["scope"] = "Choose what the token may do."
    return read


def read_lifetime(form: Mapping[str, str], problems: dict[str, str]) -> int | None:
    """Return how long a token is to live: seconds, ``None`` for ever, or ``AS_BEFORE``.

    Args:
        form: with ``lifetime``, and for a time of one's own ``lifetime_count`` and
            ``lifetime_unit``.
        problems: gets what is wrong, under ``lifetime``.

    """
    chosen = form.get("lifetime", "")
    if chosen == SAME:
        return AS_BEFORE
    if chosen not in {value for value, _ in LIFETIMES}:
        problems["lifetime"] = "Choose one of the times."
        return None
    if chosen != OWN:
        return int(chosen) * DAY_S if chosen else None
    count, unit_s = (
        form.get("lifetime_count", "").strip(),
        UNITS_S.get(form.get("lifetime_unit", "")),
    )
    if unit_s is None or not count.isascii() or not count.isdecimal() or len(count) > MAX_DIGITS:
        problems["lifetime"] = OWN_TIME
        return None
    lifetime_s = int(count) * unit_s
    if not HOUR_S <= lifetime_s <= MAX_LIFETIME_S:
        problems["lifetime"] = OWN_TIME
        return None
    return lifetime_s


def read_limits(form: Mapping[str, str]) -> TokenForm:
    """Read the fields of the limits; an empty one sets none."""
    read = TokenForm(strict_terminal=form.get("strict_terminal") == "yes")
    given: dict[str, object] = {}
    for name, read_field in LIMITS.items():
        text = form.get(name, "").strip()
        if text:
            try:
                given[name] = read_field(text)
            except LimitsError as error:
                read.problems[name] = sentence(error)
    read.limits = TradeLimits.model_validate(given)
    return read


def shown_limits(limits: TradeLimits) -> dict[str, str]:
    """Return limits as the form shows them."""
    shown = {name: getattr(limits, name) for name in LIMITS}
    shown["allowed_symbols"] = ", ".join(limits.allowed_symbols or ()) or None
    return {name: str(value) for name, value in shown.items() if value is not None}
