"""Operations of administrators on the accounts of others."""

from __future__ import annotations

from gateway.console.errors import Invalid
from gateway.http.rest.models import ResponseModel

from .models import (
    DoneResponse,
    Invitation,
    User,
    UserList,
)
from .operation import ConsoleCall, Operation


async def _users(call: ConsoleCall) -> ResponseModel:
    users = await call.console.users.list()
    return UserList(users=[User.model_validate(user) for user in users])


async def _invite(call: ConsoleCall) -> ResponseModel:
    given, console = call.body(Invitation), call.console
    user = await console.invitations.invite(
        given.email, given.name, by=call.me.user, admin=given.admin
    )
    return User.model_validate(user)


async def _disable(call: ConsoleCall) -> ResponseModel:
    if call.path["id"] == call.user_id:
        raise Invalid("You cannot disable your own account.")
    await call.console.users.disable(call.path["id"])
    return DoneResponse()


async def _enable(call: ConsoleCall) -> ResponseModel:
    await call.console.users.enable(call.path["id"])
    return DoneResponse()


OPERATIONS = (
    Operation(
        "list_users",
        "GET",
        "/api/v1/users",
        "Everybody with an account.",
        _users,
        UserList,
        who="admin",
    ),
    Operation(
        "invite_user",
        "POST",
        "/api/v1/users",
        "Make an account; its owner gets a mail with a link to choose a password.",
        _invite,
        User,
        request_model=Invitation,
        status=201,
        errors=(409,),
        who="admin",
        step_up=True,
    ),
    Operation(
        "disable_user",
        "POST",
        "/api/v1/users/{id}/disable",
        "Stop an account: sessions, tokens and machines.",
        _disable,
        DoneResponse,
        who="admin",
        step_up=True,
    ),
    Operation(
        "enable_user",
        "POST",
        "/api/v1/users/{id}/enable",
        "Undo that.",
        _enable,
        DoneResponse,
        who="admin",
        step_up=True,
    ),
)
