"""Endpoints 9 to 18, 32 and 33: users, their money, mail to them, and one thing done to many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from ea_bridge.mt4_manager.commands import (
    MAIL_SEND,
    MARGIN_LEVEL_REQUEST,
    MARGINS_GET,
    TRADE_TRANSACTION,
    TRADES_GET_BY_LOGIN,
    USER_PASSWORD_SET,
    USER_RECORD_NEW,
    USER_RECORD_UPDATE,
    USER_RECORDS_REQUEST,
    USERS_GROUP_OP,
    USERS_REQUEST,
)
from ea_bridge.mt4_manager.model import (
    GroupCommand,
    GroupOpParams,
    LoginsParams,
    LoginTradesParams,
    Mail,
    MarginsFilter,
    NewUser,
    PasswordParams,
    ReturnCode,
    TradeCommand,
    TransactionParams,
    UserChange,
    UserParams,
    UserRecord,
    UsersFilter,
)
from ea_bridge.mt4_manager.model import UserUpdate as UserUpdateParams
from gateway.errors import Unauthorized
from gateway.http.rest.models import Problem
from gateway.mt4_manager import OperatorRole, PeerRefused
from gateway.mt4_manager.journal import tagged

from . import answers
from .answers import LIMIT_ALL, OFFSET, WHOLE, listed
from .models import (
    Amount,
    Credit,
    Flag,
    GroupOperation,
    MailSend,
    Mask,
    PasswordSet,
    Time,
    UserCreate,
    UserUpdate,
)
from .operation import REPLAYED, ManagerCall, ManagerOperation, Parameter

USERS = "/api/users/"
USER = USERS + "{login}"
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
    filters = {parameter.name: call.query[parameter.name] for parameter in FILTERS}
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
    ManagerOperation(
        "list_users",
        "GET",
        USERS,
        "All users, by login.",
        _list,
        answers.Users,
        query=(*FILTERS, *WHOLE),
    ),
    ManagerOperation("get_user", "GET", USER, "One user.", _get, answers.User),
    ManagerOperation(
        "create_user",
        "POST",
        USERS,
        "Make a user.",
        _create,
        answers.User,
        request_model=UserCreate,
        status=201,
        errors=(404, 409),
        role=OperatorRole.OPERATOR,
        is_change=True,
    ),
    ManagerOperation(
        "update_user",
        "PUT",
        USER,
        "Change what is named of a user. Money is changed by deposits, withdrawals and credits.",
        _update,
        answers.User,
        request_model=UserUpdate,
        errors=(409,),
        role=OperatorRole.OPERATOR,
        is_change=True,
    ),
    ManagerOperation(
        "set_user_password",
        "PUT",
        USER + "/password",
        "Give a user another password.",
        _set_password,
        answers.Message,
        request_model=PasswordSet,
        errors=(409,),
        role=OperatorRole.OPERATOR,
        is_change=True,
    ),
)


# --- money and margin ---------------------------------------------------------------------------


ACCOUNTS = "/api/accounts/"
ACCOUNT = ACCOUNTS + "{login}"
LEVEL = Parameter(
    "level_type",
    Annotated[int, Field(ge=0, le=2)],
    "0: only those in order; 1: under a margin call; 2: at the stop-out.",
)


def check_amount(call: ManagerCall, amount: float) -> None:
    """Refuse to move more money at a time than the configuration allows.

    Raises:
        Problem: 403.

    """
    # not in the model: the limit is the configuration's, and a 403 and no 422
    most = call.services.max_amount
    if most is not None and abs(amount) > most:
        raise Problem(403, f"At most {most:g} at a time, as [manager] max_amount says")


async def _book(
    call: ManagerCall, cmd: TradeCommand, amount: float, comment: str, expiration: int | None
) -> answers.Booked:
    login = call.path["login"]
    check_amount(call, amount)
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
    level = await call.question(MARGIN_LEVEL_REQUEST, UserParams(login=call.path["login"]))
    return answers.flat(level)


async def _margins(call: ManagerCall) -> Any:
    fits = MarginsFilter(group=call.query["group"], level_type=call.query["level_type"])
    return listed(call, "margins", MARGINS_GET, fits)


def _booking(name: str, path: str, words: str, handle: Any, given: Any) -> ManagerOperation:
    return ManagerOperation(
        name,
        "POST",
        path,
        words,
        handle,
        answers.Booked,
        request_model=given,
        errors=(409,),
        role=OperatorRole.OPERATOR,
        is_change=True,
    )


MONEY_OPERATIONS = (
    _booking(
        "deposit", ACCOUNT + "/deposit", "Add to the balance of an account.", _deposit, Amount
    ),
    _booking(
        "withdraw",
        ACCOUNT + "/withdraw",
        "Take from the balance of an account, up to its free margin.",
        _withdraw,
        Amount,
    ),
    _booking(
        "credit",
        ACCOUNT + "/credit",
        "Give credit to an account, or take it away.",
        _credit,
        Credit,
    ),
    ManagerOperation(
        "get_margin",
        "GET",
        ACCOUNT + "/margin",
        "How one account stands.",
        _margin,
        answers.Margin,
    ),
    ManagerOperation(
        "list_margins",
        "GET",
        ACCOUNTS + "margins",
        "How all accounts stand, by login; a list of any length comes in one answer.",
        _margins,
        answers.Margins,
        query=(MASK, LEVEL, OFFSET, LIMIT_ALL),
    ),
)


# --- many users at once -------------------------------------------------------------------------


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
    # one operation of two roles: what it takes stands in its body
    role = OperatorRole.ADMIN if given.command == "delete" else OperatorRole.OPERATOR
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


ADMIN_OPERATIONS = (
    ManagerOperation(
        "send_mail",
        "POST",
        "/api/admin/mail",
        "Send an internal mail to users.",
        _mail,
        answers.Total,
        request_model=MailSend,
        errors=(404, 409),
        role=OperatorRole.OPERATOR,
        is_change=True,
    ),
    ManagerOperation(
        "group_operation",
        "POST",
        "/api/admin/users/group-op",
        "Delete, enable or disable users, or give them a leverage or group; to delete takes the "
        "role admin.",
        _group_op,
        answers.Total,
        request_model=GroupOperation,
        errors=(404, 409),
        role=OperatorRole.OPERATOR,
        is_change=True,
    ),
)
