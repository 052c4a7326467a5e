"""The groups that the emulated server begins with."""

from __future__ import annotations

from ea_bridge.mt4_manager.model import (
    FreeMarginMode,
    GroupMargin,
    GroupRecord,
    GroupRight,
    GroupSecurity,
    MarginType,
)

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
