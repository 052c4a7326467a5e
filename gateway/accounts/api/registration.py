"""Operations on the accounts themselves: register, list, read, change, delete."""

from __future__ import annotations

from ea_bridge.model.account import CheckedLogin, LoginParams
from gateway.accounts import (
    AccountChanges,
    AlreadyRegistered,
    NewAccount,
    RegisteredAccount,
    UnknownAccount,
)
from gateway.accounts.peers import (
    CredentialsRefused,
    LoginError,
    LoginUntried,
    NobodyAble,
    PathRefused,
)
from gateway.http.rest.models import Problem

from .models import AccountCreate, AccountResponse, AccountUpdate
from .operation import AccountsCall, AccountsOperation, not_found

ACCOUNTS = "/api/v1/accounts"
ONE = ACCOUNTS + "/{account_id}"
UNREACHABLE = "MT5 connection failed; try again later"
WRONG_PATH = (
    "mt5_path: no linked terminal has that program; leave it empty, or give the path of the "
    "terminal64.exe that a linked terminal runs"
)
UNLINKED = (
    "MT5 connection failed: no terminal of yours is linked. Start the terminal with its "
    "EA (`mt-gateway doctor` says what is missing) or `mt-gateway emulator`; then try again"
)
UNABLE = (
    "MT5 connection failed: your terminals are linked, but an EA cannot log in to another "
    "account. Run `mt-gateway agent --login-terminal PATH` beside MetaTrader, or "
    "`mt-gateway emulator`"
)
WRONG = "Invalid credentials: the trade server refused login or password"


def account_of(call: AccountsCall) -> RegisteredAccount:
    """Return the account that is asked for.

    Raises:
        Problem: 404, there is none of the caller's.

    """
    try:
        return call.services.book.get(call.owner, call.path["account_id"])
    except UnknownAccount:
        raise not_found() from None


async def log_in(call: AccountsCall, params: LoginParams) -> CheckedLogin:
    """Log in to an account by a peer that can, and see that the caller may still call.

    Raises:
        LoginError: it was not opened.
        AccessDenied: the caller's rights have ended meanwhile.

    """
    services = call.services
    try:
        opened = await services.peers.check(call.owner, call.caller.terminal, params)
    except LoginError as error:
        services.audit.often(  # whoever guesses passwords writes no trail of any length
            "account_login_failed",
            actor=call.caller.tid,
            object=params.login,
            server=params.server,
            reason=str(error),
        )
        raise
    services.recheck(call.caller, call.tier)
    return opened


async def _verify(
    call: AccountsCall, login: int, server: str, password: str, path: str
) -> CheckedLogin:
    params = LoginParams(login=login, server=server, password=password, path=path or None)
    try:
        return await log_in(call, params)
    except CredentialsRefused:
        raise Problem(400, WRONG) from None
    except PathRefused:
        raise Problem(400, WRONG_PATH) from None
    except NobodyAble as nobody:
        why = UNABLE if nobody.linked else UNLINKED
        raise Problem(503, why, {"Retry-After": "5"}) from None
    except LoginUntried:
        raise Problem(503, UNREACHABLE, {"Retry-After": "5"}) from None


def _exists(login: int) -> Problem:
    return Problem(409, f"Account {login} already exists")


async def _create(call: AccountsCall) -> RegisteredAccount:
    given, book = call.body(AccountCreate), call.services.book
    present = book.registered(call.owner, given.login, given.server)
    if present is not None and present.owner == call.owner:
        raise _exists(given.login)
    # a wrong password is never stored; the row below decides where two register at once
    await _verify(call, given.login, given.server, given.password, given.mt5_path)
    new = NewAccount(
        **given.model_dump(exclude={"password", "allowed_symbols"}),
        allowed_symbols=tuple(given.allowed_symbols),
    )
    try:
        account = book.create(call.owner, new, given.password)
    except AlreadyRegistered:
        raise _exists(given.login) from None
    call.services.audit.record(
        "account_registered", actor=call.caller.tid, object=account.login, server=account.server
    )
    return account


async def _list(call: AccountsCall) -> list[RegisteredAccount]:
    return call.services.book.of(call.owner)


async def _get(call: AccountsCall) -> RegisteredAccount:
    return account_of(call)


async def _change(call: AccountsCall) -> RegisteredAccount:
    given, book, account = call.body(AccountUpdate), call.services.book, account_of(call)
    wanted = given.model_dump(exclude_none=True)
    if not wanted.get("password"):
        wanted.pop("password", None)  # forms send an empty one where nothing was typed
    if "allowed_symbols" in wanted:
        wanted["allowed_symbols"] = tuple(wanted["allowed_symbols"])
    changes = AccountChanges(**wanted)
    is_other = changes.server is not None and changes.server != account.server
    is_other |= bool(changes.mt5_path) and changes.mt5_path != account.mt5_path
    if is_other or changes.password is not None:
        await _verify(
            call,
            account.login,
            changes.server or account.server,
            changes.password or book.password(account),
            account.mt5_path if changes.mt5_path is None else changes.mt5_path,
        )
    try:
        changed = book.change(call.owner, account.id, changes)
    except UnknownAccount:
        raise not_found() from None  # deleted while its new password was tried
    except AlreadyRegistered:
        raise _exists(account.login) from None
    call.services.audit.record(
        "account_changed",
        actor=call.caller.tid,
        object=account.login,
        server=changed.server,
        changed=sorted(wanted),
    )
    return changed


async def _delete(call: AccountsCall) -> None:
    try:
        call.services.book.delete(call.owner, call.path["account_id"])
    except UnknownAccount:
        raise not_found() from None
    call.services.audit.record(
        "account_deleted", actor=call.caller.tid, object=call.path["account_id"]
    )


OPERATIONS = (
    AccountsOperation(
        "list_accounts", "GET", ACCOUNTS, "All accounts.", _list, list[AccountResponse]
    ),
    AccountsOperation(
        "register_account",
        "POST",
        ACCOUNTS,
        "Register an account: log in to it, seal its password, and hold its orders to its limits.",
        _create,
        AccountResponse,
        request_model=AccountCreate,
        status=201,
        errors=(400, 409, 503),
    ),
    AccountsOperation("get_account", "GET", ONE, "One account.", _get, AccountResponse),
    AccountsOperation(
        "update_account",
        "PATCH",
        ONE,
        "Change an account.",
        _change,
        AccountResponse,
        request_model=AccountUpdate,
        errors=(400, 409, 503),
    ),
    AccountsOperation(
        "delete_account",
        "DELETE",
        ONE,
        "Delete an account, and its password; its login can be registered again.",
        _delete,
        None,
        status=204,
    ),
)
