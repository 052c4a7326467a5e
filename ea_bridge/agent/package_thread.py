"""Thread that owns the package: it carries commands out, and looks at the terminal in between.

::

    event loop                           thread
    commands  ------------------------>  jobs, one after another
    link      <------------------------  news, in the order in which they were found
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec

from ea_bridge import commands, host
from ea_bridge.commands import COMMANDS, TOO_LATE
from ea_bridge.emulator.command_handler import (
    INVALID_PARAMETER,
    NO_POSITION,
    NOT_SUPPORTED,
    Failed,
)
from ea_bridge.emulator.executor import HISTORY, TradeResultStore, is_trade
from ea_bridge.emulator.lease import LeaseGuard
from ea_bridge.emulator.trails import RunningTrails
from ea_bridge.endpoint.results import ResultStore, execute_once, parse_ids, split_result
from ea_bridge.model import Account, Tick, TradeRequest
from ea_bridge.protocol.messages import (
    AccountEvent,
    Ack,
    Cmd,
    Message,
    Pnl,
    Res,
)

from .account_watch import AccountWatch
from .package import Package, PackageError
from .questions import INTERNAL_ERROR, Questions
from .state import Identity, PackageState, SwitchSnapshot
from .streams import PriceStreams
from .trades import TradeDesk

if TYPE_CHECKING:
    from ea_bridge.simulation.broker import Broker

CAPS = ("ticks", "book", "deals", "check", "results", commands.SURE_ABSENT, "trail", "lease")
"""Capabilities beyond the least; the package tells no trading sessions."""
PULL_S, TRADES_S, SWITCHES_S, CLOCK_S, FIND_CLOCK_S = 0.02, 0.1, 0.25, 1.0, 600.0
"""Between two looks: at what is watched, at orders and positions, at the switches and the money,
at the broker's clock, at which symbols tell it."""
CONNECT_FIRST_S, CONNECT_LAST_S = 1.0, 15.0
"""Between two tries to connect to a terminal that is not there."""
SETTLE_S = 5.0
"""A terminal that has just found its broker may not have all positions yet."""
MAX_UNTAKEN = 16
"""Batches of news that the loop has not taken yet; above that the thread pulls nothing more."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TerminalGone:
    """The terminal cannot be reached (any more)."""


@dataclass(frozen=True)
class Ended:
    """The thread has ended."""


@dataclass(frozen=True)
class Reply:
    """Messages for the link on which a command came, and for no other."""

    link: object
    messages: Sequence[Message]


News = SwitchSnapshot | TerminalGone | Ended | Reply | Message


class DurableResults(TradeResultStore):
    """Store of the last trades' results; each trade is noted on the disk before it begins."""

    def __init__(self, path: Path) -> None:
        # past the constructor of the emulator's table, which survives its process alone
        ResultStore.__init__(self, path, room=commands.MAX_RESULTS, durable=True)


@dataclass(frozen=True)
class AgentFiles:
    """Files in which an agent keeps its state between runs."""

    folder: Path

    @property
    def device(self) -> Path:
        """Daemon that it belongs to."""
        return self.folder / "device.txt"

    @property
    def results(self) -> Path:
        """Results of its last trades."""
        return self.folder / "results.jsonl"

    @property
    def trails(self) -> Path:
        """The stops that follow the market."""
        return self.folder / "trails.json"

    @property
    def installation(self) -> Path:
        """Random id, by which this installation is told from another."""
        return self.folder / "installation.txt"


class PackageThread:
    """Thread that owns the package: it does jobs, looks at the terminal, and tells.

    Args:
        package: nobody else calls it from now on.
        files: of the agent's state.
        connect: options of ``initialize``.
        tell: is given all that was found out, in order; called in this thread.
        utc_s: UTC in seconds, as the PC's clock has it.

    Raises:
        OSError: a file is there and cannot be read.

    """

    def __init__(
        self,
        package: Package,
        files: AgentFiles,
        connect: dict[str, Any],
        tell: Callable[[Sequence[News]], None],
        utc_s: Callable[[], float],
    ) -> None:
        self.is_paused = False
        """The daemon does not read: nothing is pulled."""
        self.taken = 0
        """Batches that the loop has taken; it counts them."""
        self.results = DurableResults(files.results)
        self._package = package
        self._connect_options = connect
        self._tell_loop = tell
        self._told = 0
        self._state = PackageState(package, lambda snapshot: self._tell([snapshot]))
        self._questions = Questions(
            package, self._state, lambda name: self._streams.has_book(name), utc_s
        )
        self._streams = PriceStreams(package, self._questions, self._state)
        self._desk = TradeDesk(package, self._state, self._questions)
        self._watch = AccountWatch(self._questions, self._state, utc_s)
        # both ask a broker for nothing but what the desk has
        self._trails = RunningTrails(
            cast("Broker", self._desk),
            files.trails,
            account=lambda: self._state.identity,
            is_settled=self._is_settled,
        )
        self.lease = LeaseGuard(
            orders=self._desk.orders,
            positions=self._desk.positions,
            symbol=self._questions.symbol,
            send=self._desk.send,
            now_msc=lambda: self._state.broker_s * 1000,
            account=lambda: self._state.identity,
            is_connected=self._is_connected,
        )
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._due: dict[str, float] = {}
        self._told_account: Account | None = None
        self._trail_ticks: dict[str, Tick] = {}
        self._is_linked = False
        self._op = ""
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="MetaTrader5", daemon=True
        )

    @property
    def broker_s(self) -> int:
        """``TimeCurrent``."""
        return self._state.broker_s

    @property
    def is_loading(self) -> bool:
        """Whether the command that it is in may have to wait for the terminal's history."""
        return self._op in HISTORY

    @property
    def held_s(self) -> float:
        """How long the call of the package lasts that the thread is in; 0 for none."""
        return self._package.held_s

    def start(self) -> None:
        """Begin; it connects to the terminal by itself, again and again."""
        self._thread.start()

    def submit(self, job: Callable[[], object]) -> None:
        """Have something done, after all that was submitted before."""
        self._jobs.put(job)

    def end(self) -> None:
        """End after the jobs that were submitted, if the package lets it."""
        self._jobs.put(None)

    # --- the thread --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            try:
                while self._connect() and self._serve():
                    pass
            finally:
                self._package.disconnect()
        except Exception as error:
            _log.error("the thread that has the package ends over %s", type(error).__name__)
            _log.debug("where it failed", exc_info=error)
        finally:
            # whatever happened: from here on no command is carried out
            self._tell([Ended()])

    def _connect(self) -> bool:
        """Connect to the terminal, however long it takes; false if the agent ends meanwhile."""
        wait_s = CONNECT_FIRST_S
        while not self._try_to_connect():
            if not self._wait_without_terminal(wait_s):
                return False
            wait_s = min(2 * wait_s, CONNECT_LAST_S)
        return True

    def _try_to_connect(self) -> bool:
        try:
            self._package.connect(**self._connect_options)
            self._begin()
        except PackageError as error:
            _log.warning("there is no terminal to connect to: %s", error)
        except Exception as error:
            # the thread must not end over what a terminal says while it starts
            _log.error("the terminal cannot be read: %s", type(error).__name__)
            _log.debug("where it failed", exc_info=error)
        else:
            return True
        return False

    def _wait_without_terminal(self, wait_s: float) -> bool:
        until = host.monotonic_s() + wait_s
        while (left_s := until - host.monotonic_s()) > 0:
            try:
                job = self._jobs.get(timeout=left_s)
            except queue.Empty:
                break
            if job is None:
                return False
            self._do(job)
        return True

    def _begin(self) -> None:
        self._due.clear()
        self._state.look(anew=True)
        self._find_clock()
        self._watch.forget()
        # before anybody links: what changes from now on is told
        self._watch.look()

    def _serve(self) -> bool:
        """Work until the terminal is lost (true), or the agent ends (false)."""
        while True:
            try:
                job = self._jobs.get(timeout=PULL_S)
            except queue.Empty:
                job = _nothing
            if job is None:
                return False
            if self._do(job) and self._do(self._look):
                continue
            self._streams.silence()
            self._tell([TerminalGone()])
            return True

    def _do(self, job: Callable[[], object]) -> bool:
        """Do a job; false if the terminal was lost over it."""
        try:
            job()
        except PackageError as error:
            _log.log(logging.WARNING if error.is_lost else logging.INFO, "%s", error)
            return not error.is_lost
        except Exception as error:
            # a command that trades stays taken, so that it is looked for in the history
            _log.error("the agent failed with %s", type(error).__name__)
            _log.debug("where it failed", exc_info=error)
        return True

    def _tell(self, news: Sequence[News]) -> None:
        self._told += 1
        self._tell_loop(news)

    def _is_due(self, what: str, every_s: float) -> bool:
        now = host.monotonic_s()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True

    def _look(self) -> None:
        """Look at all whose turn it is, and tell what is new."""
        self.lease.enforce()
        if self._is_due("find clock", FIND_CLOCK_S):
            self._find_clock()
        if self._is_due("clock", CLOCK_S):
            self._state.read_clock()
        if self._is_due("switches", SWITCHES_S):
            self._look_at_account()
        if self._is_due("trades", TRADES_S):
            self._tell_all(self._watch.look())
        if len(self._trails):
            self._follow()
        has_room = self._told - self.taken < MAX_UNTAKEN
        if not self.is_paused and has_room and self._streams.is_active:
            self._tell_all(self._streams.pull(self._jobs.empty))

    def _find_clock(self) -> None:
        self._due["find clock"] = host.monotonic_s() + FIND_CLOCK_S
        self._state.find_clock()

    def _look_at_account(self) -> None:
        latest = self._state.look()
        if not self._is_linked or latest.account == self._told_account:
            return
        self._told_account = latest.account
        floating = [
            (position.ticket, position.price_current, position.swap, position.profit)
            for position in self._questions.positions()
        ]
        self._tell_all([AccountEvent(d=latest.account), Pnl(d=floating)])

    def _tell_all(self, messages: Sequence[Message]) -> None:
        if messages:
            self._tell(messages)

    def _follow(self) -> None:
        """Let the stops follow the market, while there is a broker who could move them."""
        if not self._state.latest.terminal.connected:
            return
        for symbol in {trail.symbol for trail in self._trails.get()}:
            tick = self._state.note_tick(self._package.last_tick(symbol))
            if tick != self._trail_ticks.get(symbol):
                self._trail_ticks[symbol] = tick
                self._trails.on_tick(self._questions.symbol(symbol), tick, tick.time_msc)

    def _is_connected(self) -> bool:
        """Whether the broker is there now; where the terminal does not say so, he is not.

        Raises:
            PackageError: the terminal is lost.

        """
        try:
            return self._state.look().terminal.connected
        except PackageError as error:
            if error.is_lost:
                raise
            return False

    def _is_settled(self) -> bool:
        """Whether a position that the terminal does not list has gone; as the EA has it."""
        return self._is_connected() and self._state.connected_s >= SETTLE_S

    # --- jobs ------------------------------------------------------------------------------

    def set_linked(self, *, linked: bool) -> None:
        """Begin with a link, or note that it is gone: nothing is pushed until it is asked for."""
        self._is_linked = linked
        self._told_account = None
        self._due.pop("switches", None)
        self._streams.silence()

    def execute(self, cmd: Cmd, link: object, identity: Identity, came_s: float) -> None:
        """Carry a command out and answer.

        Args:
            cmd: the command.
            link: on which it came.
            identity: the account that this link is about.
            came_s: when it came.

        """
        self._op = cmd.op
        try:
            if is_trade(cmd):
                self._trade(cmd, link, identity, came_s)
            else:
                self._inform(cmd, link, identity, came_s)
        finally:
            self._op = ""

    def _inform(self, cmd: Cmd, link: object, identity: Identity, came_s: float) -> None:
        self.results.asked(cmd.id)
        late = cmd.ttl and (host.monotonic_s() - came_s) * 1000 > cmd.ttl
        if late and cmd.op in HISTORY:
            self._reply(link, [_too_late(cmd)])
            return
        answer = self._answer(cmd, self._result)
        # looked at afterwards: what was read before is of that account, if it still is the one
        if cmd.op not in _OF_ACCOUNT or not self._is_other_account(identity):
            self._reply(link, answer)

    def _reply(self, link: object, messages: Sequence[Message]) -> None:
        self._tell([Reply(link, messages)])

    def _answer(self, cmd: Cmd, result: Callable[[Cmd], Any]) -> list[Res]:
        try:
            return split_result(cmd.id, result(cmd))
        except PackageError as error:
            said = Failed(INTERNAL_ERROR, str(error))
        except Failed as failed:
            said = failed
        return [Res(id=cmd.id, ok=False, err=said.err, msg=str(said))]

    def _result(self, cmd: Cmd) -> Any:
        if cmd.op not in COMMANDS:
            raise Failed(NOT_SUPPORTED, "unknown command")
        match cmd.params:
            case msgspec.UnsetType():
                raise Failed(INVALID_PARAMETER, f"the params of {cmd.op} are malformed")
            case commands.WatchParams():
                return self._streams.watch(cmd.params)
            case commands.ResultsParams():
                return self.results.look_up(_ids(cmd.params))
        match cmd.op:
            case commands.TRAIL_SET.op:
                trail = self._trails.set(cast("Any", cmd.params))
                if trail is None:
                    raise Failed(NO_POSITION, "there is no such position")
                return trail
            case commands.TRAILS_GET.op:
                asked = cast("commands.FilterParams", cmd.params)
                return self._trails.get(asked.symbol, asked.ticket)
            case commands.LEASE_SET.op:
                return self.lease.set(cast("Any", cmd.params))
            case commands.LEASE_GET.op:
                return self.lease.get()
        return self._questions.answer(cmd.op, cmd.params)

    def _trade(self, cmd: Cmd, link: object, identity: Identity, came_s: float) -> None:
        if self._is_other_account(identity):
            _log.warning("command %d was meant for another account: not executed", cmd.id)
            return
        self._reply(link, [Ack(id=cmd.id)])
        waited_ms = (host.monotonic_s() - came_s) * 1000
        answer = execute_once(
            cmd, self.results, waited_ms, lambda c: self._send(c, identity, came_s)
        )
        self._reply(link, answer)
        self._due.pop("switches", None)
        self._tell_all(self._watch.look(at_history=True))

    def _is_other_account(self, identity: Identity) -> bool:
        try:
            return self._state.look().identity != identity
        except PackageError:
            return False  # the desk looks again: it is asked for the account once more then

    def _send(self, cmd: Cmd, identity: Identity, came_s: float) -> list[Res]:
        def check() -> None:
            # by the look that the desk has just made: the one before it may have failed
            if self._state.identity != identity:
                raise Failed(TOO_LATE, "the terminal is logged in to another account by now")
            # the looks before it may have taken long
            if 0 < cmd.ttl < (host.monotonic_s() - came_s) * 1000:
                raise Failed(TOO_LATE, f"the command was to begin within {cmd.ttl} ms")

        def send(cmd: Cmd) -> Any:
            request = cmd.params
            if not isinstance(request, TradeRequest):
                raise Failed(INVALID_PARAMETER, f"the params of {cmd.op} are malformed")
            result = self._desk.trade(request, check)
            self.lease.note(request, result)
            return result

        return self._answer(cmd, send)


_OF_ACCOUNT = frozenset(
    command.op
    for command in (
        commands.POSITIONS_GET,
        commands.ORDERS_GET,
        commands.HISTORY_ORDERS_GET,
        commands.HISTORY_DEALS_GET,
        commands.ORDER_CHECK,
        commands.TRAIL_SET,
        commands.LEASE_SET,
    )
)
"""Questions about the account that a link is about."""


def _nothing() -> None:
    """Do no job: it is time for a look."""


def _too_late(cmd: Cmd) -> Res:
    said = f"the command was to begin within {cmd.ttl} ms"
    return Res(id=cmd.id, ok=False, err=TOO_LATE, msg=said)


def _ids(params: commands.ResultsParams) -> list[int]:
    ids = parse_ids(params.ids, commands.MAX_RESULTS)
    if ids is None:
        said = f"1 to {commands.MAX_RESULTS} ids, with commas between them"
        raise Failed(INVALID_PARAMETER, said)
    return ids
