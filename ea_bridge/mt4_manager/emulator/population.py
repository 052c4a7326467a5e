"""Groups and users that an emulated server begins with, drawn from a seed.

Each has paid in once; some hold a position, some have closed one, a few are online or disabled.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ea_bridge.mt4_manager.model import (
    FreeMarginMode,
    GroupMargin,
    GroupRecord,
    GroupRight,
    GroupSecurity,
    MarginType,
    OnlineRecord,
    TradeCommand,
    TradeReason,
    TradeRecord,
    UserRecord,
)

from .books import Books
from .quotes import Snapshot
from .symbols import SECURITIES

_RIGHTS = GroupRight.EMAIL | GroupRight.TRAILING | GroupRight.ADVISOR | GroupRight.EXPIRATION
_TERMS = GroupSecurity(
    show=1, trade=1, execution=2, lot_min=1, lot_max=10_000, lot_step=1, ie_deviation=2
)


def default_groups() -> dict[str, GroupRecord]:
    """Return the groups by name: two currencies, both ways to count margin levels."""
    groups = (
        _group("demoforex", "USD", leverage=100, deposit=10_000.0),
        _group("real-usd", "USD", leverage=200),
        _group("real-eur", "EUR", leverage=100),
        _group(
            "vip-usd",
            "USD",
            leverage=50,
            secmargins=[GroupMargin(symbol="XAUUSD", margin_divider=0.5)],
        ),
        _group(
            "fixed-usd",
            "USD",
            leverage=100,
            margin_type=int(MarginType.CURRENCY),
            margin_call=500,
            margin_stopout=100,
            margin_mode=int(FreeMarginMode.USE_LOSS),
        ),
        _group("closed", "USD", leverage=100, enable=0),
    )
    return {group.group: group for group in groups}


def _group(
    name: str,
    currency: str,
    *,
    leverage: int,
    deposit: float = 0.0,
    enable: int = 1,
    margin_type: int = int(MarginType.PERCENT),
    margin_call: int = 100,
    margin_stopout: int = 50,
    margin_mode: int = int(FreeMarginMode.USE_ALL),
    secmargins: list[GroupMargin] | None = None,
) -> GroupRecord:
    return GroupRecord(
        group=name,
        enable=enable,
        timeout=7,
        company="Emulated Broker Ltd",
        signature="Emulated Broker Ltd",
        support_page="https://example.com",
        smtp_server="smtp.example.com:25",
        smtp_login="reports",
        support_email="support@example.com",
        default_leverage=leverage,
        default_deposit=deposit,
        maxsecurities=4096,
        secgroups=[_TERMS] * len(SECURITIES),
        secmargins=secmargins or [],
        currency=currency,
        margin_call=margin_call,
        margin_mode=margin_mode,
        margin_stopout=margin_stopout,
        margin_type=margin_type,
        use_swap=1,
        news=2,
        rights=int(_RIGHTS),
        check_ie_prices=1,
        archive_period=90,
    )


_FIRST_NAMES = ("Ada", "Bo", "Chen", "Dina", "Emil", "Fay", "Goran", "Hana", "Ivo", "June")
_LAST_NAMES = ("Abel", "Berg", "Costa", "Dahl", "Endo", "Fuchs", "Grant", "Hale", "Ito", "Jansen")
_COUNTRIES = ("Cyprus", "Germany", "Japan", "Kenya", "Portugal")
_GROUPS = ("demoforex", "real-usd", "real-eur", "vip-usd", "fixed-usd")
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")
_DAY_S = 86_400
_BENCHMARK_NET = 0x12C6
"""198.18.0.0/15 is nobody's: addresses of RFC 2544, packed with the first number lowest."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """Number of users, and their doings; shares are of all users."""

    users: int = 200
    positions: float = 0.5
    closed: float = 0.3
    online: float = 0.05
    disabled: float = 0.02


def populate(
    books: Books, snapshot: Snapshot, population: Population, *, now_s: int, seed: int
) -> None:
    """Enter users, their deposits and trades into empty books."""
    draw = random.Random(seed)  # noqa: S311 - draws people that there are not
    for place in range(population.users):
        account = books.add_user(_user(draw, place, population, now_s))
        paid_in = (place % 40 + 1) * 25_000
        books.operate(account, TradeCommand.BALANCE, paid_in, "deposit", account.user.regdate)
        if draw.random() < population.closed:
            trade = books.open_trade(account, _position(draw, books, account.user, snapshot))
            books.close_trade(account, trade.order, snapshot, now_s - draw.randrange(1, _DAY_S))
        if draw.random() < population.positions:
            books.open_trade(account, _position(draw, books, account.user, snapshot))


def who_is_online(logins: Sequence[int], share: float, *, seed: int) -> list[OnlineRecord]:
    """Return connections of some users."""
    draw = random.Random(seed)  # noqa: S311 - draws connections that there are not
    chosen = [login for login in logins if draw.random() < share]
    return [
        OnlineRecord(login=login, counter=1, ip=_BENCHMARK_NET | draw.randrange(2**16) << 16)
        for login in chosen
    ]


def _user(draw: random.Random, place: int, population: Population, now_s: int) -> UserRecord:
    name = f"{draw.choice(_FIRST_NAMES)} {draw.choice(_LAST_NAMES)}"
    registered = now_s - draw.randrange(30, 900) * _DAY_S
    return UserRecord(
        login=0,
        group=_GROUPS[place % len(_GROUPS)],
        enable=int(draw.random() >= population.disabled),
        name=name,
        country=draw.choice(_COUNTRIES),
        email=f"{name.lower().replace(' ', '.')}.{place}@example.com",
        leverage=(50, 100, 200)[place % 3],
        regdate=registered,
        lastdate=now_s - draw.randrange(_DAY_S),
        timestamp=registered,
        send_reports=1,
    )


def _position(
    draw: random.Random, books: Books, user: UserRecord, snapshot: Snapshot
) -> TradeRecord:
    name = draw.choice(SYMBOLS)
    symbol = books.symbols[name]
    buying = draw.random() < 0.5
    bid, ask = snapshot.quote(name)
    away = 1 + draw.uniform(-0.002, 0.002)
    currency = books.groups[user.group].currency
    opened = round((ask if buying else bid) * away, symbol.digits)
    return TradeRecord(
        order=0,
        login=0,
        symbol=name,
        digits=symbol.digits,
        cmd=int(TradeCommand.BUY if buying else TradeCommand.SELL),
        volume=draw.randrange(1, 21),
        open_time=user.lastdate,
        open_price=opened,
        reason=int(draw.choice((TradeReason.CLIENT, TradeReason.EXPERT, TradeReason.MOBILE))),
        conv_rates=(snapshot.profit_rate(name, currency, long=buying), 0.0),
        margin_rate=snapshot.margin_rate(name, currency, buying=buying),
        timestamp=user.lastdate,
    )
