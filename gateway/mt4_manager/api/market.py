"""Endpoints 22 to 27 and 34: groups, symbols and the server's configuration."""

from __future__ import annotations

from typing import Any

from ea_bridge.commands import NoParams, SymbolParams
from ea_bridge.mt4_manager.commands import (
    GROUPS_REQUEST,
    MANAGER_COMMON,
    ONLINE_REQUEST,
    SYMBOL_GET,
    SYMBOL_INFO_GET,
    SYMBOLS_GET_ALL,
)
from ea_bridge.mt4_manager.model import GroupFilter, ReturnCode, SymbolsFilter
from gateway.http.rest.problem import Problem
from gateway.mt4_manager import PeerRefused, Role

from . import answers
from .listing import PAGING, listed
from .models import Mask
from .operation import ManagerCall, Operation, Parameter
from .users import MASK

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


OPERATIONS = (
    Operation(
        "list_groups", "GET", GROUPS, "All groups.", _groups, answers.Groups, query=(MASK, *PAGING)
    ),
    Operation(
        "list_online",
        "GET",
        GROUPS + "online",
        "Who is logged in now.",
        _online,
        answers.Online,
        query=(MASK, *PAGING),
    ),
    Operation("get_group", "GET", GROUPS + "{name}", "One group.", _group, answers.Group),
    Operation(
        "list_symbols",
        "GET",
        SYMBOLS,
        "All symbols.",
        _symbols,
        answers.Symbols,
        query=(SYMBOL_MASK, *PAGING),
    ),
    Operation("get_symbol", "GET", SYMBOLS + "{name}", "One symbol.", _symbol, answers.Symbol),
    Operation(
        "get_price",
        "GET",
        SYMBOLS + "{name}/price",
        "The price of a symbol.",
        _price,
        answers.Price,
    ),
)
SERVER_OPERATIONS = (
    Operation(
        "get_server_config",
        "GET",
        "/api/server/config",
        "The common settings of the MT4 server.",
        _config,
        answers.Config,
        role=Role.ADMIN,
    ),
)
