"""Trade server: its configuration, its clock, the manager's connection to it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from ea_bridge.model.struct import Struct

from .fields import Int, Login, Text32, Text64, Text128, Text256, Time, UInt
from .user import MAX_LOGINS

MAX_MAIL_BODY = 32_768
"""Characters of one mail."""


class ServerConfig(Struct, frozen=True, kw_only=True):
    """``ConCommon``: the server's common settings.

    ``typeofdemo``: 0 disabled, 1 prolonged, 2 fixed. ``address`` is packed like
    ``UserRecord.last_ip``; ``optimization_time`` in minutes, ``timezone`` in hours from UTC.
    """

    owner: Text128 = ""
    name: Text32 = ""
    address: UInt = 0
    port: Int = 0
    timeout: Int = 0
    typeofdemo: Int = 0
    timeofdemo: Int = 0
    daylightcorrection: Int = 0
    timezone_real: Int = 0
    timezone: Int = 0
    timesync: Text64 = ""
    minclient: Int = 0
    minapi: Int = 0
    feeder_timeout: Int = 0
    keepemails: Int = 0
    endhour: Int = 0
    endminute: Int = 0
    optimization_time: Int = 0
    optimization_lasttime: Time = 0
    antiflood: Int = 0
    floodcontrol: Int = 0
    liveupdate_mode: Int = 0
    lastorder: Int = 0
    lastlogin: Int = 0
    lostlogin: Int = 0
    rollovers_mode: Int = 0
    path_database: Text256 = ""
    path_history: Text256 = ""
    path_log: Text256 = ""
    overnight_last_day: Time = 0
    overnight_last_time: Time = 0
    overnight_prev_time: Time = 0
    overmonth_last_month: Time = 0
    adapters: Text256 = ""
    bind_adresses: Annotated[list[UInt], Meta(max_length=8)] = field(default_factory=list)
    server_version: Int = 0
    server_build: Int = 0
    web_adresses: Annotated[list[UInt], Meta(max_length=8)] = field(default_factory=list)
    statement_mode: Int = 0
    monthly_state_mode: Int = 0
    keepticks: Int = 0
    statement_weekend: Int = 0
    last_activate: Time = 0
    stop_last: Time = 0
    stop_delay: Int = 0
    stop_reason: Int = 0
    account_url: Text128 = ""


class ConnectParams(Struct, frozen=True, kw_only=True):
    """``Connect`` and ``Login``: where the server is (``host:port``) and who the manager is."""

    server: Text128
    login: Login
    password: Annotated[str, Meta(min_length=1, max_length=63)]

    def __repr__(self) -> str:
        return f"ConnectParams(server={self.server!r}, login={self.login})"  # no password in a log


class ManagerConnection(Struct, frozen=True, kw_only=True):
    """The peer's connection to the trade server: where to and as whom, as far as there is one."""

    connected: bool
    server: Text128 = ""
    login: Login = 0


class ServerTime(Struct, frozen=True, kw_only=True):
    """``ServerTime``: seconds of the server's clock."""

    time: Time


class Mail(Struct, frozen=True, kw_only=True):
    """``MailSend``: an internal mail to users. ``sender`` is shown as its sender's name; empty:
    the manager's own.
    """

    logins: Annotated[list[Login], Meta(min_length=1, max_length=MAX_LOGINS)]
    subject: Text128
    body: Annotated[str, Meta(max_length=MAX_MAIL_BODY)]
    sender: Text64 = ""
