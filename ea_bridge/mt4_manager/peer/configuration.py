"""Configuration records of the Manager API: the server's and a group's; see :mod:`.layouts`."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from ctypes import c_char, c_double, c_int16, c_int32, c_uint8, c_uint32
from types import MappingProxyType

from .layouts import check_sizes

_Time = c_int32

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
    {ConGroupSec: 112, ConGroupMargin: 72, ConGroup: 13_696, ConCommon: 1744}
)
"""Bytes of each record, from the header's fields and its packing."""

check_sizes(SIZES)
