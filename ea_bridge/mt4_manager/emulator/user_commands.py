"""Commands of the emulated server about users: records, passwords, group operations, online."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.mt4_manager.commands import Done
from ea_bridge.mt4_manager.model import (
    NO_COLOR,
    GroupCommand,
    GroupFilter,
    GroupOpParams,
    LoginsParams,
    NewUser,
    OnlineRecord,
    Page,
    PasswordParams,
    UserChange,
    UserRecord,
    UsersFilter,
    UserUpdate,
)
from ea_bridge.mt4_manager.model.types import Masks

from .accounts import UserAccount
from .books import Books
from .rules import (
    bounds,
    check_leverage,
    check_password,
    check_switches,
    check_texts,
    cut,
    invalid,
)

_SECRETS = ("password", "password_investor", "password_phone")
_ON = {"enable": 1, "enable_change_password": 1, "send_reports": 1, "user_color": NO_COLOR}


class UserPasswords:
    """Passwords that were set: digests in memory, under a key of this run."""

    def __init__(self) -> None:
        # new with each run: a digest that leaks is worth nothing
        self._key = host.random_bytes(32)
        self._digests: dict[tuple[int, bool], bytes] = {}

    def set(self, login: int, password: str, *, investor: bool) -> None:
        """Remember a password."""
        self._digests[login, investor] = self._digest(password)

    def discard(self, login: int) -> None:
        """Drop the passwords of a user who is gone."""
        for investor in (False, True):
            self._digests.pop((login, investor), None)

    def fits(self, login: int, password: str, *, investor: bool = False) -> bool:
        """Whether it is the one that was set last."""
        known = self._digests.get((login, investor), b"")
        return hmac.compare_digest(known, self._digest(password))

    def _digest(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode(), key=self._key).digest()


class UserCommands:
    """Commands about users.

    Args:
        books: the users.
        now_s: the server's clock.
        online: who is connected.

    """

    def __init__(self, books: Books, now_s: Callable[[], int], online: list[OnlineRecord]) -> None:
        self.passwords = UserPasswords()
        self.online = online
        self._books = books
        self._now_s = now_s

    # --- looking ---------------------------------------------------------------------------

    def users(self, params: UsersFilter) -> Page[UserRecord]:
        """Return users, by login."""
        if all(
            getattr(params, name) is None
            for name in ("group", "enable", "search", "regdate_from", "lastdate_from")
        ):
            total = len(self._books.accounts)
            logins = self._books.logins(bounds(total, params.offset, params.limit))
            return Page(total=total, rows=[self._books.accounts[login].user for login in logins])
        fitting = _fitting(params)
        return cut(
            [account.user for account in self._books.by_login() if fitting(account.user)],
            params.offset,
            params.limit,
        )

    def records(self, params: LoginsParams) -> list[UserRecord]:
        """Return users by their logins, once each, in the order of the question."""
        accounts = self._books.accounts
        logins = dict.fromkeys(params.logins)
        return [accounts[login].user for login in logins if login in accounts]

    def connections(self, params: GroupFilter) -> Page[OnlineRecord]:
        """Return who is online."""
        rows = [
            replace(record, group=self._books.accounts[record.login].user.group)
            for record in self.online
            if record.login in self._books.accounts
        ]
        masks = Masks(params.group)
        meant = [record for record in rows if masks.fit(record.group)]
        return cut(meant, params.offset, params.limit)

    # --- changing --------------------------------------------------------------------------

    def new(self, params: NewUser) -> UserRecord:
        """``UserRecordNew``."""
        check_texts(params)
        check_switches(params)
        check_leverage(params.leverage)
        check_password(params.password)
        if params.password_investor is not None:
            check_password(params.password_investor)
            # with one password for both the server could not tell who may trade
            if params.password_investor == params.password:
                raise invalid("the investor's password is the master's")
        if not params.name.strip():
            raise invalid("a user has a name")
        self._books.group(params.group)
        if params.login in self._books.accounts:
            raise invalid(f"login {params.login} is taken")
        now_s = self._now_s()
        given = {
            name: value
            for name, value in msgspec.structs.asdict(params).items()
            if value is not None and name not in _SECRETS
        }
        user = UserRecord(**{**_ON, **given, "regdate": now_s, "timestamp": now_s})
        user = self._books.add_user(user).user
        self.passwords.set(user.login, params.password, investor=False)
        if params.password_investor is not None:
            self.passwords.set(user.login, params.password_investor, investor=True)
        return user

    def update(self, params: UserUpdate) -> UserRecord:
        """``UserRecordUpdate``, of the members that are given."""
        account = self._books.account(params.login)
        change = params.change
        check_texts(change)
        check_switches(change)
        if change.name is not None and not change.name.strip():
            raise invalid("a user has a name")
        if change.leverage is not None:
            check_leverage(change.leverage)
        if change.group is not None:
            self._check_move(account, change.group)
        self._write(account, change)
        return account.user

    def set_password(self, params: PasswordParams) -> Done:
        """``UserPasswordSet``."""
        self._books.account(params.login)
        check_password(params.password)
        investor = bool(params.change_investor)
        if self.passwords.fits(params.login, params.password, investor=not investor):
            raise invalid("the investor's password is the master's")
        self.passwords.set(params.login, params.password, investor=investor)
        return Done()

    def group_op(self, params: GroupOpParams) -> Done:
        """``UsersGroupOp``: to all of them or to none."""
        # all are found before the first is changed: to all of them or to none
        accounts = [self._books.account(login) for login in dict.fromkeys(params.logins)]
        match params.command:
            case GroupCommand.DELETE:
                self._delete(accounts)
            case GroupCommand.ENABLE | GroupCommand.DISABLE:
                on = int(params.command == GroupCommand.ENABLE)
                for account in accounts:
                    self._write(account, UserChange(enable=on))
            case GroupCommand.LEVERAGE:
                check_leverage(params.leverage)
                for account in accounts:
                    self._write(account, UserChange(leverage=params.leverage))
            case GroupCommand.SETGROUP:
                for account in accounts:
                    # every move is checked before the first is made
                    self._check_move(account, params.newgroup)
                for account in accounts:
                    self._write(account, UserChange(group=params.newgroup))
            case _:
                raise invalid(f"there is no group command {params.command}")
        return Done(total=len(accounts))

    def _delete(self, accounts: list[UserAccount]) -> None:
        for account in accounts:
            if account.open or account.balance or account.credit:
                raise invalid(f"{account.user.login} has trades or money")
        for account in accounts:
            self._books.remove_user(account)
            self.passwords.discard(account.user.login)

    def _write(self, account: UserAccount, change: UserChange) -> None:
        given = {
            name: value
            for name, value in msgspec.structs.asdict(change).items()
            if value is not None
        }
        self._books.change_user(account, replace(account.user, **given, timestamp=self._now_s()))

    def _check_move(self, account: UserAccount, name: str) -> None:
        """Refuse to move an account with trades or money to another currency."""
        group = self._books.group(name)
        before = self._books.groups[account.user.group].currency
        if group.currency != before and (account.open or account.balance or account.credit):
            raise invalid(f"{account.user.login} is kept in {before}, {name} in {group.currency}")


def _fitting(params: UsersFilter) -> Callable[[UserRecord], bool]:
    wanted = (params.search or "").lower()
    masks = Masks(params.group)
    registered, seen = params.regdate_from or 0, params.lastdate_from or 0

    def fitting(user: UserRecord) -> bool:
        if params.enable is not None and bool(user.enable) != bool(params.enable):
            return False
        if user.regdate < registered or user.lastdate < seen or not masks.fit(user.group):
            return False
        texts = (user.name, user.email, user.phone, user.comment)
        return not wanted or any(wanted in text.lower() for text in texts)

    return fitting
