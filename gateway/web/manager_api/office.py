"""Endpoints 32 and 33: mail to users, and one thing done to many of them."""

from __future__ import annotations

from ea_bridge.manager_commands import MAIL_SEND, USERS_GROUP_OP
from ea_bridge.model.mt4 import GroupCommand, GroupOpParams, Mail
from gateway.errors import Unauthorized
from gateway.manager import Role
from gateway.web.rest.problem import Problem

from . import answers
from .models import GroupOperation, MailSend
from .operation import Ask, Operation


async def _mail(ask: Ask) -> answers.Total:
    given = ask.body(MailSend)
    logins = list(dict.fromkeys(given.logins))
    done = await ask.change(
        MAIL_SEND,
        lambda _: Mail(logins=logins, subject=given.subject, body=given.body),
        {"users": len(logins), "logins": logins[:64], "subject": given.subject},
    )
    return answers.Total(total=done.total)


async def _group_op(ask: Ask) -> answers.Total:
    given = ask.body(GroupOperation)
    role = Role.ADMIN if given.command == "delete" else Role.OPERATOR
    try:
        ask.recheck(role)
    except Unauthorized:
        raise Problem(403, f"To delete users takes the role {role}") from None
    logins = list(dict.fromkeys(given.logins))
    done = await ask.change(
        USERS_GROUP_OP,
        lambda _: GroupOpParams(
            command=int(GroupCommand[given.command.upper()]),
            logins=logins,
            newgroup=given.group or "",
            leverage=given.leverage or 0,
        ),
        {
            "users": len(logins),
            "logins": logins[:64],
            **given.model_dump(exclude={"logins"}, exclude_none=True),
        },
        role=role,
    )
    return answers.Total(total=done.total)


OPERATIONS = (
    Operation(
        "send_mail",
        "POST",
        "/api/admin/mail",
        "Send an internal mail to users.",
        _mail,
        answers.Total,
        given=MailSend,
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
        given=GroupOperation,
        errors=(404, 409),
        role=Role.OPERATOR,
        is_change=True,
    ),
)
