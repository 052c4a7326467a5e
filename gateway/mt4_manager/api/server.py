"""Endpoints 1 to 8, 22 to 27 and 34: login, and the MT4 server itself.

Its connection and clock, its groups and symbols, and its configuration.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ea_bridge.commands import NoParams, SymbolParams
from ea_bridge.host import wall_ms
from ea_bridge.mt4_manager.commands import (
    GROUPS_REQUEST,
    IS_CONNECTED,
    MANAGER_COMMON,
    ONLINE_REQUEST,
    PING,
    SERVER_TIME,
    SYMBOL_GET,
    SYMBOL_INFO_GET,
    SYMBOLS_GET_ALL,
)
from ea_bridge.mt4_manager.model import ConnectParams, GroupFilter, ReturnCode, SymbolsFilter
from gateway.http.rest.models import Problem
from gateway.mt4_manager import OperatorRole, PeerOffline, PeerRefused

from . import answers
from .answers import PAGING, listed
from .models import Connect, LoginForm, Mask
from .operation import ManagerCall, ManagerOperation, Parameter
from .users import MASK

TEST = "/api/test"
QUARTER_S = 900
MAX_OFFSET_S = 14 * 3600
WRONG_LOGIN = frozenset({ReturnCode.BAD_ACCOUNT_INFO, ReturnCode.ACCOUNT_DISABLED})


async def _health(_: ManagerCall) -> answers.Health:
    return answers.Health()


async def _log_in(call: ManagerCall) -> answers.Token:
    form = call.body(LoginForm)
    token = await call.services.login.log_in(form.username, form.password)
    return answers.Token(access_token=token)


async def _service_health(call: ManagerCall) -> answers.ServiceHealth:
    return answers.ServiceHealth(connected=await call.services.supervision.is_connected())


async def _connect(call: ManagerCall) -> answers.Message:
    given = call.body(Connect)
    params = ConnectParams(server=given.server, login=given.login, password=given.password)
    call.recheck(OperatorRole.ADMIN)
    try:
        await call.services.supervision.connect(params, call.operator)
    except PeerRefused as error:
        if error.retcode in WRONG_LOGIN:
            raise Problem(400, "The MT4 server refused login or password") from error
        if error.retcode == ReturnCode.NO_CONNECT:
            said = f"No MT4 server answers at {given.server}: check its address and port"
            raise Problem(503, said, {"Retry-After": "5"}) from error
        raise
    return answers.Message(message="Connected and logged in successfully")


async def _disconnect(call: ManagerCall) -> answers.Message:
    call.recheck(OperatorRole.ADMIN)
    await call.services.supervision.disconnect(call.operator)
    return answers.Message(message="Disconnected")


async def _status(call: ManagerCall) -> answers.Connected:
    try:
        found = await call.question(IS_CONNECTED, NoParams())
    except PeerOffline:
        return answers.Connected(connected=False)
    return answers.Connected(connected=found.connected)


async def _ping(call: ManagerCall) -> answers.Ping:
    await call.question(PING, NoParams())
    return answers.Ping(ping=True)


async def _server_time(call: ManagerCall) -> answers.Clock:
    broker_s = (await call.question(SERVER_TIME, NoParams())).time
    # the Manager API tells no time zone; zones are quarters of an hour, and clocks closer to right
    offset_s = round((broker_s - wall_ms() / 1000) / QUARTER_S) * QUARTER_S
    if abs(offset_s) > MAX_OFFSET_S:
        offset_s = 0  # no zone is that far from UTC: the clock itself is wrong
    utc_s = broker_s - offset_s
    return answers.Clock(
        server_time=utc_s,
        server_time_str=f"{_text(utc_s)} UTC",
        broker_time=broker_s,
        broker_time_str=_text(broker_s),
        utc_offset_s=offset_s,
    )


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


OPERATIONS = (
    ManagerOperation(
        "health",
        "GET",
        "/api/health",
        "Whether the API answers.",
        _health,
        answers.Health,
        role=None,
    ),
    ManagerOperation(
        "login",
        "POST",
        "/api/auth/login",
        "Log in by name and password; the token is for the header Authorization: Bearer.",
        _log_in,
        answers.Token,
        request_model=LoginForm,
        role=None,
        takes_form=True,
    ),
    ManagerOperation(
        "service_health",
        "GET",
        TEST + "/service-health",
        "Whether a manager is logged in at the MT4 server, as it was within the last second.",
        _service_health,
        answers.ServiceHealth,
        role=None,
    ),
    ManagerOperation(
        "connect",
        "POST",
        TEST + "/connect",
        "Connect to an MT4 server and log in as a manager; the gateway keeps it up from now on.",
        _connect,
        answers.Message,
        request_model=Connect,
        role=OperatorRole.ADMIN,
    ),
    ManagerOperation(
        "disconnect",
        "POST",
        TEST + "/disconnect",
        "Disconnect. All MT4 operations will fail until reconnected.",
        _disconnect,
        answers.Message,
        role=OperatorRole.ADMIN,
    ),
    ManagerOperation(
        "status",
        "GET",
        TEST + "/status",
        "Whether a manager is logged in at the MT4 server.",
        _status,
        answers.Connected,
    ),
    ManagerOperation("ping", "GET", TEST + "/ping", "Ping the MT4 server.", _ping, answers.Ping),
    ManagerOperation(
        "server_time",
        "GET",
        TEST + "/server-time",
        "The MT4 server's clock, in UTC and in its own zone.",
        _server_time,
        answers.Clock,
    ),
)


# --- groups and symbols -------------------------------------------------------------------------


GROUPS = "/api/groups/"
SYMBOLS = "/api/symbols/"
SYMBOL_MASK = Parameter("symbol", Mask, "Which: masks such as *USD*,!EURUSD.")
MASK_SIGNS = frozenset("*?,!")


async def _groups(call: ManagerCall) -> Any:
    return listed(call, "groups", GROUPS_REQUEST, GroupFilter(group=call.query["group"]))


async def _online(call: ManagerCall) -> Any:
    return listed(call, "online", ONLINE_REQUEST, GroupFilter(group=call.query["group"]))


async def _group(call: ManagerCall) -> bytes:
    name = call.path["name"]
    if not MASK_SIGNS & set(name):
        # the Manager API finds groups by masks alone; a name without their signs is its own mask
        page = await call.question(GROUPS_REQUEST, GroupFilter(group=name, limit=2))
        for group in page.rows:
            if group.group == name:
                return answers.flat(group)
    raise Problem(404, "There is no such group")


async def _symbols(call: ManagerCall) -> Any:
    return listed(call, "symbols", SYMBOLS_GET_ALL, SymbolsFilter(symbol=call.query["symbol"]))


async def _about_symbol(call: ManagerCall, command: Any) -> bytes:
    try:
        return answers.flat(await call.question(command, SymbolParams(symbol=call.path["name"])))
    except PeerRefused as error:
        if error.retcode != ReturnCode.INVALID_DATA:
            raise
        raise Problem(404, "There is no such symbol") from error


async def _symbol(call: ManagerCall) -> bytes:
    return await _about_symbol(call, SYMBOL_GET)


async def _price(call: ManagerCall) -> bytes:
    return await _about_symbol(call, SYMBOL_INFO_GET)


async def _config(call: ManagerCall) -> bytes:
    config = await call.question(MANAGER_COMMON, NoParams())
    return answers.flat(config)


MARKET_OPERATIONS = (
    ManagerOperation(
        "list_groups", "GET", GROUPS, "All groups.", _groups, answers.Groups, query=(MASK, *PAGING)
    ),
    ManagerOperation(
        "list_online",
        "GET",
        GROUPS + "online",
        "Who is logged in now.",
        _online,
        answers.Online,
        query=(MASK, *PAGING),
    ),
    ManagerOperation("get_group", "GET", GROUPS + "{name}", "One group.", _group, answers.Group),
    ManagerOperation(
        "list_symbols",
        "GET",
        SYMBOLS,
        "All symbols.",
        _symbols,
        answers.Symbols,
        query=(SYMBOL_MASK, *PAGING),
    ),
    ManagerOperation(
        "get_symbol", "GET", SYMBOLS + "{name}", "One symbol.", _symbol, answers.Symbol
    ),
    ManagerOperation(
        "get_price",
        "GET",
        SYMBOLS + "{name}/price",
        "The price of a symbol.",
        _price,
        answers.Price,
    ),
)
CONFIG_OPERATIONS = (
    ManagerOperation(
        "get_server_config",
        "GET",
        "/api/server/config",
        "The common settings of the MT4 server.",
        _config,
        answers.Config,
        role=OperatorRole.ADMIN,
    ),
)
