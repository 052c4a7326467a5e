"""Assembly of an emulated MetaTrader 4 server, with the groups and users that it begins with.

Users are drawn from a seed. Each has paid in once; some hold a position, some have closed one, a
few are online or disabled.

Its link dials the daemon, answers commands, and misbehaves when told to.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ea_bridge import host
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.endpoint.link import PeerLink
from ea_bridge.endpoint.results import ResultStore
from ea_bridge.mt4_manager.commands import MAX_RESULTS
from ea_bridge.mt4_manager.endpoint import ManagerConversation, is_change
from ea_bridge.mt4_manager.model import (
    FreeMarginMode,
    GroupMargin,
    GroupRecord,
    GroupRight,
    GroupSecurity,
    MarginType,
    OnlineRecord,
    TradeCommand,
    TradeReason,
    TradeRecord,
    UserRecord,
)
from ea_bridge.protocol.messages import Ack, Cmd, Hb, Pending
from ea_bridge.simulation.broker.prices import Prices
from ea_bridge.simulation.clock import BrokerZone
from ea_bridge.simulation.faults import EmulatedFaults
from ea_bridge.simulation.market import open_market

from .books import Books, BookStore
from .market import SECURITIES, FixedQuotes, MarketQuotes, Snapshot, symbol_records
from .server import EmulatedManager
from .user_commands import UserCommands

_RIGHTS = GroupRight.EMAIL | GroupRight.TRAILING | GroupRight.ADVISOR | GroupRight.EXPIRATION
_TERMS = GroupSecurity(
    show=1, trade=1, execution=2, lot_min=1, lot_max=10_000, lot_step=1, ie_deviation=2
)


def default_groups() -> dict[str, GroupRecord]:
    """Return the groups by name: two currencies, both ways to count margin levels."""
    groups = (
        _group("demoforex", "USD", leverage=100, deposit=10_000.0),
        _group("real-usd", "USD", leverage=200),
        _group("real-eur", "EUR", leverage=100),
        _group(
            "vip-usd",
            "USD",
            leverage=50,
            secmargins=[GroupMargin(symbol="XAUUSD", margin_divider=0.5)],
        ),
        _group(
            "fixed-usd",
            "USD",
            leverage=100,
            margin_type=int(MarginType.CURRENCY),
            margin_call=500,
            margin_stopout=100,
            margin_mode=int(FreeMarginMode.USE_LOSS),
        ),
        _group("closed", "USD", leverage=100, enable=0),
    )
    return {group.group: group for group in groups}


def _group(
    name: str,
    currency: str,
    *,
    leverage: int,
    deposit: float = 0.0,
    enable: int = 1,
    margin_type: int = int(MarginType.PERCENT),
    margin_call: int = 100,
    margin_stopout: int = 50,
    margin_mode: int = int(FreeMarginMode.USE_ALL),
    secmargins: list[GroupMargin] | None = None,
) -> GroupRecord:
    return GroupRecord(
        group=name,
        enable=enable,
        timeout=7,
        company="Emulated Broker Ltd",
        signature="Emulated Broker Ltd",
        support_page="https://example.com",
        smtp_server="smtp.example.com:25",
        smtp_login="reports",
        support_email="support@example.com",
        default_leverage=leverage,
        default_deposit=deposit,
        maxsecurities=4096,
        secgroups=[_TERMS] * len(SECURITIES),
        secmargins=secmargins or [],
        currency=currency,
        margin_call=margin_call,
        margin_mode=margin_mode,
        margin_stopout=margin_stopout,
        margin_type=margin_type,
        use_swap=1,
        news=2,
        rights=int(_RIGHTS),
        check_ie_prices=1,
        archive_period=90,
    )


_FIRST_NAMES = ("Ada", "Bo", "Chen", "Dina", "Emil", "Fay", "Goran", "Hana", "Ivo", "June")
_LAST_NAMES = ("Abel", "Berg", "Costa", "Dahl", "Endo", "Fuchs", "Grant", "Hale", "Ito", "Jansen")
_COUNTRIES = ("Cyprus", "Germany", "Japan", "Kenya", "Portugal")
_GROUPS = ("demoforex", "real-usd", "real-eur", "vip-usd", "fixed-usd")
SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD")
_DAY_S = 86_400
_BENCHMARK_NET = 0x12C6
"""198.18.0.0/15 is nobody's: addresses of RFC 2544, packed with the first number lowest."""


@dataclass(frozen=True, kw_only=True)
class Population:
    """Number of users, and their doings; shares are of all users."""

    users: int = 200
    positions: float = 0.5
    closed: float = 0.3
    online: float = 0.05
    disabled: float = 0.02


def populate(
    books: Books, snapshot: Snapshot, population: Population, *, now_s: int, seed: int
) -> None:
    """Enter users, their deposits and trades into empty books."""
    draw = random.Random(seed)  # noqa: S311 - draws people that there are not
    for place in range(population.users):
        account = books.add_user(_user(draw, place, population, now_s))
        # in cents: 250 to 10,000 of the currency
        paid_in = (place % 40 + 1) * 25_000
        books.operate(account, TradeCommand.BALANCE, paid_in, "deposit", account.user.regdate)
        if draw.random() < population.closed:
            trade = books.open_trade(account, _position(draw, books, account.user, snapshot))
            books.close_trade(account, trade.order, snapshot, now_s - draw.randrange(1, _DAY_S))
        if draw.random() < population.positions:
            books.open_trade(account, _position(draw, books, account.user, snapshot))


def who_is_online(logins: Sequence[int], share: float, *, seed: int) -> list[OnlineRecord]:
    """Return connections of some users."""
    draw = random.Random(seed)  # noqa: S311 - draws connections that there are not
    chosen = [login for login in logins if draw.random() < share]
    return [
        OnlineRecord(login=login, counter=1, ip=_BENCHMARK_NET | draw.randrange(2**16) << 16)
        for login in chosen
    ]


def _user(draw: random.Random, place: int, population: Population, now_s: int) -> UserRecord:
    name = f"{draw.choice(_FIRST_NAMES)} {draw.choice(_LAST_NAMES)}"
    registered = now_s - draw.randrange(30, 900) * _DAY_S
    return UserRecord(
        login=0,
        group=_GROUPS[place % len(_GROUPS)],
        enable=int(draw.random() >= population.disabled),
        name=name,
        country=draw.choice(_COUNTRIES),
        email=f"{name.lower().replace(' ', '.')}.{place}@example.com",
        leverage=(50, 100, 200)[place % 3],
        regdate=registered,
        lastdate=now_s - draw.randrange(_DAY_S),
        timestamp=registered,
        send_reports=1,
    )


def _position(
    draw: random.Random, books: Books, user: UserRecord, snapshot: Snapshot
) -> TradeRecord:
    name = draw.choice(SYMBOLS)
    symbol = books.symbols[name]
    buying = draw.random() < 0.5
    bid, ask = snapshot.quote(name)
    away = 1 + draw.uniform(-0.002, 0.002)
    currency = books.groups[user.group].currency
    opened = round((ask if buying else bid) * away, symbol.digits)
    return TradeRecord(
        order=0,
        login=0,
        symbol=name,
        digits=symbol.digits,
        cmd=int(TradeCommand.BUY if buying else TradeCommand.SELL),
        volume=draw.randrange(1, 21),
        open_time=user.lastdate,
        open_price=opened,
        reason=int(draw.choice((TradeReason.CLIENT, TradeReason.EXPERT, TradeReason.MOBILE))),
        conv_rates=(snapshot.profit_rate(name, currency, long=buying), 0.0),
        margin_rate=snapshot.margin_rate(name, currency, buying=buying),
        timestamp=user.lastdate,
    )


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
    # what was drawn is in the file before anybody has seen it
    manager.save()
    return manager


def _market(clock: Callable[[], int], seed: int) -> MarketQuotes:
    market = open_market(start_msc=clock() * 1000, seed=seed, sessions="always")
    return MarketQuotes(market, lambda: clock() * 1000)


_log = logging.getLogger(__name__)


class EmulatedConversation(ManagerConversation):
    """One TCP connection of an emulated manager."""

    def __init__(
        self,
        manager: EmulatedManager,
        token: str,
        on_ready: Callable[[], None],
        on_pending: Callable[[Pending], None],
    ) -> None:
        super().__init__(_EmulatedBackend(manager), token, manager.pin, on_ready, on_pending)
        self._faults = manager.faults

    def _pulse(self, n: int) -> Hb | None:
        # silence is what the daemon notices; the link stays
        return None if self._faults.take("mute") else super()._pulse(n)

    def later(self, delay_s: float, cmd: Cmd, act: Callable[..., None], *args: object) -> None:
        """Do something with a command after a while, unless the link is gone by then."""
        self._after(f"{act.__name__} {cmd.id}", delay_s, act, *args)


class _EmulatedBackend:
    """Backend that carries commands out at the emulated manager."""

    def __init__(self, manager: EmulatedManager) -> None:
        self._manager = manager
        self.name = "emulated manager"
        self.fingerprint = manager.fingerprint

    @property
    def boot(self) -> str:
        return self._manager.boot

    @property
    def connected(self) -> bool:
        return self._manager.connected

    def obey(self, cmd: Cmd, conversation: ManagerConversation, waited_ms: float) -> None:
        """Carry a command out; a change as the faults have it."""
        assert isinstance(conversation, EmulatedConversation)  # no other is made with this side
        faults = self._manager.faults
        if not is_change(cmd):
            conversation.say(*self._manager.executor.execute(cmd))
        elif faults.take("cut_before_ack"):
            conversation.abort()
        elif faults.stall_ms:
            delay_s = faults.stall_ms / 1000
            sent_ms = host.boot_ms() - waited_ms
            conversation.later(delay_s, cmd, self._change, cmd, conversation, sent_ms)
        else:
            self._change(cmd, conversation, host.boot_ms() - waited_ms)

    def _change(self, cmd: Cmd, conversation: EmulatedConversation, sent_ms: float) -> None:
        manager, faults = self._manager, self._manager.faults
        # this fault cuts before a word is said, though the change is made
        if not faults.cut_unacked:
            conversation.say(Ack(id=cmd.id))
        answer = manager.executor.execute(cmd, waited_ms=host.boot_ms() - sent_ms)
        # a process that has died answers nobody; its successor reads the file of results
        if manager.crashed:
            conversation.abort()
            manager.restart(lose_results=faults.take("lose_memory"))
        elif faults.take("cut_unacked") or faults.take("cut_after_ack"):
            conversation.abort()
        elif faults.take("lose_result"):
            _log.info("the result of command %d is lost", cmd.id)
        elif faults.delay_result_ms:
            delay_s = faults.delay_result_ms / 1000
            conversation.later(delay_s, cmd, conversation.say, *answer)
        else:
            conversation.say(*answer)
            if faults.take("cut_after_result"):
                conversation.close()


class ManagerLink(PeerLink[EmulatedConversation]):
    """Link that keeps an emulated manager connected to a daemon until told to stop.

    Args:
        manager: who is asked.
        host: where the daemon's bridge listens.
        port: its port.
        token: the manager's; never logged.
        seed: of the jitter between attempts.
        on_pending: called when this machine waits for approval.

    """

    def __init__(
        self,
        manager: EmulatedManager,
        host: str,
        port: int,
        token: str,
        *,
        seed: int = 0,
        on_pending: Callable[[Pending], None] | None = None,
    ) -> None:
        def converse(on_ready: Callable[[], None]) -> EmulatedConversation:
            return EmulatedConversation(manager, token, on_ready, on_pending or _ignore)

        super().__init__(converse, host, port, seed=seed)


def _ignore(_: Pending) -> None:
    """Do nothing: nobody but the log is told."""
