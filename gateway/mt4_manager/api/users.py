"""Endpoints 9 to 13: users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from ea_bridge.mt4_manager.commands import (
    USER_PASSWORD_SET,
    USER_RECORD_NEW,
    USER_RECORD_UPDATE,
    USER_RECORDS_REQUEST,
    USERS_REQUEST,
)
from ea_bridge.mt4_manager.model import (
    LoginsParams,
    NewUser,
    PasswordParams,
    UserChange,
    UserRecord,
    UsersFilter,
)
from ea_bridge.mt4_manager.model import UserUpdate as UserUpdateParams
from gateway.http.rest.problem import Problem
from gateway.mt4_manager import Role

from . import answers
from .about import REPLAYED
from .listing import WHOLE, listed
from .models import Flag, Mask, PasswordSet, Time, UserCreate, UserUpdate
from .operation import ManagerCall, Operation, Parameter

USERS = "/api/users/"
ONE = USERS + "{login}"
MASK = Parameter("group", Mask, "Of which groups: masks such as demo*,!demo-old.")
FILTERS = (
    MASK,
    Parameter("enable", Flag, "1: only those who may log in; 0: only those who may not."),
    Parameter(
        "search",
        Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")],
        "In name, email, telephone number or comment, in whatever case.",
    ),
    Parameter("regdate_from", Time, "Registered since; seconds of the server's clock."),
    Parameter("lastdate_from", Time, "Last seen since; seconds of the server's clock."),
)
TOLD = ("login", "group", "leverage", "enable", "enable_read_only", "agent_account")
"""What journal and trail tell of a user; of all else the names: who somebody is, where he lives
and his passwords are not theirs to keep."""


async def _list(call: ManagerCall) -> Any:
    filters = {each.name: call.query[each.name] for each in FILTERS}
    return listed(call, "users", USERS_REQUEST, UsersFilter(**filters))


async def _get(call: ManagerCall) -> answers.User:
    return await _now(call, call.path["login"])


async def _now(call: ManagerCall, login: int) -> answers.User:
    found = await call.question(USER_RECORDS_REQUEST, LoginsParams(logins=[login]))
    if not found:
        raise Problem(404, "There is no such account")
    return answers.User(user=found[0])


async def _create(call: ManagerCall) -> answers.User:
    given = call.body(UserCreate)
    fields = given.model_dump(exclude_none=True)
    made = await call.change(
        USER_RECORD_NEW,
        lambda _: NewUser(**fields),
        _facts(fields),
    )
    return await _answer(call, made)


async def _update(call: ManagerCall) -> answers.User:
    login = call.path["login"]
    changed = call.body(UserUpdate).model_dump(exclude_none=True)
    user = await call.change(
        USER_RECORD_UPDATE,
        lambda _: UserUpdateParams(login=login, change=UserChange(**changed)),
        {"login": login, **_facts(changed)},
    )
    return await _answer(call, user)


async def _answer(call: ManagerCall, user: UserRecord) -> answers.User:
    """Answer a change. Of one that was made before nothing but the login is kept: the user is
    shown as he is by now.
    """
    return await _now(call, user.login) if REPLAYED in call.told else answers.User(user=user)


def _facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    told = {name: fields[name] for name in TOLD if name in fields}
    return {**told, "members": sorted(fields)}


async def _set_password(call: ManagerCall) -> answers.Message:
    login, given = call.path["login"], call.body(PasswordSet)
    await call.change(
        USER_PASSWORD_SET,
        lambda _: PasswordParams(
            login=login,
            password=given.password,
            change_investor=int(given.investor),
            clean_pubkey=int(given.clean_pubkey),
        ),
        {"login": login, "investor": given.investor, "clean_pubkey": given.clean_pubkey},
    )
    return answers.Message(message="Password changed")


OPERATIONS = (
    Operation(
        "list_users",
        "GET",
        USERS,
        "All users, by login.",
        _list,
        answers.Users,
        query=(*FILTERS, *WHOLE),
    ),
    Operation("get_user", "GET", ONE, "One user.", _get, answers.User),
    Operation(
        "create_user",
        "POST",
        USERS,
        "Make a user.",
        _create,
        answers.User,
        request_model=UserCreate,
        status=201,
        errors=(404, 409),
        role=Role.OPERATOR,
        is_change=True,
    ),
    Operation(
        "update_user",
        "PUT",
        ONE,
        "Change what is named of a user. Money is changed by deposits, withdrawals and credits.",
        _update,
        answers.User,
        request_model=UserUpdate,
        errors=(409,),
        role=Role.OPERATOR,
        is_change=True,
    ),
    Operation(
        "set_user_password",
        "PUT",
        ONE + "/password",
        "Give a user another password.",
        _set_password,
        answers.Message,
        request_model=PasswordSet,
        errors=(409,),
        role=Role.OPERATOR,
        is_change=True,
    ),
)
