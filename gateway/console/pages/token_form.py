"""The form of a token, read. What is missing or wrong is said at its field, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.console.tokens import sentence
from gateway.credentials.keyset import DAY_S
from gateway.credentials.limits import LimitsError, read_count, read_number, read_symbols
from gateway.credentials.record import NAME, TradeLimits

from .words import LIFETIMES, SCOPES

LIMITS: Final[Mapping[str, Callable[[str], object]]] = {
    "max_lot": read_number,
    "max_open_lots": read_number,
    "max_daily_loss": read_number,
    "max_orders_per_min": read_count,
    "collar_bps": read_count,
    "allowed_symbols": read_symbols,
}
"""The fields of the limits, all that a record has, and how each is read."""
FRESH: Final = {
    "platform": "mt5",
    "lifetime": "90",
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
    days = form.get("lifetime", "")
    if days not in {value for value, _ in LIFETIMES}:
        read.problems["lifetime"] = "Choose one of the times."
    elif days:
        read.lifetime_s = int(days) * DAY_S
    read.scope = form.get("scope", "")
    if read.scope not in {each.value for each in SCOPES}:
        read.problems["scope"] = "Choose what the token may do."
    return read


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
