"""Operations of administrators on the accounts of others."""

from __future__ import annotations

from gateway.console.errors import Invalid
from gateway.console.mailed_links import Invitations
from gateway.http.rest.models import ResponseModel

from .models import (
    Done,
    Invitation,
    User,
    Users,
)
from .operation import ConsoleCall, Operation


async def _users(call: ConsoleCall) -> ResponseModel:
    users = await call.console.users.list()
    return Users(users=[User.model_validate(user) for user in users])


async def _invite(call: ConsoleCall) -> ResponseModel:
    given, console = call.body(Invitation), call.console
    invitations = Invitations(console.db, console.users, console.links, console.mail, console.url)
    user = await invitations.invite(given.email, given.name, by=call.me.user, admin=given.admin)
    return User.model_validate(user)


async def _disable(call: ConsoleCall) -> ResponseModel:
    if call.path["id"] == call.user_id:
        raise Invalid("You cannot disable your own account.")
    await call.console.users.disable(call.path["id"])
    return Done()


async def _enable(call: ConsoleCall) -> ResponseModel:
    await call.console.users.enable(call.path["id"])
    return Done()


OPERATIONS = (
    Operation(
        "list_users",
        "GET",
        "/api/v1/users",
        "Everybody with an account.",
        _users,
        Users,
        who="admin",
    ),
    Operation(
        "invite_user",
        "POST",
        "/api/v1/users",
        "Make an account; its owner gets a mail with a link to choose a password.",
        _invite,
        User,
        given=Invitation,
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
        Done,
        who="admin",
        step_up=True,
    ),
    Operation(
        "enable_user",
        "POST",
        "/api/v1/users/{id}/enable",
        "Undo that.",
        _enable,
        Done,
        who="admin",
        step_up=True,
    ),
)
