"""Assembly of an emulated MetaTrader 4 server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ea_bridge import host
from ea_bridge.endpoint.device_pin import DevicePin
from ea_bridge.endpoint.idempotency import ResultStore
from ea_bridge.mt4_manager.commands import MAX_RESULTS
from ea_bridge.simulation.broker.prices import Prices
from ea_bridge.simulation.clock import BrokerZone
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import open_market

from .books import Books
from .population import Population, default_groups, populate, who_is_online
from .quotes import FixedQuotes, MarketQuotes, Snapshot
from .server import EmulatedManager
from .store import BookStore
from .symbols import symbol_records
from .user_commands import UserCommands

SERVER = "127.0.0.1:443"
LOGIN = 224


def build_manager(
    *,
    password: str,
    login: int = LOGIN,
    server: str = SERVER,
    population: Population | None = None,
    quotes: FixedQuotes | MarketQuotes | None = None,
    seed: int = 0,
    now_s: Callable[[], int] | None = None,
    faults: EmulatedFaults | None = None,
    books_file: Path | None = None,
    results_file: Path | None = None,
    device_file: Path | None = None,
) -> EmulatedManager:
    """Return a server with users; log in to it with ``connect``.

    Args:
        password: the manager's.
        login: the manager's.
        server: the address that ``connect`` must name.
        population: the users it begins with; those of ``books_file`` where it has any.
        quotes: the prices; the emulator's market if absent, as a terminal with that seed has it.
        seed: of everything drawn.
        now_s: the server's clock; that of most brokers if absent.
        faults: how it misbehaves.
        books_file: an SQLite file that keeps users and trades between runs.
        results_file: keeps what became of its last commands.
        device_file: keeps which daemon it belongs to.

    Raises:
        sqlite3.Error, OSError, UnicodeDecodeError: a file cannot be read.

    """
    zone = BrokerZone()
    clock = now_s or (lambda: zone.to_broker_ms(host.wall_ms()) // 1000)
    market = quotes or _market(clock, seed)
    books = Books(symbol_records(market.specs), default_groups())
    store = BookStore(books_file) if books_file is not None else None
    people = population or Population()
    if store is None or not store.load(books):
        populate(books, Snapshot(Prices(market)), people, now_s=clock(), seed=seed)
    online = who_is_online(books.logins(slice(None)), people.online, seed=seed)
    manager = EmulatedManager(
        books,
        market,
        users=UserCommands(books, clock, online),
        now_s=clock,
        server=server,
        login=login,
        password=password,
        results=ResultStore(results_file, room=MAX_RESULTS),
        pin=DevicePin(device_file),
        faults=faults or EmulatedFaults(),
        store=store,
    )
    manager.save()
    return manager


def _market(clock: Callable[[], int], seed: int) -> MarketQuotes:
    market = open_market(start_msc=clock() * 1000, seed=seed, sessions="always")
    return MarketQuotes(market, lambda: clock() * 1000)
