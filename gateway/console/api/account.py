"""Operations on oneself: sign in and out, password, sessions, the log; and for administrators."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.console.activity import MAX_PAGE
from gateway.console.errors import Invalid
from gateway.console.invitations import Invitations

from .models import (
    Answer,
    Credentials,
    Done,
    Invitation,
    Log,
    LogLine,
    Me,
    NewPassword,
    RowId,
    Session,
    Sessions,
    StepUp,
    User,
    Users,
)
from .operation import Ask, Operation, Parameter


async def _me(ask: Ask) -> Answer:
    return Me(
        user=User.model_validate(ask.me.user),
        sid=ask.me.sid,
        csrf=ask.visitor.csrf,
        step_up_until=ask.me.step_up_until,
    )


async def _begin(ask: Ask, secret: str) -> Answer:
    ask.visitor.begin(secret, await ask.console.sessions.get(secret))
    return await _me(ask)


async def _sign_in(ask: Ask) -> Answer:
    given, visitor = ask.body(Credentials), ask.visitor
    user = await ask.console.users.authenticate(
        given.email,
        given.password,
        visitor.address,
        agent=visitor.agent,
        browser=visitor.browser,
    )
    if visitor.session is not None:
        await ask.console.sessions.end(visitor.secret)
    secret = await ask.console.sessions.create(
        user, visitor.address, visitor.agent, https=visitor.https
    )
    answer = await _begin(ask, secret)
    visitor.remember(ask.console.browsers.mark(user.id, visitor.browser))
    return answer


async def _sign_out(ask: Ask) -> Answer:
    await ask.console.sessions.end(ask.visitor.secret)
    ask.visitor.end()
    return Done()


async def _step_up(ask: Ask) -> Answer:
    given, visitor = ask.body(StepUp), ask.visitor
    await ask.console.users.authenticate(
        ask.me.user.email, given.password, visitor.address, event="password.given"
    )
    return await _begin(ask, await ask.console.sessions.step_up(visitor.secret))


async def _change_password(ask: Ask) -> Answer:
    given, visitor = ask.body(NewPassword), ask.visitor
    await ask.console.users.change_password(
        ask.user_id, given.current, given.new, visitor.address, keep_sid=ask.me.sid
    )
    return await _begin(ask, await ask.console.sessions.rotate(visitor.secret))


async def _sessions(ask: Ask) -> Answer:
    sessions = await ask.console.sessions.list(ask.user_id)
    return Sessions(sessions=[Session.of(each, ask.me.sid) for each in sessions])


async def _end_session(ask: Ask) -> Answer:
    await ask.console.sessions.end_one(ask.user_id, ask.path["sid"])
    return Done()


async def _activity(ask: Ask) -> Answer:
    limit = ask.query["limit"]
    lines = await ask.console.activity.list(ask.user_id, limit=limit, before=ask.query["before"])
    before = lines[-1].id if len(lines) == limit else None
    return Log(activity=[LogLine.model_validate(line) for line in lines], before=before)


async def _users(ask: Ask) -> Answer:
    users = await ask.console.users.list()
    return Users(users=[User.model_validate(user) for user in users])


async def _invite(ask: Ask) -> Answer:
    given, console = ask.body(Invitation), ask.console
    invitations = Invitations(console.db, console.users, console.links, console.mail, console.url)
    user = await invitations.invite(given.email, given.name, by=ask.me.user, admin=given.admin)
    return User.model_validate(user)


async def _disable(ask: Ask) -> Answer:
    if ask.path["id"] == ask.user_id:
        raise Invalid("You cannot disable your own account.")
    await ask.console.users.disable(ask.path["id"])
    return Done()


async def _enable(ask: Ask) -> Answer:
    await ask.console.users.enable(ask.path["id"])
    return Done()


_LIMIT = Parameter("limit", Annotated[int, Field(ge=1, le=MAX_PAGE)], "Lines at most.", 50)
_BEFORE = Parameter(
    "before", Annotated[int, Field(ge=1, le=2**53)], "Only lines older than this id."
)
_ONE_USER = {"id": RowId}

OPERATIONS = (
    Operation(
        "sign_in",
        "POST",
        "/api/v1/session",
        "Sign in. The answer sets the cookie; whatever was wrong, the refusal is the same.",
        _sign_in,
        Me,
        given=Credentials,
        errors=(401,),
        who="anyone",
    ),
    Operation("sign_out", "DELETE", "/api/v1/session", "Sign out.", _sign_out, Done),
    Operation("me", "GET", "/api/v1/me", "Who is signed in.", _me, Me),
    Operation(
        "step_up",
        "POST",
        "/api/v1/me/step-up",
        "Give the password again. The session gets another cookie and another csrf.",
        _step_up,
        Me,
        given=StepUp,
    ),
    Operation(
        "change_password",
        "POST",
        "/api/v1/me/password",
        "Change the password. All other sessions end.",
        _change_password,
        Me,
        given=NewPassword,
    ),
    Operation(
        "list_sessions",
        "GET",
        "/api/v1/me/sessions",
        "The browsers that are signed in.",
        _sessions,
        Sessions,
    ),
    Operation(
        "end_session",
        "DELETE",
        "/api/v1/me/sessions/{sid}",
        "Sign a browser out.",
        _end_session,
        Done,
        path_types={"sid": RowId},
    ),
    Operation(
        "list_activity",
        "GET",
        "/api/v1/activity",
        "What was done, the newest first.",
        _activity,
        Log,
        query=(_LIMIT, _BEFORE),
    ),
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
        path_types=_ONE_USER,
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
        path_types=_ONE_USER,
        who="admin",
        step_up=True,
    ),
)
