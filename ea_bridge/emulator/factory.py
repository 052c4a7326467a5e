"""Put an emulated terminal together, with a clock of its own.

:class:`BookFile` keeps the books of its account in a file, so that it goes on where it was.
"""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from ea_bridge import host
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.model import Account, AccountTradeMode, MarginMode, SymbolExecution, TradeRetcode
from ea_bridge.simulation.broker import Broker, load_demo, terms_of
from ea_bridge.simulation.broker.broker import BookRows
from ea_bridge.simulation.clock import BrokerZone, MarketClock
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import Market, Sessions, open_market
from ea_bridge.simulation.specs import default_account

from .conditions import Conditions, TerminalFiles
from .executor import TradeResultStore
from .terminal import EmulatedTerminal

BUSY_S = 0.2
"""For one who looks at the file: nothing else of the terminal goes on meanwhile."""
_log = logging.getLogger(__name__)
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rows (
    kind TEXT NOT NULL,
    ticket INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, ticket)
) STRICT, WITHOUT ROWID;
"""
"""``facts``: when the books changed last, by the broker's clock, and the next tickets."""


class BooksUnreadable(Exception):
    """The file is there and is no book of ours; the message names it."""


class BookFile:
    """Books of one account on disk, written before anybody is told of a change.

    A process that is killed loses nothing of what it has answered. A machine that loses its power
    may lose the last moment: nothing here is worth a wait for the disk.

    Args:
        path: of the file; made if it is missing.

    Raises:
        BooksUnreadable: it cannot be read.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = BookRows()
        self._version = -1
        self._anew = False
        """The rows of the file may be old: all are written anew."""
        self._db = sqlite3.connect(path, timeout=BUSY_S)
        try:
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.executescript(_TABLES)
        except sqlite3.Error as error:
            raise self._unreadable() from error

    def load(self, broker: Broker) -> bool:
        """Put what is kept into a new broker; return whether there was anything.

        Raises:
            BooksUnreadable: it cannot be read.

        """
        try:
            facts = dict(self._db.execute("SELECT name, value FROM facts"))
            rows = self._db.execute("SELECT kind, body FROM rows ORDER BY kind, ticket")
            if not self._rows.load(broker, rows, facts.get("time_msc", 0)):
                return False
        except (sqlite3.Error, ValueError, LookupError) as error:
            raise self._unreadable() from error
        broker.books.continue_above(facts.get("next_order", 0), facts.get("next_deal", 0))
        return True

    def save(self, broker: Broker, now_msc: int) -> None:
        """Write what has changed, if anything has.

        Where the disk takes nothing the account goes on in memory: a bot that is tried must be
        able to close what it has. All of it is written as soon as something can be.
        """
        books = broker.books
        if books.version == self._version:
            return
        gone, fresh = self._rows.changes(broker)
        try:
            self._write(broker, now_msc, gone, fresh)
        except sqlite3.Error:
            # nobody knows which rows are in the file now, so the next write is a whole one
            _log.exception("the emulated account is not written to %s", self._path)
            self._rows, self._anew = BookRows(), True
        else:
            self._version, self._anew = books.version, False

    def _write(
        self,
        broker: Broker,
        now_msc: int,
        gone: list[tuple[str, int]],
        fresh: list[tuple[str, int, str]],
    ) -> None:
        books = broker.books
        facts = {
            "time_msc": now_msc,
            "next_order": books.next_order_ticket,
            "next_deal": books.next_deal_ticket,
        }
        # one transaction: rows and tickets agree, whenever the process dies
        with self._db:
            if self._anew:
                self._db.execute("DELETE FROM rows")
            self._db.executemany("DELETE FROM rows WHERE kind = ? AND ticket = ?", gone)
            self._db.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?)", fresh)
            self._db.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", facts.items())

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _unreadable(self) -> BooksUnreadable:
        return BooksUnreadable(
            f"{self._path} is damaged: move it away, and the emulated account begins anew"
        )


COMMISSION_PER_LOT = 3.5
"""In the account's currency, for each side: what raw-spread accounts commonly pay."""
LOGINS = 1_000_000
_EXECUTIONS = {"market": SymbolExecution.MARKET, "instant": SymbolExecution.INSTANT}


class TerminalClocks:
    """Clocks of an emulated terminal: the broker's wall clock, and the PC's.

    Args:
        market: gives the present where there is no clock.
        clock: of the market; ``None`` where a recording drives time, as fast as it is read.
        leaves_out: the market is always open, so the hour that comes twice in autumn comes once.
        pc_s: UTC as the clock of the PC has it, in seconds; that of the market if absent.

    """

    def __init__(
        self,
        market: Market,
        clock: MarketClock | None,
        *,
        leaves_out: bool,
        pc_s: Callable[[], float] | None = None,
    ) -> None:
        self._zone = BrokerZone()
        self._market = market
        self._clock = clock
        self._leaves_out = leaves_out
        self._pc_s = pc_s

    def now_msc(self) -> int:
        """Return the broker's wall clock, in milliseconds."""
        if self._clock is None:
            return self._market.now_msc
        return self._zone.to_broker_ms(self._utc_ms())

    def utc_s(self) -> int:
        """Return the PC's idea of UTC, in seconds."""
        return self._utc_ms() // 1000 if self._pc_s is None else int(self._pc_s())

    def _utc_ms(self) -> int:
        if self._clock is None:
            return self._zone.to_utc_ms(self._market.now_msc)
        now_ms = self._clock.now_ms(host.monotonic_s())
        # in autumn the broker's clock is put back an hour, and stamps must not go back with it
        back_ms = self._market.now_msc - self._zone.to_broker_ms(now_ms)
        if self._leaves_out and back_ms > 0:
            self._clock.jump(back_ms)
            now_ms += back_ms
        return now_ms


def build_terminal(
    *,
    platform: str = "mt5",
    speed: float = 1.0,
    seed: int = 0,
    netting: bool = False,
    tick_files: Sequence[tuple[str, Path]] = (),
    watch: Sequence[str] = (),
    sessions: Sessions = "always",
    start_ms: int | None = None,
    clock: MarketClock | None = None,
    pc_s: Callable[[], float] | None = None,
    faults: EmulatedFaults | None = None,
    device_file: Path | None = None,
    results_file: Path | None = None,
    conditions: Conditions | None = None,
    kept: TerminalFiles | None = None,
    new_market: Callable[[int], Market] | None = None,
) -> EmulatedTerminal:
    """Return a terminal whose market begins now, or when it is told to.

    Args:
        platform: ``mt5`` or ``mt4``.
        speed: of the market against real time; infinite: as fast as it is read.
        seed: of everything drawn; 0 to 999999 keeps logins apart.
        netting: one position a symbol, instead of hedging; without ``conditions``.
        tick_files: symbol and file of ticks to replay instead of the packaged ones.
        watch: the symbols in Market Watch; those of the specifications if none are named.
        sessions: ``always`` open, or closed at weekends as the ``real`` ones are. Stamps do not go
            back: while the broker's clock shows an hour for the second time, in autumn, ``real``
            markets stand still; those that are ``always`` open leave that hour out.
        start_ms: when the market begins, UTC milliseconds; now if absent.
        clock: of the market, instead of one that begins then and runs at that speed.
        pc_s: UTC as the clock of its PC has it, in seconds; by default that of the market.
        faults: how it misbehaves.
        device_file: keeps between runs which daemon it belongs to.
        results_file: keeps what became of its last trades, as an EA's does; in memory by default.
        conditions: of its account and its broker.
        kept: keeps all of that and the account's books between runs.
        new_market: makes the market that begins at a moment, in broker milliseconds; the packaged
            prices if absent.

    Raises:
        BooksUnreadable: the books are damaged.
        TickFileError: a file is malformed.
        OSError, UnicodeDecodeError: the device's file, or that of the results, cannot be read.

    """
    conditions = conditions or Conditions(netting=netting)
    # both at once: opening the market takes a moment, by which the clock must not be behind
    now_ns, real_s = host.wall_ns(), host.monotonic_s()
    start_ms, real_s = (
        (now_ns // 1_000_000, real_s - now_ns % 1_000_000 / 1e9)
        if start_ms is None
        else (start_ms, real_s)
    )
    flat_out = math.isinf(speed)
    if clock is None:
        market_clock = MarketClock(start_ms, real_s, 1.0 if flat_out else speed)
    else:
        market_clock, start_ms = clock, clock.now_ms(real_s)
    start_msc = BrokerZone().to_broker_ms(start_ms)
    market = (
        open_market(
            start_msc=start_msc,
            seed=seed,
            sessions=sessions,
            flat_out=flat_out,
            tick_files=tick_files,
            changes=_of_symbols(conditions),
        )
        if new_market is None
        else new_market(start_msc)
    )
    for name in market.symbols() if watch else ():
        market.select(name, enable=name in watch)
    for name in market.selected:
        market.tick(name)  # the first look at a symbol takes a moment: not while somebody waits
    clocks = TerminalClocks(
        market, None if flat_out else market_clock, leaves_out=sessions == "always", pc_s=pc_s
    )
    broker = _broker(market, platform, seed, conditions)
    books = None if kept is None else BookFile(kept.books)
    if books is not None and books.load(broker):
        broker.take_events()
    else:
        load_demo(broker, market, market.now_msc, seed=seed, deposit=conditions.balance)
    broker.script.refusals.extend([TradeRetcode.REQUOTE] * conditions.requotes)
    broker.script.most_lots = conditions.most_lots

    def keep() -> None:
        if books is not None:
            books.save(broker, market.now_msc)

    keep()
    return EmulatedTerminal(
        market,
        broker,
        platform,
        now_msc=clocks.now_msc,
        utc_s=clocks.utc_s,
        faults=faults,
        pin=DevicePin(device_file if kept is None else kept.device),
        results=TradeResultStore(results_file if kept is None else kept.results),
        keep=keep,
        password=conditions.password,
        trails_file=None if kept is None else kept.trails,
    )


def _broker(market: Market, platform: str, seed: int, conditions: Conditions) -> Broker:
    account = _account(conditions, seed)
    terms = terms_of(
        account,
        platform="mt4" if platform == "mt4" else "mt5",
        commission_per_lot=COMMISSION_PER_LOT,
    )
    return Broker(market, account, terms, seed=seed)


def _account(conditions: Conditions, seed: int) -> Account:
    """Return the template of the account."""
    template = default_account()
    netting, live = conditions.netting, conditions.live
    return replace(
        template,
        login=conditions.login or template.login + seed % LOGINS,
        trade_mode=int(AccountTradeMode.REAL if live else AccountTradeMode.DEMO),
        leverage=conditions.leverage or template.leverage,
        margin_mode=int(MarginMode.RETAIL_NETTING if netting else MarginMode.RETAIL_HEDGING),
    )


def _of_symbols(conditions: Conditions) -> Mapping[str, Any]:
    """Return what is different in each specification."""
    execution = conditions.execution
    changes = {
        "trade_stops_level": conditions.stops_level,
        "trade_freeze_level": conditions.freeze_level,
        "trade_exemode": None if execution is None else int(_EXECUTIONS[execution]),
    }
    return {name: value for name, value in changes.items() if value is not None}
