"""Rules of the emulated server: what a record may hold, refusals, pages of lists."""

from __future__ import annotations

import math
from functools import cache
from typing import TypeVar

import msgspec
from msgspec.inspect import Field, Metadata, StrType, StructType, Type, UnionType

from ea_bridge.model.struct import Struct
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.model import (
    MAX_PASSWORD,
    MIN_PASSWORD,
    Page,
    ReturnCode,
    TradeChange,
    TradeCommand,
    TradeRecord,
    UserChange,
)

from .accounts import is_amount


def refuse(code: ReturnCode, said: str) -> CommandRefused:
    """Return a refusal with a code of the Manager API."""
    return CommandRefused(said, retcode=int(code))


def invalid(said: str) -> CommandRefused:
    """``RET_INVALID_DATA``."""
    return refuse(ReturnCode.INVALID_DATA, said)


def no_account(login: int) -> CommandRefused:
    """``RET_BAD_ACCOUNT_INFO``."""
    return refuse(ReturnCode.BAD_ACCOUNT_INFO, f"there is no login {login}")


_FIRST_PRINTABLE = " "
_OF_A_BODY = "\r\n\t"
MAX_PRICE = 1e9
MAX_VOLUME = 100_000_00
"""Of one trade, in lots times 100."""


def check_texts(params: Struct) -> None:
    """Refuse what does not fit into the API's records: too many bytes, control characters (a
    mail's body has lines).

    Raises:
        CommandRefused: ``INVALID_DATA``.

    """
    for name, size in _sizes(type(params)):
        text = getattr(params, name)
        if text is None:
            continue
        # the API counts bytes where the bounds of a struct count characters
        if len(text.encode()) > size:
            raise invalid(f"{name} has more than {size} bytes")
        allowed = _OF_A_BODY if name == "body" else ""
        if any(letter < _FIRST_PRINTABLE and letter not in allowed for letter in text):
            raise invalid(f"{name} has a control character")


def check_switches(change: UserChange) -> None:
    """Refuse switches that are neither on nor off.

    Raises:
        CommandRefused: ``INVALID_DATA``.

    """
    for name in ("enable", "enable_change_password", "enable_read_only", "send_reports"):
        if getattr(change, name) not in (None, 0, 1):
            raise invalid(f"{name} is 0 or 1")
    if change.enable_otp not in (None, 0, 1):
        raise invalid("enable_otp is 0 or 1")
    if change.taxes is not None and not (math.isfinite(change.taxes) and 0 <= change.taxes <= 100):
        raise invalid("taxes are 0 to 100 percent")


def check_password(password: str) -> None:
    """Refuse a password that the server would: see :data:`~.model.account.Password`.

    Raises:
        CommandRefused: ``INVALID_DATA``.

    """
    kinds = (str.islower, str.isupper, str.isdigit)
    mixed = sum(any(kind(letter) for letter in password) for kind in kinds)
    fits = MIN_PASSWORD <= len(password) <= MAX_PASSWORD and password.isascii()
    if not fits or not password.isprintable() or mixed < 2:
        raise invalid(
            f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} ASCII characters, of two kinds at "
            "least: lower case, upper case, digits"
        )


def check_leverage(leverage: int) -> None:
    """Refuse a leverage that there is not.

    Raises:
        CommandRefused: ``INVALID_DATA``.

    """
    if not 1 <= leverage <= 5000:
        raise invalid("leverage is 1 to 5000")


def check_trade(before: TradeRecord, change: TradeChange, after: TradeRecord) -> None:
    """Refuse a record that an administrator cannot have meant.

    Raises:
        CommandRefused: with the API's code.

    """
    if TradeCommand(before.cmd).is_money:
        _check_operation(change, after)
        return
    if change.profit is not None and not is_amount(change.profit):
        raise invalid("profit is money")
    if not before.close_time and (change.profit is not None or change.close_price is not None):
        raise invalid("profit and close_price of an open trade are the market's")
    if not TradeCommand.BUY <= after.cmd <= TradeCommand.SELL_STOP:
        raise invalid("a trade does not become a balance operation")
    if TradeCommand(after.cmd).is_pending and after.close_time and after.profit:
        raise invalid("a pending order that was deleted has no profit")
    if not 1 <= after.volume <= MAX_VOLUME:
        raise refuse(ReturnCode.TRADE_BAD_VOLUME, f"volume is 1 to {MAX_VOLUME}")
    if not (_is_price(after.open_price) and after.open_price > 0 and _is_price(after.close_price)):
        raise refuse(ReturnCode.TRADE_BAD_PRICES, "prices are above 0")
    if not (_is_price(after.sl) and _is_price(after.tp)):
        raise refuse(ReturnCode.TRADE_BAD_STOPS, "sl and tp are prices, or 0")
    for name in ("commission", "commission_agent", "storage", "taxes"):
        if not is_amount(getattr(after, name)):
            raise invalid(f"{name} is money")


def check_times(before: TradeRecord, after: TradeRecord) -> None:
    """Refuse a change from open to closed or back, and an end before the beginning.

    Raises:
        CommandRefused: ``INVALID_DATA``.

    """
    if bool(before.close_time) != bool(after.close_time):
        raise invalid("a record's change neither closes a trade nor opens it again")
    if after.close_time and after.close_time < after.open_time:
        raise invalid("close_time is before open_time")


def _check_operation(change: TradeChange, after: TradeRecord) -> None:
    allowed = {"profit", "comment", "open_time", "close_time", "expiration"}
    given = {name for name, value in msgspec.structs.asdict(change).items() if value is not None}
    if given - allowed:
        raise invalid(f"a balance operation has no {', '.join(sorted(given - allowed))}")
    if not is_amount(after.profit) or not after.profit:
        raise invalid("profit is an amount of money, not 0")


def _is_price(value: float) -> bool:
    return math.isfinite(value) and 0 <= value <= MAX_PRICE


@cache
def _sizes(kind: type[Struct]) -> tuple[tuple[str, int], ...]:
    """Return the texts of a struct and how many bytes they may have."""
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, StructType)
    sizes = ((field.name, _size(field)) for field in described.fields)
    return tuple((name, size) for name, size in sizes if size is not None)


def _size(field: Field) -> int | None:
    kind: Type = field.type
    members = kind.types if isinstance(kind, UnionType) else (kind,)
    for member in members:
        bare = member.type if isinstance(member, Metadata) else member
        if isinstance(bare, StrType):
            return bare.max_length
    return None


T = TypeVar("T")


def bounds(total: int, offset: int, limit: int | None) -> slice:
    """Return which of so many rows are asked for."""
    return slice(offset, total if limit is None else offset + limit)


def cut(rows: list[T], offset: int, limit: int | None) -> Page[T]:
    """Return the rows from ``offset`` on, at most ``limit``."""
    # the total is of all that fit: a reader of pages learns from it when he is at the end
    return Page(total=len(rows), rows=rows[bounds(len(rows), offset, limit)])
