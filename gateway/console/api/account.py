"""Operations on accounts: one's own, its sessions and its log; for administrators, all users."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from gateway.console.activity import MAX_PAGE
from gateway.console.errors import Invalid
from gateway.http.rest.models import ResponseModel

from .models import (
    ActivityLine,
    ActivityPage,
    DoneResponse,
    Invitation,
    Me,
    NewPassword,
    Session,
    SessionList,
    SignIn,
    StepUp,
    User,
    UserList,
)
from .operation import ConsoleCall, ConsoleOperation, Parameter


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
    await call.console.users.disable(call.path["id"], by=call.user_id)
    return DoneResponse()


async def _enable(call: ConsoleCall) -> ResponseModel:
    await call.console.users.enable(call.path["id"], by=call.user_id)
    return DoneResponse()


USER_OPERATIONS = (
    ConsoleOperation(
        "list_users",
        "GET",
        "/api/v1/users",
        "Everybody with an account.",
        _users,
        UserList,
        who="admin",
    ),
    ConsoleOperation(
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
    ConsoleOperation(
        "disable_user",
        "POST",
        "/api/v1/users/{id}/disable",
        "Stop an account: sessions, tokens and machines.",
        _disable,
        DoneResponse,
        who="admin",
        step_up=True,
    ),
    ConsoleOperation(
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


async def _me(call: ConsoleCall) -> ResponseModel:
    return Me(
        user=User.model_validate(call.me.user),
        sid=call.me.sid,
        csrf=call.visitor.csrf,
        step_up_until=call.me.step_up_until,
    )


async def _begin(call: ConsoleCall, secret: str) -> ResponseModel:
    call.visitor.begin(secret, await call.console.sessions.get(secret))
    return await _me(call)


async def _sign_in(call: ConsoleCall) -> ResponseModel:
    given, visitor = call.body(SignIn), call.visitor
    user = await call.console.users.authenticate(
        given.email,
        given.password,
        visitor.address,
        agent=visitor.agent,
        browser=visitor.browser,
    )
    factors = call.console.second_factors
    with_code = bool(given.code) and await factors.info(user.id) is not None
    if with_code:
        user = await factors.check(user, given.code, visitor.address, visitor.agent)
    secret = await call.console.sessions.create(
        user, visitor.address, visitor.agent, https=visitor.https, with_code=with_code
    )
    # as on the page: a session from before is not gone on with under a new name
    if visitor.session is not None:
        await call.console.sessions.end(visitor.secret)
    answer = await _begin(call, secret)
    visitor.remember(call.console.browsers.mark(user.id, visitor.browser))
    return answer


async def _sign_out(call: ConsoleCall) -> ResponseModel:
    await call.console.sessions.end(call.visitor.secret)
    call.visitor.end()
    return DoneResponse()


async def _step_up(call: ConsoleCall) -> ResponseModel:
    given, visitor = call.body(StepUp), call.visitor
    await call.console.users.authenticate(
        call.me.user.email, given.password, visitor.address, event="password.given"
    )
    return await _begin(call, await call.console.sessions.step_up(visitor.secret))


async def _change_password(call: ConsoleCall) -> ResponseModel:
    given, visitor = call.body(NewPassword), call.visitor
    await call.console.users.change_password(
        call.user_id, given.current, given.new, visitor.address, keep_sid=call.me.sid
    )
    return await _begin(call, await call.console.sessions.rotate(visitor.secret))


async def _sessions(call: ConsoleCall) -> ResponseModel:
    sessions = await call.console.sessions.list(call.user_id)
    return SessionList(sessions=[Session.of(session, call.me.sid) for session in sessions])


async def _end_session(call: ConsoleCall) -> ResponseModel:
    await call.console.sessions.end_one(call.user_id, call.path["sid"])
    return DoneResponse()


async def _activity(call: ConsoleCall) -> ResponseModel:
    limit = call.query["limit"]
    lines = await call.console.activity.list(
        call.user_id, limit=limit, before=call.query["before"]
    )
    before = lines[-1].id if len(lines) == limit else None
    return ActivityPage(
        activity=[ActivityLine.model_validate(line) for line in lines], before=before
    )


_LIMIT = Parameter("limit", Annotated[int, Field(ge=1, le=MAX_PAGE)], "Lines at most.", 50)
_BEFORE = Parameter(
    "before", Annotated[int, Field(ge=1, le=2**53)], "Only lines older than this id."
)

OPERATIONS = (
    ConsoleOperation(
        "sign_in",
        "POST",
        "/api/v1/session",
        "Sign in. The answer sets the cookie; whatever was wrong, the refusal is the same. 403 "
        "`code_needed`: the account has a second factor, send a code of its app or a recovery "
        "code as well; a passkey works on the pages alone.",
        _sign_in,
        Me,
        request_model=SignIn,
        errors=(401, 403),
        who="anyone",
    ),
    ConsoleOperation(
        "sign_out", "DELETE", "/api/v1/session", "Sign out.", _sign_out, DoneResponse
    ),
    ConsoleOperation("me", "GET", "/api/v1/me", "Who is signed in.", _me, Me),
    ConsoleOperation(
        "step_up",
        "POST",
        "/api/v1/me/step-up",
        "Give the password again. The session gets another cookie and another csrf.",
        _step_up,
        Me,
        request_model=StepUp,
    ),
    ConsoleOperation(
        "change_password",
        "POST",
        "/api/v1/me/password",
        "Change the password. All other sessions end.",
        _change_password,
        Me,
        request_model=NewPassword,
    ),
    ConsoleOperation(
        "list_sessions",
        "GET",
        "/api/v1/me/sessions",
        "The browsers that are signed in.",
        _sessions,
        SessionList,
    ),
    ConsoleOperation(
        "end_session",
        "DELETE",
        "/api/v1/me/sessions/{sid}",
        "Sign a browser out.",
        _end_session,
        DoneResponse,
    ),
    ConsoleOperation(
        "list_activity",
        "GET",
        "/api/v1/activity",
        "What was done, the newest first.",
        _activity,
        ActivityPage,
        query=(_LIMIT, _BEFORE),
    ),
)
