"""Endpoints 14 to 18: money and margin of accounts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ea_bridge.mt4_manager.commands import MARGIN_LEVEL_REQUEST, MARGINS_GET, TRADE_TRANSACTION
from ea_bridge.mt4_manager.model import LoginParams, MarginsFilter, TradeCommand, TransactionParams
from gateway.http.rest.problem import Problem
from gateway.mt4_manager import Role
from gateway.mt4_manager.change import tagged

from . import answers
from .listing import LIMIT_ALL, OFFSET, listed
from .models import Amount, Credit
from .operation import ManagerCall, Operation, Parameter
from .users import MASK

ACCOUNTS = "/api/accounts/"
ONE = ACCOUNTS + "{login}"
LEVEL = Parameter(
    "level_type",
    Annotated[int, Field(ge=0, le=2)],
    "0: only those in order; 1: under a margin call; 2: at the stop-out.",
)


async def _book(
    call: ManagerCall, cmd: TradeCommand, amount: float, comment: str, expiration: int | None
) -> answers.Booked:
    login, most = call.path["login"], call.services.max_amount
    if most is not None and abs(amount) > most:
        raise Problem(403, f"At most {most:g} at a time, as [manager] max_amount says")
    booked = await call.change(
        TRADE_TRANSACTION,
        lambda tag: TransactionParams(
            cmd=int(cmd),
            orderby=login,
            price=amount,
            comment=tagged(comment, tag),
            expiration=expiration or 0,
        ),
        {"login": login, "cmd": int(cmd), "amount": amount, "comment": comment},
    )
    return answers.Booked(order=booked.order, login=login, amount=amount)


async def _deposit(call: ManagerCall) -> answers.Booked:
    given = call.body(Amount)
    return await _book(call, TradeCommand.BALANCE, given.amount, given.comment, None)


async def _withdraw(call: ManagerCall) -> answers.Booked:
    given = call.body(Amount)
    return await _book(call, TradeCommand.BALANCE, -given.amount, given.comment, None)


async def _credit(call: ManagerCall) -> answers.Booked:
    given = call.body(Credit)
    return await _book(call, TradeCommand.CREDIT, given.amount, given.comment, given.expiration)


async def _margin(call: ManagerCall) -> bytes:
    level = await call.question(MARGIN_LEVEL_REQUEST, LoginParams(login=call.path["login"]))
    return answers.flat(level)


async def _margins(call: ManagerCall) -> Any:
    fits = MarginsFilter(group=call.query["group"], level_type=call.query["level_type"])
    return listed(call, "margins", MARGINS_GET, fits)


def _booking(name: str, path: str, words: str, handle: Any, given: Any) -> Operation:
    return Operation(
        name,
        "POST",
        path,
        words,
        handle,
        answers.Booked,
        request_model=given,
        errors=(409,),
        role=Role.OPERATOR,
        is_change=True,
    )


OPERATIONS = (
    _booking("deposit", ONE + "/deposit", "Add to the balance of an account.", _deposit, Amount),
    _booking(
        "withdraw",
        ONE + "/withdraw",
        "Take from the balance of an account, up to its free margin.",
        _withdraw,
        Amount,
    ),
    _booking(
        "credit", ONE + "/credit", "Give credit to an account, or take it away.", _credit, Credit
    ),
    Operation(
        "get_margin", "GET", ONE + "/margin", "How one account stands.", _margin, answers.Margin
    ),
    Operation(
        "list_margins",
        "GET",
        ACCOUNTS + "margins",
        "How all accounts stand, by login; a list of any length comes in one answer.",
        _margins,
        answers.Margins,
        query=(MASK, LEVEL, OFFSET, LIMIT_ALL),
    ),
)
