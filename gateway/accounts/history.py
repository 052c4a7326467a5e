"""History of registered accounts in the ledger: trades, samples of money, turns of the switch.

Trades are those that were imported from terminals. The money is sampled once a minute and kept
for thirty days. The log of the kill switch tells when trading was stopped and went on again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import partial
from typing import Literal

from gateway.storage.ledger import Ledger

TRADES_TABLE = """
-- positions and pending orders of registered accounts, as their terminals told of them; a netting
-- position that was reversed counts once for each way
CREATE TABLE account_trades (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL,
    ticket INTEGER NOT NULL,
    round INTEGER NOT NULL,
    symbol TEXT NOT NULL,
    direction TEXT NOT NULL,
    order_type TEXT NOT NULL,
    order_status TEXT NOT NULL,
    volume REAL NOT NULL,
    entry_price REAL,
    stop_loss REAL,
    take_profit REAL,
    close_price REAL,
    profit REAL,
    opened_ms INTEGER,
    closed_ms INTEGER,
    source TEXT NOT NULL,
    is_paper_trade INTEGER NOT NULL,
    UNIQUE (account_id, ticket, round)
) STRICT;
CREATE INDEX account_trades_by_time ON account_trades (account_id, opened_ms);
"""
MAX_GROUP = 200
"""Rows in one write: the orders of others wait behind it."""

Status = Literal["pending", "filled", "cancelled", "expired"]
OrderKind = Literal["market", "limit", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTrade:
    """A position, open or closed, or a pending order. Times are UTC milliseconds."""

    ticket: int
    """Of the position, and of the order that opened it."""
    round: int = 0
    """Which way of a netting position that was reversed."""
    symbol: str
    direction: Literal["BUY", "SELL"]
    order_type: OrderKind = "market"
    order_status: Status = "filled"
    volume: float
    entry_price: float | None = None
    stop_loss: float | None = None
    take_profit: float | None = None
    close_price: float | None = None
    profit: float | None = None
    """With swap, commission and fee, in the account's own money; of a closed one alone."""
    opened_ms: int | None = None
    closed_ms: int | None = None
    source: str = "manual"
    is_paper_trade: bool = False


_NAMES = [field.name for field in fields(AccountTrade)]
_KEY = {"ticket", "round"}
_LASTING = {"stop_loss", "take_profit", "order_type", "source"}
"""What a later look may no longer know: then the earlier one's stays."""
_OWN = _KEY | {"is_paper_trade"}


@dataclass(frozen=True, slots=True)
class StoredTrade:
    """A trade with its row."""

    id: int
    account_id: int
    trade: AccountTrade


@dataclass(frozen=True, slots=True)
class Saved:
    """Numbers of trades that were new, and of known ones that have changed."""

    imported: int = 0
    updated: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """Of closed trades; ``total_pnl`` in the account's own money."""

    trade_count: int
    winning_trades: int
    total_pnl: float

    @property
    def win_rate(self) -> float:
        """Between 0 and 1."""
        return self.winning_trades / self.trade_count if self.trade_count else 0.0


class TradeBook:
    """The trades in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def save(self, account_id: int, trades: Sequence[AccountTrade]) -> Saved:
        """Enter trades, or what has changed of them; saving the same again changes nothing.

        Raises:
            StoreError: they could not all be written; those that were stay.

        """
        # in groups: orders of bots wait for the ledger's writer behind each of them
        imported = updated = 0
        for start in range(0, len(trades), MAX_GROUP):
            group = trades[start : start + MAX_GROUP]
            one = await self._ledger.write(partial(_save, account_id=account_id, trades=group))
            imported, updated = imported + one.imported, updated + one.updated
        return Saved(imported, updated)

    def unfinished(self, account_id: int) -> list[AccountTrade]:
        """Return open positions and pending orders, as they were told of last."""
        rows = self._ledger.reader.all(
            "SELECT * FROM account_trades WHERE account_id = ? AND closed_ms IS NULL "
            "AND order_status IN ('pending', 'filled') ORDER BY id",
            account_id,
        )
        return [_trade(row) for row in rows]

    def stats(self, account_id: int, *, paper: bool = False) -> Stats:
        """Count the closed trades of an account."""
        row = self._ledger.reader.one(
            "SELECT count(*) AS n, coalesce(sum(profit > 0), 0) AS won, "
            "coalesce(sum(profit), 0.0) AS pnl FROM account_trades "
            "WHERE account_id = ? AND closed_ms IS NOT NULL AND order_status = 'filled' "
            "AND is_paper_trade = ?",
            account_id,
            paper,
        )
        assert row is not None
        return Stats(row["n"], row["won"], float(row["pnl"]))

    def closed(
        self, account_id: int, from_ms: int, before_ms: int, *, paper: bool = False
    ) -> list[tuple[int, float]]:
        """Return when trades were closed within a time, and what each brought."""
        rows = self._ledger.reader.all(
            "SELECT closed_ms, profit FROM account_trades WHERE account_id = ? "
            "AND closed_ms >= ? AND closed_ms < ? AND order_status = 'filled' "
            "AND is_paper_trade = ? AND profit IS NOT NULL ORDER BY closed_ms, id",
            account_id,
            from_ms,
            before_ms,
            paper,
        )
        return [(row["closed_ms"], row["profit"]) for row in rows]

    def find(
        self,
        account_id: int,
        *,
        symbol: str | None = None,
        from_ms: int | None = None,
        to_ms: int | None = None,
        is_open: bool | None = None,
        include_paper: bool = False,
        limit: int = 100,
        offset: int = 0,
    ) -> list[StoredTrade]:
        """Return trades that were opened within a time (both ends included), the newest first."""
        rows = self._ledger.reader.all(
            "SELECT * FROM account_trades WHERE account_id = ?1 "
            "AND (?2 IS NULL OR symbol = ?2) AND (?3 IS NULL OR opened_ms >= ?3) "
            "AND (?4 IS NULL OR opened_ms <= ?4) "
            "AND (?5 IS NULL OR (closed_ms IS NULL AND order_status = 'filled') = ?5) "
            "AND (?6 OR NOT is_paper_trade) "
            "ORDER BY opened_ms DESC, id DESC LIMIT ?7 OFFSET ?8",
            account_id,
            symbol,
            from_ms,
            to_ms,
            is_open,
            include_paper,
            limit,
            offset,
        )
        return [StoredTrade(row["id"], row["account_id"], _trade(row)) for row in rows]


def _save(
    connection: sqlite3.Connection, account_id: int, trades: Iterable[AccountTrade]
) -> Saved:
    imported = updated = 0
    for trade in trades:
        row = connection.execute(
            "SELECT * FROM account_trades WHERE account_id = ? AND ticket = ? AND round = ?",
            (account_id, trade.ticket, trade.round),
        ).fetchone()
        if row is None:
            names = ", ".join(_NAMES)
            marks = ", ".join("?" * (len(_NAMES) + 1))
            connection.execute(
                f"INSERT INTO account_trades (account_id, {names}) VALUES ({marks})",  # noqa: S608 - names of our own
                (account_id, *astuple(trade)),
            )
            imported += 1
            continue
        changed = _changed(_trade(row), trade)
        if changed:
            assignments = ", ".join(f"{name} = ?" for name in changed)
            connection.execute(
                f"UPDATE account_trades SET {assignments} WHERE id = ?",  # noqa: S608 - names of our own
                (*changed.values(), row["id"]),
            )
            updated += 1
    return Saved(imported, updated)


def _changed(known: AccountTrade, told: AccountTrade) -> dict[str, object]:
    """Return what a newer look at a trade tells that is not known."""
    found = {}
    for name in _NAMES:
        old, new = getattr(known, name), getattr(told, name)
        # MetaTrader's history no longer knows the stops of a position, say
        is_unknown = new is None or (name in _LASTING and new == _DEFAULTS.get(name))
        if name not in _OWN and old != new and not is_unknown:
            found[name] = new
    return found


_DEFAULTS = {"order_type": "market", "source": "manual"}


def _trade(row: sqlite3.Row) -> AccountTrade:
    values = {name: row[name] for name in _NAMES}
    values["is_paper_trade"] = bool(values["is_paper_trade"])
    return AccountTrade(**values)


# --- samples of money ---------------------------------------------------------------------------


EQUITY_TABLE = """
CREATE TABLE account_equity (
    account_id INTEGER NOT NULL,
    ts_ms INTEGER NOT NULL,
    equity REAL NOT NULL,
    balance REAL NOT NULL,
    PRIMARY KEY (account_id, ts_ms)
) STRICT, WITHOUT ROWID;
"""
HOUR_MS = 3_600_000
MAX_HOURS = 720
"""Older samples are thrown away."""
MAX_POINTS = 2_000
"""In one answer: of a longer time fewer are told, the last one of each equal part."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The money of an account at a time: UTC milliseconds, in the account's own currency."""

    account_id: int
    ts_ms: int
    equity: float
    balance: float


class EquityBook:
    """The samples in the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, samples: Sequence[Sample]) -> None:
        """Enter samples with the next group, and throw away those of their accounts that are too
        old."""
        rows = [
            (sample.account_id, sample.ts_ms, sample.equity, sample.balance) for sample in samples
        ]
        # of these accounts alone: an index range each, instead of a scan of the table
        old = [(sample.account_id, sample.ts_ms - MAX_HOURS * HOUR_MS) for sample in samples]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO account_equity VALUES (?, ?, ?, ?)", rows
            )
            connection.executemany(
                "DELETE FROM account_equity WHERE account_id = ? AND ts_ms < ?", old
            )

        self._ledger.write_soon(work)

    def since(self, account_id: int, from_ms: int, to_ms: int) -> list[Sample]:
        """Return at most :data:`MAX_POINTS` samples of a time, the oldest first."""
        # max() makes SQLite take the other columns from the same row: the last of each part
        step = max(1, (to_ms - from_ms) // MAX_POINTS + 1)
        rows = self._ledger.reader.all(
            "SELECT max(ts_ms) AS ts_ms, equity, balance FROM account_equity "
            "WHERE account_id = ?1 AND ts_ms BETWEEN ?2 AND ?3 "
            "GROUP BY (ts_ms - ?2) / ?4 ORDER BY ts_ms",
            account_id,
            from_ms,
            to_ms,
            step,
        )
        return [Sample(account_id, row["ts_ms"], row["equity"], row["balance"]) for row in rows]


# --- turns of the kill switch -------------------------------------------------------------------


SWITCH_TABLE = """
CREATE TABLE kill_switch_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    action TEXT NOT NULL,
    terminal TEXT NOT NULL,
    reason TEXT NOT NULL,
    triggered_by TEXT NOT NULL,
    at_ms INTEGER NOT NULL
) STRICT;
"""
MAX_LINES = 100
"""In one answer."""

Action = Literal["activate", "deactivate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchLine:
    """One turn of the kill switch; ``at_ms`` is UTC."""

    id: int = 0
    action: Action
    terminal: str
    """Empty: of all."""
    reason: str
    triggered_by: str
    at_ms: int


class SwitchLog:
    """The lines in the ledger; there they stay."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def note(self, line: SwitchLine) -> None:
        """Enter a line with the next group."""
        values = (line.action, line.terminal, line.reason, line.triggered_by, line.at_ms)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO kill_switch_log (action, terminal, reason, triggered_by, at_ms) "
                "VALUES (?, ?, ?, ?, ?)",
                values,
            )

        self._ledger.write_soon(work)

    def newest(self, terminals: Collection[str]) -> list[SwitchLine]:
        """Return the last lines about some terminals, the newest first."""
        marks = ", ".join("?" * len(terminals))
        rows = self._ledger.reader.all(
            f"SELECT * FROM kill_switch_log WHERE terminal IN ({marks}) "  # noqa: S608 - marks
            f"ORDER BY id DESC LIMIT {MAX_LINES}",
            *terminals,
        )
        return [SwitchLine(**{name: row[name] for name in row.keys()}) for row in rows]  # noqa: SIM118 - a row iterates over values


# --- tables -------------------------------------------------------------------------------------

LEDGER_TABLES = TRADES_TABLE + EQUITY_TABLE + SWITCH_TABLE
