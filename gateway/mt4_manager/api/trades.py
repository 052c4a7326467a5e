"""Endpoints 19 to 21 and 28 to 31: trades, as all may see and as administrators change them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ea_bridge.mt4_manager.commands import (
    ADM_TRADE_RECORD_MODIFY,
    ADM_TRADES_DELETE,
    ADM_TRADES_REQUEST,
    TRADE_RECORDS_REQUEST,
    TRADES_GET_BY_LOGIN,
    TRADES_REQUEST,
    TRADES_USER_HISTORY,
)
from ea_bridge.mt4_manager.model import (
    AdminDeleteParams,
    AdminModifyParams,
    AdminTradesParams,
    LoginTradesParams,
    OpenTradesFilter,
    OrdersParams,
    ReturnCode,
    TradeChange,
    TradeHistoryParams,
    TradeRecord,
)
from gateway.http.rest.models import Problem
from gateway.mt4_manager import OperatorRole, PeerRefused

from . import answers
from .answers import PAGING, WHOLE, listed
from .models import GroupTrades, HistorySpan, SymbolName, TradesDelete, TradesNamed, TradeUpdate
from .operation import ManagerCall, ManagerOperation, Parameter
from .users import MASK, check_amount

OPEN = "/api/trades/open"
ADMIN = "/api/admin/trades"
SYMBOL = Parameter("symbol", SymbolName, "Of which symbol.")


async def _open(call: ManagerCall) -> Any:
    fits = OpenTradesFilter(group=call.query["group"], symbol=call.query["symbol"])
    return listed(call, "trades", TRADES_REQUEST, fits)


async def _open_of(call: ManagerCall) -> Any:
    fits = LoginTradesParams(login=call.path["login"])
    return listed(call, "trades", TRADES_GET_BY_LOGIN, fits)


async def _history(call: ManagerCall) -> Any:
    span = call.body(HistorySpan)
    fits = TradeHistoryParams(login=call.path["login"], from_s=span.from_s, to_s=span.to_s)
    return listed(call, "trades", TRADES_USER_HISTORY, fits)


async def _lookup(call: ManagerCall) -> answers.TradesFound:
    orders = list(dict.fromkeys(call.body(TradesNamed).orders))
    found = await call.question(TRADE_RECORDS_REQUEST, OrdersParams(orders=orders))
    return answers.TradesFound(total=len(found), trades=found)


async def _by_group(call: ManagerCall) -> Any:
    given = call.body(GroupTrades)
    fits = AdminTradesParams(group=given.group, open_only=int(given.open_only))
    return listed(call, "trades", ADM_TRADES_REQUEST, fits)


async def _modify(call: ManagerCall) -> bytes:
    order, given = call.path["order"], call.body(TradeUpdate)
    changed = given.model_dump(exclude_none=True, exclude={"fix_balance"})
    amounts = {name: changed[name] for name in _AMOUNTS if name in changed}
    if amounts and _is_bounded(call):
        found = await call.question(TRADE_RECORDS_REQUEST, OrdersParams(orders=[order]))
        for trade in found:
            check_amount(call, sum(amounts.values()) - _money(trade, amounts))
    try:
        trade = await call.change(
            ADM_TRADE_RECORD_MODIFY,
            lambda _: AdminModifyParams(
                order=order, change=TradeChange(**changed), fix_balance=int(given.fix_balance)
            ),
            {"order": order, "fix_balance": given.fix_balance, **changed},
        )
    except PeerRefused as refused:
        await _check_there(call, [order], refused)
        raise
    return answers.flat(trade)


_AMOUNTS = ("profit", "storage", "commission", "taxes")
"""Members of a trade that are part of the balance once it is closed."""


def _is_bounded(call: ManagerCall) -> bool:
    # one that is asked for again is answered as it was
    is_again = call.services.changes.is_known(call.operator, call.key)
    return call.services.max_amount is not None and not is_again


def _money(trade: TradeRecord, names: Iterable[str]) -> float:
    return sum(float(getattr(trade, name)) for name in names)


async def _check_there(call: ManagerCall, orders: list[int], refused: PeerRefused) -> None:
    """Say which trades there are not, where that is why the server refused.

    Raises:
        Problem: 404.

    """
    if refused.retcode != ReturnCode.INVALID_DATA:
        return
    found = await call.explanation(TRADE_RECORDS_REQUEST, OrdersParams(orders=orders))
    if found is None:
        return
    # the server says INVALID_DATA for a wrong number as for a wrong value: so look which it is
    missing = sorted(set(orders) - {trade.order for trade in found})
    if missing:
        named = ", ".join(map(str, missing[:20]))
        raise Problem(404, f"There is no such trade: {named}") from refused


async def _delete(call: ManagerCall) -> answers.Total:
    given = call.body(TradesDelete)
    orders = list(dict.fromkeys(given.orders))
    if given.fix_balance and _is_bounded(call):
        found = await call.question(TRADE_RECORDS_REQUEST, OrdersParams(orders=orders))
        check_amount(call, sum(abs(_money(trade, _AMOUNTS)) for trade in found))
    try:
        done = await call.change(
            ADM_TRADES_DELETE,
            lambda _: AdminDeleteParams(orders=orders, fix_balance=int(given.fix_balance)),
            {"orders": orders, "fix_balance": given.fix_balance},
        )
    except PeerRefused as refused:
        await _check_there(call, orders, refused)
        raise
    return answers.Total(total=done.total)


OPERATIONS = (
    ManagerOperation(
        "list_open_trades",
        "GET",
        OPEN,
        "All open trades, pending orders among them.",
        _open,
        answers.Trades,
        query=(MASK, SYMBOL, *WHOLE),
    ),
    ManagerOperation(
        "list_open_trades_of",
        "GET",
        OPEN + "/{login}",
        "Open trades of one account.",
        _open_of,
        answers.Trades,
        query=PAGING,
    ),
    ManagerOperation(
        "list_closed_trades_of",
        "POST",
        "/api/trades/history/{login}",
        "What one account has closed within a time; bookings of balance and credit among it.",
        _history,
        answers.Trades,
        request_model=HistorySpan,
        query=PAGING,
    ),
)
ADMIN_OPERATIONS = (
    ManagerOperation(
        "lookup_trades",
        "POST",
        ADMIN + "/lookup",
        "Trades by their numbers; those that there are not are left out.",
        _lookup,
        answers.TradesFound,
        request_model=TradesNamed,
    ),
    ManagerOperation(
        "list_trades_by_group",
        "POST",
        ADMIN + "/by-group",
        "Trades of groups, open ones or all.",
        _by_group,
        answers.Trades,
        request_model=GroupTrades,
        query=PAGING,
    ),
    ManagerOperation(
        "modify_trade",
        "PUT",
        ADMIN + "/{order}/modify",
        "Change what is named of a trade's record, and by default the balance with it.",
        _modify,
        answers.Trade,
        request_model=TradeUpdate,
        errors=(404, 409),
        role=OperatorRole.ADMIN,
        is_change=True,
    ),
    ManagerOperation(
        "delete_trades",
        "POST",
        ADMIN + "/delete",
        "Remove trades from the server's database: all of them or none.",
        _delete,
        answers.Total,
        request_model=TradesDelete,
        errors=(404, 409),
        role=OperatorRole.ADMIN,
        is_change=True,
    ),
)
