"""The simulated world: network, daemons, terminals, brokers and bots of one run, from one seed."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson

from ea_bridge import host
from ea_bridge.emulator.link import EmulatedLink
from ea_bridge.protocol.messages import Cmd, Res
from ea_bridge.token import parse_token
from gateway.credentials.record import Record
from gateway.home.home import Home

from . import plugins, swarm
from . import product_patches as hand_in
from . import terminal_setup as cast
from .bots import Address
from .clocks import Calendar
from .computer import SimulatedHost, context_of
from .dice import Dice
from .disk import SimulatedDisk
from .expiries import Expiries, draw_overlap_s
from .handles import LIFE
from .invariants import Break, Invariants
from .lives import CONFIG, SimulatedDaemons
from .loop import Killed, SimulatedLoop
from .network import Network
from .plugins import Fault, Watcher
from .rpc_client import Asking, HttpRpcClient, is_refused_as_expired, is_served
from .run import Run, plan, with_disk
from .sockets import SimulatedSocket
from .sometimes import Sometimes
from .terminals import TradedTerminal
from .trace import Trace

LAST_FILLS_S = 4.0
"""In which brokers fill at last what they have delayed."""
D = TypeVar("D", bound=HttpRpcClient)

FAREWELL_S = 0.5
"""In which the daemon hears of the end of all links."""


@dataclass(frozen=True)
class Options:
    """What a run is made from: the same options make the same run.

    Attributes:
        kills_every: about so many orders come to one death of the daemon; 0: none dies, and
            nothing else fails either.
        faults: the names of those that may happen; ``None``: those that the seed draws.
        lone: the terminal of bots of one kind that it has; empty: it is drawn whether, and which.
        mutant: the deliberate fault of the product that is installed already, if there is one.

    """

    seed: int
    orders: int
    kills_every: int = 0
    faults: frozenset[str] | None = None
    log: Path | None = None
    mutant: str = ""
    lone: str = ""


class World:
    """Everything there is in a run. Plug-ins find here what they need.

    Attributes:
        loop, network, trace, dice: of the run.
        calendar: all clocks.
        expiries: which tokens are over by them.
        disk: where the databases of its homes lie.
        daemons: their lives.
        tokens: of the terminals, by name.
        spare_tokens: those that they were made for, until somebody ends them.
        names: of all terminals.
        records: of the terminals' tokens.
        terminals: those that are traded on, by name.
        run: its course: its ``verdict`` and its ``figures`` are added to by all.
        watchers: one of each kind.
        invariants: the rules that hold at every step; the first break ends the run.
        sometimes: counts what a campaign of runs must have come to.

    """

    def __init__(self, options: Options, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.dice = Dice(options.seed)
        self.loop = SimulatedLoop(self.dice("threads"), self.dice("turns"))
        self.loop.on_error = self._on_error
        self.trace = Trace(options.log)
        self.network = Network(self.loop, self.dice("network"), self.trace)
        self.disk = SimulatedDisk(
            folder,
            self.dice("sqlite"),
            life=LIFE.get,
            wall_s=lambda: host.wall_s(),  # of whoever asks
            spend=lambda seconds: host.sleep(seconds),
        )
        self.address: Address
        self.tokens: dict[str, str] = {}
        self.spare_tokens: dict[str, str] = {}
        self.records: dict[str, Record] = {}
        self.terminals: dict[str, TradedTerminal] = {}
        self.daemons: SimulatedDaemons
        self.run: Run
        self.watchers: list[Watcher] = []
        self.invariants = Invariants(self.loop.time, self._on_break)
        self.sometimes = Sometimes()
        self._revoked: set[str] = set()
        self.asked_s = 0.0
        """When the message was sent whose answer watchers are being told of."""
        self.stop: Callable[[], object] = self.loop.stop
        """Ends the run before its time."""
        plugins.discover()
        self.names = cast.names_of(options.seed, plugins.lone_terminals(), options.lone)
        named, seed, fails = options.faults, options.seed, options.kills_every > 0
        named = swarm.names_of(seed, plugins.FAULTS) if named is None else named
        self._faults: list[Fault] = [plugins.FAULTS[name] for name in sorted(named)]
        self._fault_share = 1 / swarm.orders_a_fault(seed)
        self.calendar = Calendar(
            self.loop,
            self.dice("clocks"),
            self.names,
            is_wrong=fails,
            has_weekends=fails and "weekend" in named,
        )
        self.expiries = Expiries(self.calendar.pc)

    async def simulate(self) -> Run:
        """Let it all happen, and judge."""
        hand_in.shorten_waits()
        hand_in.date_answers()
        self._settle_in()
        linking = [
            self.loop.create_task(one.link.run(), context=self.context(name))
            for name, one in self.terminals.items()
        ]
        options = self.options
        each = options.kills_every
        lives = plan(self.dice("plan"), options.orders, each) if each else []
        lives = with_disk(self.dice("power"), lives, each)
        await self.run.trade(lives, self._traders())
        await asyncio.sleep(LAST_FILLS_S)
        for terminal in self.terminals.values():
            terminal.stand_still()
        for watcher in self.watchers:
            await watcher.rest()
        for task in linking:
            task.cancel()
        await asyncio.wait(linking)  # what the daemon says of an order it says without a terminal
        await asyncio.sleep(FAREWELL_S)
        for watcher in self.watchers:
            watcher.at_end()
        self.run.verdict.has_disk_failed = self.disk.has_failed
        await self.run.judge()
        self.trace.add(self.loop.now, "disk", self.disk.fingerprint().encode())
        self.sometimes.update(self.disk.seen)
        return self.run

    def context(self, node: str) -> contextvars.Context:
        """Return the context of a program on a computer of its own."""
        clocks, dice = self.calendar.pc_of(node), self.dice(f"secrets of {node}")
        return context_of(node, SimulatedHost(self.loop, self.network, clocks, dice))

    # --- setting up ------------------------------------------------------------------------

    def _settle_in(self) -> None:
        self.tokens = tokens = self.context("daemon").run(self._make_home)
        self.address = Address()
        for name, token in tokens.items():
            self.terminals[name] = self.context(name).run(self._build, name, token)
        self.daemons = SimulatedDaemons(
            loop=self.loop,
            network=self.network,
            folder=self.folder,
            disk=self.disk,
            power=self.dice("power"),
            dice=self.dice("ledger"),
            secrets=self.dice("secrets of daemon"),
            clocks=self.calendar.pc,
            on_begin=lambda life, ready: self.watch("after_life_begins", life, ready),
            on_end=lambda life, cause: self.watch("after_life_ends", life, cause),
            on_ledger=lambda life, ledger: self.watch("on_ledger", life, ledger),
            on_point=lambda life, point: self.watch("on_point", life, point),
            around_commit=(
                lambda life, group: self.watch("before_commit", life, group),
                lambda life, group: self.watch("on_commit", life, group),
            ),
        )
        self.run = Run(
            daemons=self.daemons,
            address=self.address,
            terminals=list(self.terminals.values()),
            goal=self.options.orders,
            fail=self.fail,
            pacify=self._pacify,
        )
        self.watchers = [kind(self) for kind in plugins.WATCHERS.values()]
        self._seen = {name: self._watching(name) for name in vars(Watcher) if name[0] != "_"}
        if self._seen["on_frame_to_terminal"]:
            self.network.on_write = self._on_write

    def _make_home(self) -> dict[str, str]:
        with Home(self.folder / "home", CONFIG.secrets.key_file) as home:
            issuer, dice = home.issuer, self.dice("overlaps")
            for name in self.names:
                rights = plugins.RIGHTS.get(name, lambda _: {})(self.dice(f"rights of {name}"))
                self.spare_tokens[name] = issuer.create(name, **rights)[0]
            replaced = {
                name: issuer.replace(name, overlap_s=draw_overlap_s(dice))[0]
                for name in self.names
            }
            self.records = {record.label: record for record in issuer.list()}
            for record in issuer.list():
                if record.exp is not None:
                    self.expiries.add(record.tid, record.exp)
            return replaced

    def _build(self, name: str, token: str) -> TradedTerminal:
        seed, others = self.options.seed, self.terminals
        machines = {one.name: one.machine for one in others.values()}
        machine = cast.new_machine(name, seed, self.folder, machines, self.calendar)
        link = EmulatedLink(machine, "127.0.0.1", 1, token, seed=seed)
        partner = others[cast.PARTNERS[name]] if name in cast.PARTNERS else None
        terminal = TradedTerminal(name, machine, link, self.client(name, token), partner)
        execute = machine.execute

        def watched(cmd: Cmd, *, waited_ms: float = 0.0) -> list[Res]:
            self.watch("on_command", terminal, cmd)
            return execute(cmd, waited_ms=waited_ms)

        machine.execute = watched  # type: ignore[method-assign]  # to see each command
        return terminal

    def client(self, name: str, token: str, kind: type[D] = HttpRpcClient) -> D:  # type: ignore[assignment]  # what D is then
        """Return a way to the daemon for a bot of a terminal, with one of its tokens."""
        return kind(
            self.address,
            token,
            on_ask=partial(self._asked, name, parse_token(token)),
            on_answer=partial(self._heard, name),
        )

    def revoked(self, tid: str) -> None:
        """Take that a token was revoked, and that who has done so was told."""
        self._revoked.add(tid)
        self.watch("on_revoked", tid)

    def _traders(self) -> Sequence[Coroutine[Any, Any, Any]]:
        return [
            trader.trade(self, terminal, name, self.dice(f"trader {name}"))  # type: ignore[misc]  # a coroutine
            for terminal in self.terminals.values()
            for trader in plugins.traders_at(terminal.name)
            if trader.suits(terminal)
            for name in (f"{terminal.name}-{trader.name}-{n}" for n in range(trader.count))
        ]

    # --- what fails ------------------------------------------------------------------------

    def fail(self, terminal: TradedTerminal) -> None:
        """Let something fail now and then; called with the terminal of each new order."""
        dice = self.dice("faults")
        if self._faults and self.options.kills_every and dice.random() < self._fault_share:
            (fault,) = dice.choices(self._faults, [one.weight for one in self._faults])
            self.run.figures.faults[fault.name] += 1
            fault.happen(self, terminal, dice)

    def _pacify(self) -> None:
        self._faults = []
        self.disk.work()
        self.network.clear()
        for terminal in self.terminals.values():
            terminal.behave()
        self.watch("on_peace")

    # --- who watches -----------------------------------------------------------------------

    def _watching(self, hook: str) -> list[Callable[..., Any]]:
        return [
            getattr(one, hook)
            for one in self.watchers
            if getattr(type(one), hook) is not getattr(Watcher, hook)
        ]

    def watch(self, hook: str, *what: Any) -> None:
        """Tell all watchers that have a hook."""
        for told in self._seen[hook]:
            told(*what)

    def _on_write(self, sock: SimulatedSocket, data: bytes) -> None:
        if sock.node == "daemon" and sock.peer is not None:
            terminal = self.terminals.get(sock.peer.node)
            if terminal is not None:
                self.watch("on_frame_to_terminal", terminal, data)
            else:
                self.watch("on_bytes_to_bot", data)

    def _asked(self, name: str, tid: str, message: Any) -> Asking:
        life = self.daemons.present
        self.watch("before_ask", self.terminals[name], message, life)
        expired = "expired" if self.expiries.has_expired(tid) else ""
        ended = "revoked" if tid in self._revoked else expired
        return Asking(life, tid, ended, self.loop.now, self.expiries.steps)

    def _heard(self, name: str, message: Any, answer: Any, asking: Asking) -> None:
        self.trace.add(self.loop.now, "answer", orjson.dumps(answer))
        self.asked_s = asking.at_s
        self.watch("on_answer", self.terminals[name], message, answer, asking.life)
        is_sure = asking.ended == "revoked" or asking.clock_steps == self.expiries.steps
        if asking.ended and is_sure and is_served(answer):
            said = f"token {asking.tid}, {asking.ended}, was served: {message}"
            self.invariants.broken(asking.ended, said)
        if is_sure and is_refused_as_expired(answer) and not self.expiries.has_expired(asking.tid):
            self.invariants.broken("expired", f"token {asking.tid} has not, and is told {answer}")

    def _on_error(self, life: int, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), Killed):
            self.invariants.broken("task", f"life {life}: {context}")

    def _on_break(self, found: Break) -> None:
        self.run.verdict.breach(found.rule, str(found))
        self.run.verdict.orders = self.run.begun
        self.stop()


def simulate(options: Options, folder: Path) -> World:
    """Make a world, and let it happen; ``folder`` is empty, and takes what lies on its disks."""
    world = World(options, folder)
    asyncio.set_event_loop(world.loop)
    running = world.loop.create_task(world.simulate(), context=world.context("world"))
    world.stop = running.cancel
    with world.disk, suppress(asyncio.CancelledError):  # a rule was broken
        world.loop.run_until_complete(running)
    return world
