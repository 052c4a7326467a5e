"""Endpoints 32 and 33: mail to users, and one thing done to many of them."""

from __future__ import annotations

from ea_bridge.mt4_manager.commands import (
    MAIL_SEND,
    TRADES_GET_BY_LOGIN,
    USER_RECORDS_REQUEST,
    USERS_GROUP_OP,
)
from ea_bridge.mt4_manager.model import (
    GroupCommand,
    GroupOpParams,
    LoginsParams,
    LoginTradesParams,
    Mail,
    ReturnCode,
)
from gateway.errors import Unauthorized
from gateway.http.rest.problem import Problem
from gateway.mt4_manager import PeerRefused, Role

from . import answers
from .models import GroupOperation, MailSend
from .operation import ManagerCall, Operation

MAX_EXPLAINED = 64
"""Accounts that are looked through for why they were not deleted."""


async def _mail(call: ManagerCall) -> answers.Total:
    given = call.body(MailSend)
    logins = list(dict.fromkeys(given.logins))
    done = await call.change(
        MAIL_SEND,
        lambda _: Mail(logins=logins, subject=given.subject, body=given.body),
        {"users": len(logins), "logins": logins[:64], "subject": given.subject},
    )
    return answers.Total(total=done.total)


async def _group_op(call: ManagerCall) -> answers.Total:
    given = call.body(GroupOperation)
    role = Role.ADMIN if given.command == "delete" else Role.OPERATOR
    try:
        call.recheck(role)
    except Unauthorized:
        raise Problem(403, f"To delete users takes the role {role}") from None
    logins = list(dict.fromkeys(given.logins))
    facts = given.model_dump(exclude={"logins"}, exclude_none=True)
    params = GroupOpParams(
        command=int(GroupCommand[given.command.upper()]),
        logins=logins,
        newgroup=given.group or "",
        leverage=given.leverage or 0,
    )
    told = {"users": len(logins), "logins": logins[:64], **facts}
    try:
        done = await call.change(USERS_GROUP_OP, lambda _: params, told, role=role)
    except PeerRefused as refused:
        if given.command == "delete" and refused.retcode == ReturnCode.INVALID_DATA:
            await _check_empty(call, logins, refused)
        raise
    return answers.Total(total=done.total)


async def _check_empty(call: ManagerCall, logins: list[int], refused: PeerRefused) -> None:
    """Say which account has money or trades, where that is why the server does not delete it.

    Raises:
        Problem: 409.

    """
    some = LoginsParams(logins=logins[:MAX_EXPLAINED])
    for user in await call.explanation(USER_RECORDS_REQUEST, some) or ():
        has = [
            f"{name} {value:.2f}"
            for name, value in (("balance", user.balance), ("credit", user.credit))
            if value
        ]
        trades = await call.explanation(TRADES_GET_BY_LOGIN, LoginTradesParams(login=user.login))
        if trades is not None and trades.total:
            has.append(f"{trades.total} open trades")
        if has:
            said = f"Account {user.login} has {', '.join(has)}: close and withdraw that first"
            raise Problem(409, said) from refused


OPERATIONS = (
    Operation(
        "send_mail",
        "POST",
        "/api/admin/mail",
        "Send an internal mail to users.",
        _mail,
        answers.Total,
        request_model=MailSend,
        errors=(404, 409),
        role=Role.OPERATOR,
        is_change=True,
    ),
    Operation(
        "group_operation",
        "POST",
        "/api/admin/users/group-op",
        "Delete, enable or disable users, or give them a leverage or group; to delete takes the "
        "role admin.",
        _group_op,
        answers.Total,
        request_model=GroupOperation,
        errors=(404, 409),
        role=Role.OPERATOR,
        is_change=True,
    ),
)
