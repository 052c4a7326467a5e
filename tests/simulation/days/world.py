"""World of the simulated days: a console, a PC with a daemon and terminals, and their people."""

from __future__ import annotations

import contextvars
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ea_bridge import host
from gateway.config import Config
from gateway.credentials.keyset import root_text

from ..clocks import Calendar
from ..computer import SimulatedHost, context_of
from ..dice import Dice
from ..disk import SimulatedDisk
from ..handles import LIFE
from ..lives import SimulatedDaemons
from ..loop import Killed, SimulatedLoop
from ..network import Network
from ..run import Life
from ..trace import Trace
from .bots import Bot
from .calendar import BEFORE_S, TradingDays, drawn_weekend
from .consoles import URL, SimulatedConsoles
from .daily_limits import MAX_LOSS, MAX_ORDERS
from .key_rotation import SignedRecords
from .rights import Rights

TERMINALS = ("main", "spare")
"""Terminals, by name."""
PLATFORMS = {"main": "mt5", "spare": "mt4"}


@dataclass(frozen=True)
class Options:
    """Options of a run: the same make the same run."""

    seed: int
    days: float
    pause_s: float = 2700.0
    """About so long nothing happens, between two incidents."""
    is_tour: bool = False
    """Each kind of incident happens once, in a fixed order, and then the run is over."""


class DaysWorld:
    """World of a run: its clocks, network and disk, its programs and people.

    Attributes:
        calendar: all clocks; the console's machine is one of its own.
        consoles, daemons: their lives.
        bots: the terminals, each with its people.
        rights: what the console knows and the broker sees, compared.
        faults: what is wrong, in words.

    """

    def __init__(self, options: Options, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.dice = Dice(options.seed)
        self.loop = SimulatedLoop(self.dice("threads"), self.dice("turns"))
        self.loop.on_error = self._on_error
        self.trace = Trace()
        self.network = Network(self.loop, self.dice("network"), self.trace)
        self.disk = SimulatedDisk(
            folder,
            self.dice("sqlite"),
            life=LIFE.get,
            wall_s=lambda: host.wall_s(),  # of whoever asks
            spend=lambda seconds: host.sleep(seconds),
        )
        weekend = drawn_weekend(self.dice("weekend"))
        self.calendar = Calendar(
            self.loop,
            self.dice("clocks"),
            TERMINALS,
            is_wrong=False,
            has_weekends=True,
            begins_s=weekend[0] - BEFORE_S,
        )
        self.calendar.add_machine("console")
        self.days = TradingDays(self.true_s, weekend)
        self.faults: list[str] = []
        self.rights = Rights(self)
        self.signed_records = SignedRecords(self)
        self.bots: dict[str, Bot] = {}
        self.consoles: SimulatedConsoles
        self.daemons: SimulatedDaemons
        self.user_id = ""
        self.ready: dict[str, Any] = {}
        """Where the daemon listens."""
        self.is_daemon_up = False

    def true_s(self) -> float:
        """Return the true time, in seconds since 1970."""
        return self.calendar.time.ns() / 1e9

    def accuse(self, said: str) -> None:
        """Take what is wrong."""
        self.faults.append(f"{self.true_s() - self.rights.begun_s:.1f} s: {said}")

    def context(self, node: str) -> contextvars.Context:
        """Return the context of a program on its computer."""
        clocks, dice = self.calendar.pc_of(node), self.dice(f"secrets of {node}")
        return context_of(node, SimulatedHost(self.loop, self.network, clocks, dice))

    # --- beginning -----------------------------------------------------------------------------

    async def settle_in(self) -> None:
        """Have console and daemon run, and a user with a token for each terminal."""
        self.consoles = SimulatedConsoles(
            self.loop,
            self.network,
            self.disk,
            self.folder / "console",
            self.calendar.pc_of("console"),
            self.dice("secrets of console"),
        )
        await self.consoles.begin()
        root = root_text(await self.consoles.do(lambda console: console.signing.root()))
        user = await self.consoles.do(
            lambda console: console.users.create("ann@example.com", "Ann", "correct horse staple")
        )
        self.user_id = user.id
        self.daemons = SimulatedDaemons(
            loop=self.loop,
            network=self.network,
            folder=self.folder,
            disk=self.disk,
            power=self.dice("power"),
            dice=self.dice("ledger"),
            secrets=self.dice("secrets of daemon"),
            clocks=self.calendar.pc,
            config=config_of(root),
            on_begin=lambda life, ready: None,
            on_end=lambda life, cause: None,
            on_ledger=lambda life, ledger: None,
            on_point=lambda life, point: None,
            around_commit=(lambda life, group: None, lambda life, group: None),
        )
        await self.begin_daemon()
        for number, name in enumerate(TERMINALS):
            bot = Bot(self, name, PLATFORMS[name], number)
            self.bots[name] = bot
            await bot.take_new_token()

    async def begin_daemon(self) -> None:
        """Start the daemon, and tell everybody where it is."""
        ready = await self.daemons.begin(Life())
        assert ready is not None, "it does not start"
        self.is_daemon_up, self.ready = True, ready
        self.rights.daemon_began()
        for bot in self.bots.values():
            bot.meet(ready)

    async def end_daemon(self, *, power: bool) -> None:
        """Kill the daemon, or cut the power of its machine."""
        self.is_daemon_up = False
        self.rights.interrupted()
        if power:
            self.daemons.lose_power_at_end()
        await self.daemons.end()
        if power:
            self.calendar.pc.boot()

    def look_at_records(self) -> None:
        """See what the daemon makes of records that old keys have signed, if it runs."""
        if self.is_daemon_up:
            self.context("operator").run(self.signed_records.look, self.rights.synced_s)

    def _on_error(self, life: int, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), Killed):
            self.accuse(f"life {life}: {context}")


def config_of(root: str) -> Config:
    """Return the daemon's configuration."""
    return Config.model_validate(
        {
            "api": {"port": 0},
            "bridge": {"port": 0},
            "trading": {
                "orders_per_second": "none",
                "block_unresolved": False,
                "max_orders_per_day": MAX_ORDERS,
                "max_daily_loss": MAX_LOSS,
            },
            "console": {"url": URL, "root": root},
            "secrets": {"store": "file"},
        }
    )
