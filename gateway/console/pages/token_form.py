"""The form of a token, read. What is missing or wrong is said at its field, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.console.tokens import MAX_SYMBOL, MAX_SYMBOLS
from gateway.credentials.keyset import DAY_S
from gateway.credentials.record import NAME, TradeLimits

from .words import LIFETIMES, SCOPES

_LOTS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,8})?", re.ASCII)
_COUNT: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_DECIMAL: Final = "Write a number such as 0.5."
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
            "Give a name of 1 to 64 letters, digits, dots, dashes or underscores, without spaces."
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
    """Read the fields of the limits."""
    read = TokenForm(strict_terminal=form.get("strict_terminal") == "yes")
    per_min = form.get("max_orders_per_min", "").strip()
    if per_min and not _COUNT.fullmatch(per_min):
        read.problems["max_orders_per_min"] = "Write a whole number such as 30."
        per_min = ""
    read.limits = TradeLimits(
        max_lot=_lots(form, "max_lot", read.problems),
        max_open_lots=_lots(form, "max_open_lots", read.problems),
        max_daily_loss=_lots(form, "max_daily_loss", read.problems),
        max_orders_per_min=int(per_min) if per_min else None,
        allowed_symbols=_symbols(form, read.problems),
    )
    return read


def shown_limits(limits: TradeLimits) -> dict[str, str]:
    """Return limits as the form shows them."""
    fields = {
        "max_lot": limits.max_lot,
        "max_open_lots": limits.max_open_lots,
        "max_daily_loss": limits.max_daily_loss,
        "max_orders_per_min": limits.max_orders_per_min,
        "allowed_symbols": ", ".join(limits.allowed_symbols or ()),
    }
    return {name: str(value) for name, value in fields.items() if value is not None}


def _lots(form: Mapping[str, str], name: str, problems: dict[str, str]) -> str | None:
    text = form.get(name, "").strip().replace(",", ".")
    if text and not _LOTS.fullmatch(text):
        problems[name] = _DECIMAL
        return None
    return text or None


def _symbols(form: Mapping[str, str], problems: dict[str, str]) -> tuple[str, ...] | None:
    text = form.get("allowed_symbols", "").strip()
    if not text:
        return None
    symbols = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if len(symbols) > MAX_SYMBOLS or any(len(symbol) > MAX_SYMBOL for symbol in symbols):
        problems["allowed_symbols"] = f"Name at most {MAX_SYMBOLS} symbols, with commas between."
        return None
    return symbols
