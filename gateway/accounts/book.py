"""Registered accounts, their limits, and the risk settings of an owner.

They are kept in the home's database, and in memory for those who trade.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import orjson

from ea_bridge import host
from ea_bridge.protocol.messages import Hello
from gateway.credentials.secrets import SealedColumn, SecretBox
from gateway.storage.store import Store, StoreError, Version

AccountType = Literal["USD", "USC"]
CENT = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskSettings:
    """Rules for all accounts of an owner, each with its switch; all are off at first."""

    drawdown_check_enabled: bool = False
    max_drawdown_pct: float = 10.0
    """``(balance - equity) / balance`` in percent at which trading stops."""
    position_limit_enabled: bool = False
    max_open_positions: int = 5
    """Of one account."""
    rate_limit_enabled: bool = False
    rate_limit_max_trades: int = 3
    """Of one symbol, within the window."""
    rate_limit_window_hours: float = 4.0
    hedging_allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """Limits of an account, by its registration and its owner's risk settings."""

    max_lot: float
    """Lots of one order."""
    risk_pct: float
    """What one order may lose at its stop, as a fraction of the equity: 0.01 is one percent."""
    allowed_symbols: frozenset[str]
    """Empty: all."""
    auto_trade_enabled: bool
    """Off: nothing new is opened by programs."""
    is_live: bool
    """Off: the account was registered as a demo account, and none with real money may trade."""
    hedging_allowed: bool
    """Off: no position against an open one of the same symbol."""
    max_positions: int | None
    """Open at a time; ``None`` for any number."""
    symbol_orders: int | None
    """Trades of one symbol within :attr:`symbol_window_s`; ``None`` for any number."""
    symbol_window_s: float
    max_drawdown_pct: float | None
    """``(balance - equity) / balance`` in percent at which trading stops; ``None``: never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """An account to be registered; its password lies apart from it."""

    name: str
    broker: str
    login: int
    server: str
    is_live: bool = False
    allowed_symbols: tuple[str, ...] = ()
    max_lot_size: float = 0.1
    risk_pct: float = 0.01
    auto_trade_enabled: bool = True
    paper_trade_enabled: bool = False
    mt5_path: str = ""
    account_type: AccountType = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """Changes to an account; what is ``None`` stays."""

    name: str | None = None
    broker: str | None = None
    server: str | None = None
    is_live: bool | None = None
    allowed_symbols: tuple[str, ...] | None = None
    max_lot_size: float | None = None
    risk_pct: float | None = None
    auto_trade_enabled: bool | None = None
    paper_trade_enabled: bool | None = None
    mt5_path: str | None = None
    account_type: AccountType | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredAccount(NewAccount):
    """An account that is registered."""

    id: int
    owner: str
    is_active: bool
    """Off: it was deleted, and limits nothing."""
    created_at: int
    """Seconds since 1970."""
    risk: RiskSettings
    """Of its owner."""

    @property
    def limits(self) -> AccountLimits:
        """Limits that its orders are held to."""
        risk = self.risk
        return AccountLimits(
            max_lot=self.max_lot_size,
            risk_pct=self.risk_pct,
            allowed_symbols=frozenset(self.allowed_symbols),
            auto_trade_enabled=self.auto_trade_enabled,
            is_live=self.is_live,
            hedging_allowed=risk.hedging_allowed,
            max_positions=risk.max_open_positions if risk.position_limit_enabled else None,
            symbol_orders=risk.rate_limit_max_trades if risk.rate_limit_enabled else None,
            symbol_window_s=risk.rate_limit_window_hours * 3600,
            max_drawdown_pct=risk.max_drawdown_pct if risk.drawdown_check_enabled else None,
        )

    @property
    def unit(self) -> float:
        """Dollars of one unit of its money: an account in US cents counts hundredths.

        Sums over several accounts are made of these; what is told of one stays in its own money.
        """
        return CENT if self.account_type == "USC" else 1.0


TABLES = """
-- accounts registered with their password, which is sealed; that of a deleted one is gone
CREATE TABLE accounts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ref TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    broker TEXT NOT NULL,
    login INTEGER NOT NULL,
    server TEXT NOT NULL,
    server_key TEXT NOT NULL,
    is_live INTEGER NOT NULL CHECK (is_live IN (0, 1)),
    is_active INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    allowed_symbols TEXT NOT NULL,
    max_lot_size REAL NOT NULL,
    risk_pct REAL NOT NULL,
    auto_trade_enabled INTEGER NOT NULL CHECK (auto_trade_enabled IN (0, 1)),
    paper_trade_enabled INTEGER NOT NULL CHECK (paper_trade_enabled IN (0, 1)),
    mt5_path TEXT NOT NULL,
    account_type TEXT NOT NULL CHECK (account_type IN ('USD', 'USC')),
    created_at INTEGER NOT NULL,
    password TEXT
) STRICT;
CREATE UNIQUE INDEX one_active_account ON accounts (login, server_key) WHERE is_active = 1;

-- rules for all accounts of an owner
CREATE TABLE risk_settings (
    owner TEXT PRIMARY KEY,
    settings TEXT NOT NULL
) STRICT;
"""

ONCE_AN_OWNER = """
-- nobody's registration stands in the way of another owner's
DROP INDEX one_active_account;
CREATE UNIQUE INDEX one_active_account_an_owner ON accounts (owner, login, server_key)
WHERE is_active = 1;
"""

PASSWORDS = SealedColumn("accounts", "ref", "password")


logger = logging.getLogger(__name__)

_SWITCHES = ("is_live", "is_active", "auto_trade_enabled", "paper_trade_enabled")


class AlreadyRegistered(Exception):
    """The owner has registered that login at that server, and not deleted it."""


class UnknownAccount(Exception):
    """There is no account of that id, or it is another owner's, or it was deleted."""


class AccountBook:
    """The accounts of a home.

    An owner registers a login once at each server, whose name is compared without regard to case:
    brokers number their accounts independently of each other. Owners do not bind each other.

    Args:
        store: with the tables of :mod:`~.schema`.
        box: seals the passwords.
        now_s: seconds since 1970.
        owner_of: whose a token is, by its id; by default everything is the home's.

    Raises:
        StoreError: the accounts cannot be read.

    """

    def __init__(
        self,
        store: Store,
        box: SecretBox,
        now_s: Callable[[], int] = lambda: int(host.wall_s()),
        owner_of: Callable[[str], str] = lambda _tid: "",
    ) -> None:
        self._store = store
        self._box = box
        self._now_s = now_s
        self._owner_of = owner_of
        self._version: Version | None = None
        self._by_id: dict[int, RegisteredAccount] = {}
        self._active: dict[tuple[str, int, str], RegisteredAccount] = {}
        self._risk: dict[str, RiskSettings] = {}
        self._refresh()  # what cannot be read at first must not pass for "nothing is registered"

    # --- for those who trade -----------------------------------------------------------------

    def of_terminal(self, hello: Hello) -> RegisteredAccount | None:
        """Return the account that a terminal is logged in to, if the terminal's owner registered
        it. Asked several times at each order.
        """
        self._look()
        if not self._active:  # as in many homes: then nobody need know whose the token is
            return None
        return self._found(self._owner_of(hello.tid), hello.login, hello.server)

    def registered(self, owner: str, login: int, server: str) -> RegisteredAccount | None:
        """Return an owner's account of a login, if it is registered.

        What was registered by tokens that the home made itself, before it had a console, counts
        for every owner. While the database cannot be read, what was read last holds.
        """
        self._look()
        return self._found(owner, login, server)

    def _look(self) -> None:
        try:
            version = self._store.data_version()
            if version != self._version:
                self._read(version)
        except StoreError as error:
            # what was read last holds: "nothing is registered" would lift every limit
            logger.error("the registered accounts cannot be read: %s", error)

    def _found(self, owner: str, login: int, server: str) -> RegisteredAccount | None:
        # brokers write the name of one server in several ways
        key = (login, server.casefold())
        return self._active.get((owner, *key)) or self._active.get(("", *key))

    # --- for their owners --------------------------------------------------------------------

    def of(self, owner: str) -> list[RegisteredAccount]:
        """Return the active accounts of an owner, the oldest first."""
        self._refresh()
        return [
            account
            for account in self._by_id.values()
            if account.is_active and account.owner == owner
        ]

    def everybody(self) -> list[RegisteredAccount]:
        """Return all active accounts."""
        self._refresh()
        return list(self._active.values())

    def get(self, owner: str, account_id: int) -> RegisteredAccount:
        """Return one active account of an owner.

        Raises:
            UnknownAccount: there is none.

        """
        account = self._row(owner, account_id)
        if not account.is_active:
            raise UnknownAccount
        return account

    def create(self, owner: str, new: NewAccount, password: str) -> RegisteredAccount:
        """Register an account whose password was found right.

        Raises:
            AlreadyRegistered: the owner has the login already, at that server.

        """
        # a password is sealed for its place, which must be known before the row has its id
        ref = host.token_urlsafe(12)
        columns = _columns(asdict(new)) | {
            "ref": ref,
            "owner": owner,
            "created_at": self._now_s(),
            "password": self._sealed(ref, password),
        }
        sql = (
            f"INSERT INTO accounts ({', '.join(columns)}) "  # noqa: S608 - names of our own
            f"VALUES ({', '.join('?' * len(columns))})"
        )
        account_id = self._write(sql, *columns.values())
        return self.get(owner, account_id)

    def change(self, owner: str, account_id: int, changes: AccountChanges) -> RegisteredAccount:
        """Change an account.

        Raises:
            UnknownAccount: there is none.
            AlreadyRegistered: its login is, at the new server.

        """
        self.get(owner, account_id)
        wanted = {name: value for name, value in asdict(changes).items() if value is not None}
        password = wanted.pop("password", None)
        columns = _columns(wanted)
        if password is not None:
            columns["password"] = self._sealed(self._ref(account_id), password)
        if columns:
            assignments = ", ".join(f"{name} = ?" for name in columns)
            sql = f"UPDATE accounts SET {assignments} WHERE id = ?"  # noqa: S608 - as above
            self._write(sql, *columns.values(), account_id)
        return self.get(owner, account_id)

    def delete(self, owner: str, account_id: int) -> None:
        """Delete an account, and its password; one that was deleted stays so.

        Raises:
            UnknownAccount: there never was one.

        """
        self._row(owner, account_id)
        self._write("UPDATE accounts SET is_active = 0, password = NULL WHERE id = ?", account_id)

    def password(self, account: RegisteredAccount) -> str:
        """Return the password of an active account: for the moment of a login, and no longer.

        Raises:
            UnknownAccount: it was deleted meanwhile.
            SecretsError: it does not open.

        """
        row = self._store.one("SELECT ref, password FROM accounts WHERE id = ?", account.id)
        if row is None or row["password"] is None:
            raise UnknownAccount
        return self._box.open(row["password"], PASSWORDS.place(row["ref"])).decode()

    # --- risk settings -----------------------------------------------------------------------

    def risk(self, owner: str) -> RiskSettings:
        """Return the risk settings of an owner."""
        self._refresh()
        return self._risk.get(owner, RiskSettings())

    def set_risk(self, owner: str, settings: RiskSettings) -> RiskSettings:
        """Set the risk settings of an owner: all of them."""
        self._write(
            "INSERT INTO risk_settings (owner, settings) VALUES (?, ?) "
            "ON CONFLICT (owner) DO UPDATE SET settings = excluded.settings",
            owner,
            orjson.dumps(asdict(settings)).decode(),
        )
        return self.risk(owner)

    # --- the store ---------------------------------------------------------------------------

    def _row(self, owner: str, account_id: int) -> RegisteredAccount:
        self._refresh()
        account = self._by_id.get(account_id)
        if account is None or account.owner != owner:
            raise UnknownAccount
        return account

    def _ref(self, account_id: int) -> str:
        row = self._store.one("SELECT ref FROM accounts WHERE id = ?", account_id)
        if row is None:
            raise UnknownAccount
        ref: str = row["ref"]
        return ref

    def _sealed(self, ref: str, password: str) -> str:
        return self._box.seal(password.encode(), PASSWORDS.place(ref))

    def _write(self, sql: str, *values: Any) -> int:
        try:
            with self._store.transaction() as connection:
                made = connection.execute(sql, values).lastrowid
        except sqlite3.IntegrityError:
            raise AlreadyRegistered from None
        return made or 0

    def _refresh(self) -> None:
        """Take over what was written since, here or by another process."""
        # asked at each order: where nothing has changed it has to cost next to nothing. SQLite
        # counts the writes of other processes, too
        version = self._store.data_version()
        if version != self._version:
            self._read(version)

    def _read(self, version: Version) -> None:
        risk = {
            row["owner"]: RiskSettings(**orjson.loads(row["settings"]))
            for row in self._store.all("SELECT owner, settings FROM risk_settings")
        }
        rows = self._store.all("SELECT * FROM accounts ORDER BY id")
        by_id = {row["id"]: _account(row, risk.get(row["owner"])) for row in rows}
        self._risk, self._by_id = risk, by_id
        self._active = {
            (account.owner, account.login, account.server.casefold()): account
            for account in by_id.values()
            if account.is_active
        }
        # last: where reading fails half-way, the next call tries again
        self._version = version


def _columns(fields: dict[str, Any]) -> dict[str, Any]:
    """Turn fields into what the table's columns hold."""
    columns = dict(fields)
    if "allowed_symbols" in columns:
        columns["allowed_symbols"] = orjson.dumps(columns["allowed_symbols"]).decode()
    if "server" in columns:
        columns["server_key"] = columns["server"].casefold()
    return columns


def _account(row: sqlite3.Row, risk: RiskSettings | None) -> RegisteredAccount:
    fields = {name: row[name] for name in row.keys()}  # noqa: SIM118 - a row iterates over values
    for name in ("ref", "server_key", "password"):
        del fields[name]
    for name in _SWITCHES:
        fields[name] = bool(fields[name])
    symbols = tuple(orjson.loads(fields.pop("allowed_symbols")))
    account = RegisteredAccount(**fields, risk=risk or RiskSettings())
    return replace(account, allowed_symbols=symbols)
