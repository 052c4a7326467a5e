"""The Manager API's records as the library has them in memory, byte for byte.

The fields, their order and types are those of the public header of the API; builds 1090, 1170 and
1353 of it agree. Records that the header packs (``TradeRecord``, ``TradeTransInfo``,
``GroupCommandInfo``) are packed here; all others have the natural alignment of Microsoft's
compilers, in which a ``double`` begins at a multiple of 8 on 32 bits too. Pointers inside records
are ``__ptr32``, 4 bytes in both builds of the library. Every type has a fixed width, so a record
is the same in a process of 32 and of 64 bits; :data:`SIZES` is checked when this module is loaded
and against a C++ compiler in the tests.

The members keep the header's names, spelling included.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import c_char, c_double, c_float, c_int8, c_int16, c_int32, c_uint8, c_uint32
from types import MappingProxyType

_Time = c_int32
"""``__time32_t``: seconds since 1970 of the server's wall clock."""
_Pointer = c_uint32
"""``__ptr32``."""


class UserRecord(ctypes.Structure):
    """An account. ``password``, ``password_investor``, ``otp_secret`` are for writing only."""

    _fields_ = (
        ("login", c_int32),
        ("group", c_char * 16),
        ("password", c_char * 16),
        ("enable", c_int32),
        ("enable_change_password", c_int32),
        ("enable_read_only", c_int32),
        ("enable_otp", c_int32),
        ("enable_reserved", c_int32 * 2),
        ("password_investor", c_char * 16),
        ("password_phone", c_char * 32),
        ("name", c_char * 128),
        ("country", c_char * 32),
        ("city", c_char * 32),
        ("state", c_char * 32),
        ("zipcode", c_char * 16),
        ("address", c_char * 96),
        ("lead_source", c_char * 32),
        ("phone", c_char * 32),
        ("email", c_char * 48),
        ("comment", c_char * 64),
        ("id", c_char * 32),
        ("status", c_char * 16),
        ("regdate", _Time),
        ("lastdate", _Time),
        ("leverage", c_int32),
        ("agent_account", c_int32),
        ("timestamp", _Time),
        ("last_ip", c_int32),
        ("balance", c_double),
        ("prevmonthbalance", c_double),
        ("prevbalance", c_double),
        ("credit", c_double),
        ("interestrate", c_double),
        ("taxes", c_double),
        ("prevmonthequity", c_double),
        ("prevequity", c_double),
        ("reserved2", c_double * 2),
        ("otp_secret", c_char * 32),
        ("secure_reserved", c_uint8 * 240),
        ("send_reports", c_int32),
        ("mqid", c_uint32),
        ("user_color", c_uint32),
        ("unused", c_uint8 * 40),
        ("api_data", c_uint8 * 16),
    )


class TradeRecord(ctypes.Structure):
    """An order, open or closed, or an operation on balance or credit."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (
        ("order", c_int32),
        ("login", c_int32),
        ("symbol", c_char * 12),
        ("digits", c_int32),
        ("cmd", c_int32),
        ("volume", c_int32),
        ("open_time", _Time),
        ("state", c_int32),
        ("open_price", c_double),
        ("sl", c_double),
        ("tp", c_double),
        ("close_time", _Time),
        ("gw_volume", c_int32),
        ("expiration", _Time),
        ("reason", c_int8),
        ("conv_reserv", c_uint8 * 3),
        ("conv_rates", c_double * 2),
        ("commission", c_double),
        ("commission_agent", c_double),
        ("storage", c_double),
        ("close_price", c_double),
        ("profit", c_double),
        ("taxes", c_double),
        ("magic", c_int32),
        ("comment", c_char * 32),
        ("gw_order", c_int32),
        ("activation", c_int32),
        ("gw_open_price", c_int16),
        ("gw_close_price", c_int16),
        ("margin_rate", c_double),
        ("timestamp", _Time),
        ("api_data", c_int32 * 4),
        ("next", _Pointer),
    )


class TradeTransInfo(ctypes.Structure):
    """Order to ``TradeTransaction``, which writes ``order`` back."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (
        ("type", c_uint8),
        ("flags", c_int8),
        ("cmd", c_int16),
        ("order", c_int32),
        ("orderby", c_int32),
        ("symbol", c_char * 12),
        ("volume", c_int32),
        ("price", c_double),
        ("sl", c_double),
        ("tp", c_double),
        ("ie_deviation", c_int32),
        ("comment", c_char * 32),
        ("expiration", _Time),
        ("crc", c_int32),
    )


class MarginLevel(ctypes.Structure):
    """Margin that an account's open orders bind; ``balance`` has the credit in it."""

    _fields_ = (
        ("login", c_int32),
        ("group", c_char * 16),
        ("leverage", c_int32),
        ("updated", c_int32),
        ("balance", c_double),
        ("equity", c_double),
        ("volume", c_int32),
        ("margin", c_double),
        ("margin_free", c_double),
        ("margin_level", c_double),
        ("margin_type", c_int32),
        ("level_type", c_int32),
    )


class OnlineRecord(ctypes.Structure):
    """Connection of a user."""

    _fields_ = (
        ("counter", c_int32),
        ("reserved", c_int32),
        ("login", c_int32),
        ("ip", c_uint32),
        ("group", c_char * 16),
    )


class GroupCommandInfo(ctypes.Structure):
    """Operation of ``UsersGroupOp`` on ``len`` accounts."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (
        ("len", c_int32),
        ("command", c_int8),
        ("newgroup", c_char * 16),
        ("leverage", c_int32),
        ("reserved", c_int32 * 8),
    )


class MailBox(ctypes.Structure):
    """An internal mail; ``to`` is the number of those who get it when one is sent."""

    _fields_ = (
        ("time", _Time),
        ("sender", c_int32),
        ("from", c_char * 64),
        ("to", c_int32),
        ("subject", c_char * 128),
        ("readed", c_int32),
        ("body", _Pointer),
        ("bodylen", c_int32),
        ("build_min", c_int16),
        ("build_max", c_int16),
        ("reserved", c_int32),
    )


class SymbolInfo(ctypes.Structure):
    """A symbol's prices."""

    _fields_ = (
        ("symbol", c_char * 12),
        ("digits", c_int32),
        ("count", c_int32),
        ("visible", c_int32),
        ("type", c_int32),
        ("point", c_double),
        ("spread", c_int32),
        ("spread_balance", c_int32),
        ("direction", c_int32),
        ("updateflag", c_int32),
        ("lasttime", _Time),
        ("bid", c_double),
        ("ask", c_double),
        ("high", c_double),
        ("low", c_double),
        ("commission", c_double),
        ("comm_type", c_int32),
    )


class ConSession(ctypes.Structure):
    """A span of a day, on the server's wall clock."""

    _fields_ = (
        ("open_hour", c_int16),
        ("open_min", c_int16),
        ("close_hour", c_int16),
        ("close_min", c_int16),
        ("open", c_int32),
        ("close", c_int32),
        ("align", c_int16 * 7),
    )


class ConSessions(ctypes.Structure):
    """The sessions of one day of the week."""

    _fields_ = (
        ("quote", ConSession * 3),
        ("trade", ConSession * 3),
        ("quote_overnight", c_int32),
        ("trade_overnight", c_int32),
        ("reserved", c_int32 * 2),
    )


class ConSymbol(ctypes.Structure):
    """Symbol and its terms of trade."""

    _fields_ = (
        ("symbol", c_char * 12),
        ("description", c_char * 64),
        ("source", c_char * 12),
        ("currency", c_char * 12),
        ("type", c_int32),
        ("digits", c_int32),
        ("trade", c_int32),
        ("background_color", c_uint32),
        ("count", c_int32),
        ("count_original", c_int32),
        ("external_unused", c_int32 * 7),
        ("realtime", c_int32),
        ("starting", _Time),
        ("expiration", _Time),
        ("sessions", ConSessions * 7),
        ("profit_mode", c_int32),
        ("profit_reserved", c_int32),
        ("filter", c_int32),
        ("filter_counter", c_int32),
        ("filter_limit", c_double),
        ("filter_smoothing", c_int32),
        ("filter_reserved", c_float),
        ("logging", c_int32),
        ("spread", c_int32),
        ("spread_balance", c_int32),
        ("exemode", c_int32),
        ("swap_enable", c_int32),
        ("swap_type", c_int32),
        ("swap_long", c_double),
        ("swap_short", c_double),
        ("swap_rollover3days", c_int32),
        ("contract_size", c_double),
        ("tick_value", c_double),
        ("tick_size", c_double),
        ("stops_level", c_int32),
        ("gtc_pendings", c_int32),
        ("margin_mode", c_int32),
        ("margin_initial", c_double),
        ("margin_maintenance", c_double),
        ("margin_hedged", c_double),
        ("margin_divider", c_double),
        ("point", c_double),
        ("multiply", c_double),
        ("bid_tickvalue", c_double),
        ("ask_tickvalue", c_double),
        ("long_only", c_int32),
        ("instant_max_volume", c_int32),
        ("margin_currency", c_char * 12),
        ("freeze_level", c_int32),
        ("margin_hedged_strong", c_int32),
        ("value_date", _Time),
        ("quotes_delay", c_int32),
        ("swap_openprice", c_int32),
        ("swap_variation_margin", c_int32),
        ("unused", c_int32 * 21),
    )


MAX_SEC_GROUPS = 32
MAX_SEC_MARGINS = 128
"""``MAX_SEC_GROPS_MARGIN``."""


class ConGroupSec(ctypes.Structure):
    """Terms of a group for the symbols of one security group."""

    _fields_ = (
        ("show", c_int32),
        ("trade", c_int32),
        ("execution", c_int32),
        ("comm_base", c_double),
        ("comm_type", c_int32),
        ("comm_lots", c_int32),
        ("comm_agent", c_double),
        ("comm_agent_type", c_int32),
        ("spread_diff", c_int32),
        ("lot_min", c_int32),
        ("lot_max", c_int32),
        ("lot_step", c_int32),
        ("ie_deviation", c_int32),
        ("confirmation", c_int32),
        ("trade_rights", c_int32),
        ("ie_quick_mode", c_int32),
        ("autocloseout_mode", c_int32),
        ("comm_tax", c_double),
        ("comm_agent_lots", c_int32),
        ("freemargin_mode", c_int32),
        ("reserved", c_int32 * 3),
    )


class ConGroupMargin(ctypes.Structure):
    """Terms of one symbol in a group that differ from the others."""

    _fields_ = (
        ("symbol", c_char * 12),
        ("swap_long", c_double),
        ("swap_short", c_double),
        ("margin_divider", c_double),
        ("reserved", c_int32 * 7),
    )


class ConGroup(ctypes.Structure):
    """A group of accounts. ``smtp_password`` is secret and never leaves this process."""

    _fields_ = (
        ("group", c_char * 16),
        ("enable", c_int32),
        ("timeout", c_int32),
        ("otp_mode", c_int32),
        ("company", c_char * 128),
        ("signature", c_char * 128),
        ("support_page", c_char * 128),
        ("smtp_server", c_char * 64),
        ("smtp_login", c_char * 32),
        ("smtp_password", c_char * 32),
        ("support_email", c_char * 64),
        ("templates", c_char * 32),
        ("copies", c_int32),
        ("reports", c_int32),
        ("default_leverage", c_int32),
        ("default_deposit", c_double),
        ("maxsecurities", c_int32),
        ("secgroups", ConGroupSec * MAX_SEC_GROUPS),
        ("secmargins", ConGroupMargin * MAX_SEC_MARGINS),
        ("secmargins_total", c_int32),
        ("currency", c_char * 12),
        ("credit", c_double),
        ("margin_call", c_int32),
        ("margin_mode", c_int32),
        ("margin_stopout", c_int32),
        ("interestrate", c_double),
        ("use_swap", c_int32),
        ("news", c_int32),
        ("rights", c_int32),
        ("check_ie_prices", c_int32),
        ("maxpositions", c_int32),
        ("close_reopen", c_int32),
        ("hedge_prohibited", c_int32),
        ("close_fifo", c_int32),
        ("hedge_largeleg", c_int32),
        ("unused_rights", c_int32 * 2),
        ("securities_hash", c_uint8 * 16),
        ("margin_type", c_int32),
        ("archive_period", c_int32),
        ("archive_max_balance", c_int32),
        ("stopout_skip_hedged", c_int32),
        ("archive_pending_period", c_int32),
        ("news_languages", c_uint32 * 8),
        ("news_languages_total", c_uint32),
        ("reserved", c_int32 * 17),
    )


class ConCommon(ctypes.Structure):
    """The server's own configuration."""

    _fields_ = (
        ("owner", c_char * 128),
        ("name", c_char * 32),
        ("address", c_uint32),
        ("port", c_int32),
        ("timeout", c_uint32),
        ("typeofdemo", c_int32),
        ("timeofdemo", c_int32),
        ("daylightcorrection", c_int32),
        ("internal", c_uint8 * 60),
        ("timezone_real", c_int32),
        ("timezone", c_int32),
        ("timesync", c_char * 64),
        ("minclient", c_int32),
        ("minapi", c_int32),
        ("feeder_timeout", c_uint32),
        ("keepemails", c_int32),
        ("endhour", c_int32),
        ("endminute", c_int32),
        ("optimization_time", c_int32),
        ("optimization_lasttime", c_int32),
        ("optimization_counter", c_int32),
        ("optimization_unused", c_int32 * 8),
        ("antiflood", c_int32),
        ("floodcontrol", c_int32),
        ("liveupdate_mode", c_int32),
        ("lastorder", c_int32),
        ("lastlogin", c_int32),
        ("lostlogin", c_int32),
        ("rollovers_mode", c_int32),
        ("path_database", c_char * 256),
        ("path_history", c_char * 256),
        ("path_log", c_char * 256),
        ("overnight_last_day", _Time),
        ("overnight_last_time", _Time),
        ("overnight_prev_time", _Time),
        ("overmonth_last_month", _Time),
        ("adapters", c_char * 256),
        ("bind_adresses", c_uint32 * 8),
        ("server_version", c_int16),
        ("server_build", c_int16),
        ("web_adresses", c_uint32 * 8),
        ("statement_mode", c_int32),
        ("monthly_state_mode", c_int32),
        ("keepticks", c_int32),
        ("statement_weekend", c_int32),
        ("last_activate", _Time),
        ("stop_last", _Time),
        ("stop_delay", c_int32),
        ("stop_reason", c_int32),
        ("account_url", c_char * 128),
        ("reserved", c_int32 * 16),
    )


SIZES: Mapping[type[ctypes.Structure], int] = MappingProxyType(
    {
        UserRecord: 1120,
        TradeRecord: 224,
        TradeTransInfo: 96,
        MarginLevel: 88,
        OnlineRecord: 32,
        GroupCommandInfo: 57,
        MailBox: 224,
        SymbolInfo: 112,
        ConSession: 32,
        ConSessions: 208,
        ConSymbol: 1936,
        ConGroupSec: 112,
        ConGroupMargin: 72,
        ConGroup: 13_696,
        ConCommon: 1744,
    }
)
"""Bytes of each record. 224 of a ``TradeRecord`` is the figure that MetaQuotes gives; the others
follow from the header's fields and its packing."""


def check_sizes(sizes: Mapping[type[ctypes.Structure], int]) -> None:
    """See that this Python lays the records out as the library does.

    Raises:
        ImportError: it does not, so no record may be read or written.

    """
    for record, size in sizes.items():
        if ctypes.sizeof(record) != size:
            found = ctypes.sizeof(record)
            raise ImportError(f"{record.__name__} takes {found} bytes here instead of {size}")


check_sizes(SIZES)
