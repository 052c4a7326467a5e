"""The account, the terminal and its clock."""

from __future__ import annotations

from typing import Any

from ea_bridge import model
from gateway import schemas as shapes
from gateway.broker_time.clock import BrokerClock

from . import enums

MT4_ACCOUNT_LACKS = (
    "limit_orders",
    "margin_mode",
    "currency_digits",
    "fifo_close",
    "margin_initial",
    "margin_maintenance",
    "assets",
    "liabilities",
    "commission_blocked",
)
MT4_TERMINAL_LACKS = (
    "codepage",
    "maxbars",
    "tradeapi_disabled",
    "community_balance",
    "notifications_enabled",
    "mqid",
    "ping_last",
    "retransmission",
)


def missing(noun: Any, names: tuple[str, ...], platform: str) -> list[str]:
    """Return which of the fields that MetaTrader 4 may lack it does lack."""
    return [] if platform == "mt5" else [n for n in names if getattr(noun, n) is None]


def account_info(account: model.Account, platform: str) -> shapes.AccountInfo:
    """``AccountInfo*``; a margin level of 0 means that there are no positions."""
    mode = account.margin_mode
    return {
        "login": account.login,
        "trade_mode": enums.ACCOUNT_TRADE_MODE[account.trade_mode],
        "leverage": account.leverage,
        "limit_orders": account.limit_orders or None,
        "margin_so_mode": enums.STOPOUT_MODE[account.margin_so_mode],
        "trade_allowed": account.trade_allowed,
        "trade_expert": account.trade_expert,
        "margin_mode": None if mode is None else enums.MARGIN_MODE[mode],
        "currency_digits": account.currency_digits,
        "fifo_close": account.fifo_close,
        "balance": account.balance,
        "credit": account.credit,
        "profit": account.profit,
        "equity": account.equity,
        "margin": account.margin,
        "margin_free": account.margin_free,
        "margin_level": round(account.margin_level, 2) or None,
        "margin_so_call": account.margin_so_call,
        "margin_so_so": account.margin_so_so,
        "margin_initial": account.margin_initial,
        "margin_maintenance": account.margin_maintenance,
        "assets": account.assets,
        "liabilities": account.liabilities,
        "commission_blocked": account.commission_blocked,
        "name": account.name,
        "server": account.server,
        "currency": account.currency,
        "company": account.company,
        "paper": account.paper,
        "unavailable": missing(account, MT4_ACCOUNT_LACKS, platform),
    }


def account_balance(account: model.Account) -> shapes.AccountBalance:
    """The account's money alone."""
    return {
        "balance": account.balance,
        "credit": account.credit,
        "equity": account.equity,
        "margin": account.margin,
        "margin_free": account.margin_free,
        "margin_level": round(account.margin_level, 2) or None,
        "profit": account.profit,
        "currency": account.currency,
        "paper": account.paper,
    }


def terminal_info(terminal: model.Terminal, platform: str) -> shapes.TerminalInfo:
    """``TerminalInfo*``."""
    return {
        "platform": "mt4" if platform == "mt4" else "mt5",
        "build": terminal.build,
        "codepage": terminal.codepage,
        "company": terminal.company,
        "connected": terminal.connected,
        "data_path": terminal.data_path,
        "commondata_path": terminal.commondata_path,
        "path": terminal.path,
        "name": terminal.name,
        "language": terminal.language,
        "maxbars": terminal.maxbars,
        "dlls_allowed": terminal.dlls_allowed,
        "trade_allowed": terminal.trade_allowed,
        "tradeapi_disabled": terminal.tradeapi_disabled,
        "community_account": terminal.community_account,
        "community_balance": terminal.community_balance,
        "community_connection": terminal.community_connection,
        "email_enabled": terminal.email_enabled,
        "ftp_enabled": terminal.ftp_enabled,
        "notifications_enabled": terminal.notifications_enabled,
        "mqid": terminal.mqid,
        "ping_last": terminal.ping_last,
        "retransmission": terminal.retransmission,
        "unavailable": missing(terminal, MT4_TERMINAL_LACKS, platform),
    }


def broker_offset(clock: BrokerClock) -> shapes.BrokerOffset:
    """What the gateway has learnt of the broker's clock."""
    estimate = clock.estimate
    return {
        "broker_utc_offset_s": estimate.offset_s,
        "rule": estimate.rule,
        "source": estimate.source,
        "confidence": estimate.confidence,
        "since": estimate.since_ms,
    }


def server_time(now: model.Clock, clock: BrokerClock) -> shapes.ServerTime:
    """The broker's clock; without ``TimeTradeServer`` it is the PC's, put into broker time.

    The offset is that of now: in the hour that a clock shows twice its stamp alone does not tell.
    """
    utc_ms = now.tgmt * 1000
    broker_ms = clock.to_broker_ms(utc_ms)
    if now.tsrv is not None:
        broker_ms = now.tsrv * 1000
        utc_ms = broker_ms - clock.offset_at(utc_ms)
    return {
        "time": utc_ms,
        "broker_time": broker_ms,
        "utc_offset_seconds": (broker_ms - utc_ms) // 1000,
        "last_quote_time": clock.to_utc_ms(now.tcur * 1000),
        "terminal_time": now.tgmt * 1000,
        "local_offset_seconds": now.tlocal - now.tgmt,
        "offset": broker_offset(clock),
        "unavailable": [] if now.tsrv is not None else ["trade_server_time"],
    }
