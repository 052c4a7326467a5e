"""The daemon: its parts, wired, and their start and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

import orjson

from ea_bridge.commands import Command
from ea_bridge.host import wall_ms
from ea_bridge.loopback import bind_loopback
from ea_bridge.model.struct import Struct
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import BridgeServer
from ea_bridge.session import SessionCallbacks
from gateway.accounts import AccountBook
from gateway.accounts.api import AccountsApi
from gateway.accounts.caller_limits import LimitsBook
from gateway.accounts.service import AccountsService
from gateway.audit import Audit
from gateway.audit.service import AuditService, note_terminal
from gateway.auth.caller import Caller
from gateway.auth.console_clock import Clocks
from gateway.auth.gate import TerminalDoor
from gateway.broker_time.broker_clocks import BrokerClocks
from gateway.config import Config
from gateway.console_link import LinkTimings, Uplink
from gateway.console_link.errors import ConsoleFailure
from gateway.credentials.daemon_api import Way
from gateway.credentials.device import device_words
from gateway.credentials.tier import Tier
from gateway.home.home import Home
from gateway.home.home_console import MadeBy
from gateway.home.ledger import open_ledger
from gateway.http.mount import LazyDocument
from gateway.http.websocket_frames import CloseCode
from gateway.mt4_manager.service import ManagerService
from gateway.options import ManagerReady, Ready
from gateway.rpc import openrpc
from gateway.rpc.methods.service import welcome
from gateway.rpc.server import WebServer
from gateway.runtime import Daemon
from gateway.storage.ledger import Ledger
from gateway.storage.ledger_writer import NewGroupWriter, WritingThread
from gateway.storage.reserve import Reserve
from gateway.streams.service import Streams
from gateway.trading.account_state import AccountState
from gateway.trading.contingent.service import ContingentService, with_held
from gateway.trading.kill_switch.service import KillSwitchService
from gateway.trading.reconcile.service import ReconcileService
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

from .catalogue import build_catalogue
from .gating import console_book, new_gate
from .paper import PaperTrading
from .uplink import console_view, denial_noted, new_uplink

PASSING = frozenset({"lease_expired", "device_pending"})
"""Reasons to refuse a token that end without a new token."""

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
logger = logging.getLogger(__name__)


class Gateway:
    """The daemon: its parts, wired, and their start and end.

    Args:
        home: opened; stays the caller's to close.
        config: ports and limits.
        made_by: the command that runs it.
        clocks: of this machine; those of its console's time.
        pace: of the link to the console.
        on_point: called where a crash would leave something else behind; for tests that crash.
        reserve: of the home's disk; while it is given up nothing new is put at risk.
        new_writer: makes what writes to the ledger what the loop does not; for a simulation.

    """

    def __init__(
        self,
        home: Home,
        config: Config,
        *,
        made_by: MadeBy = "serve",
        clocks: Clocks | None = None,
        pace: LinkTimings | None = None,
        on_point: Callable[[str], None] | None = None,
        reserve: Reserve | None = None,
        new_writer: NewGroupWriter = WritingThread,
    ) -> None:
        self._home, self._new_writer = home, new_writer
        self._reserve = reserve
        self._config = config
        self._machine_clocks = clocks or Clocks()
        self._pace = pace
        self._clocks = BrokerClocks()
        self._states: dict[str, TradingState] = {}
        self._ledger: Ledger | None = None
        self._audit = Audit()
        self._trail: AuditService
        self._kill_switch: KillSwitchService
        self._on_point = on_point
        self._reconcile: ReconcileService
        self._contingent: ContingentService
        self._paper: PaperTrading
        self.registry = TerminalRegistry(wall_ms)
        self._console = console_book(home, config, self._machine_clocks, made_by)
        self.gate = new_gate(home, self._console, self.registry)
        self.accounts = AccountBook(home.store, home.box, owner_of=self.gate.owner)
        """The registered accounts, and what they may do."""
        self.followed: AccountsService
        """What is done for them while the gateway runs."""
        self._limits = LimitsBook(config.trading, self.gate.limits, self.accounts.of_terminal)
        self.manager: ManagerService | None = None
        """The manager API while the gateway runs; ``None`` where it is not configured."""
        self.uplink: Uplink | None = None
        """The link to the console while the gateway runs; ``None`` where it needs none."""

    async def sync(self) -> None:
        """Fetch what the console says now; nothing where there is none, or while it is silent."""
        if self.uplink is not None:
            try:
                await self.uplink.sync()
            except ConsoleFailure as failure:
                logger.warning("%s", failure)

    @property
    def ledger(self) -> Ledger:
        """Orders and the audit trail; open while the gateway runs."""
        assert self._ledger is not None, "the gateway does not run"
        return self._ledger

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Ready]:
        """Listen while the context lasts; yields where.

        Raises:
            StoreError: the ledger cannot be used; the message says what to do.

        """
        opened = open_ledger(self._home.folder, self._reserve, self._new_writer)
        with contextlib.closing(opened) as self._ledger:
            self._trail = AuditService(
                self._ledger,
                folder=self._home.folder,
                store=self._home.store,
                device=self._home.device,
            )
            self._audit = self._trail.audit
            async with self._trail.running(self._config):
                self._states.clear()
                alone = partial(self._guarded, still_allowed=_nobody)
                self._paper = PaperTrading(
                    self._ledger,
                    self.registry,
                    self.accounts.of_terminal,
                    self._clocks.of,
                    self._audit,
                )
                streams = self._new_streams()
                self._kill_switch = KillSwitchService(
                    self._ledger,
                    self._audit,
                    self.registry,
                    alone,
                    streams.announce,
                    self._state_of,
                    self._paper.is_on,
                )
                self._reconcile = ReconcileService(
                    self._ledger,
                    self.registry,
                    partial(alone, paper=False),
                    self._audit,
                    streams.settled,
                    self._on_point,
                    partial(alone, paper=True),
                    self._paper.is_on,
                )
                self._account_state = AccountState(
                    self._reconcile.log, self._ledger, self.registry
                )
                async with self._kill_switch.running(), self._listening(streams) as ready:
                    yield ready

    @asynccontextmanager
    async def _listening(self, streams: Streams) -> AsyncIterator[Ready]:
        config, catalogue = self._config, build_catalogue()
        self.registry.subscribe(partial(self._clocks.linked, streams.clock_changed))
        self.registry.subscribe(streams.change)
        self._contingent = self._new_keepers(streams)
        accounts = self.followed = self._registered_accounts()
        manager = self.manager = self._new_manager()
        sockets = bind_loopback(config.api.port)
        port = sockets[0].getsockname()[1]
        daemon = Daemon(
            boot=self._audit.boot,
            limits=config.limits,
            rpc_url=f"http://127.0.0.1:{port}/rpc",
            ws_url=f"ws://127.0.0.1:{port}/ws",
            console=lambda tid: console_view(self.uplink, self._console, self.gate, tid),
        )
        document = partial(
            openrpc.openrpc_document, catalogue, rpc_url=daemon.rpc_url, ws_url=daemon.ws_url
        )
        web = WebServer(
            sockets,
            catalogue=catalogue,
            gate=self.gate,
            streams=streams,
            daemon=daemon,
            terminal_for=self._terminal_for,
            state_of=self._state_of,
            safeguards=self._kill_switch.safeguards,
            openrpc=LazyDocument(lambda: orjson.dumps(document())),
            hosts=config.api.allowed_hosts,
            origins=config.api.allowed_origins,
            audit=self._audit,
            apis=(
                AccountsApi(accounts.services, config.limits.max_message_bytes),
                *(() if manager is None else (manager.api,)),
            ),
            note_login=self._note_login,
            welcome=welcome,
        )
        uplink = self.uplink = new_uplink(
            self._home,
            config,
            self._console,
            gate=self.gate,
            registry=self.registry,
            managers=None if manager is None else manager.registry,
            websockets_of=web.websockets_of,
            clocks=self._machine_clocks,
            pace=self._pace,
            trail=self._trail,
        )
        bridge = self._bridge(streams, uplink, manager)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(streams.close)
            stack.enter_context(self._contingent.running())
            await stack.enter_async_context(self._reconcile.running())
            watching_paper = self._paper.watching(
                streams, self._contingent, self._kill_switch.leases.look
            )
            await stack.enter_async_context(watching_paper)
            stack.callback(self.registry.subscribe(partial(note_terminal, self._audit)))
            if uplink is not None:
                linking = asyncio.create_task(uplink.run())
                stack.push_async_callback(_ended, linking)
                await asyncio.sleep(0)  # let it open its session before a terminal may need it
            if manager is not None:
                await stack.enter_async_context(manager.running())
            await stack.enter_async_context(bridge)
            await stack.enter_async_context(accounts.running())
            stack.push_async_callback(web.stop)
            await web.start()
            stack.callback(self._kill_switch.rest)  # before the web server lets all connections go
            self._end_tokens(bridge, streams)
            watching = asyncio.create_task(self.gate.watch(self._home.issuer.renew))
            stack.callback(watching.cancel)
            yield Ready(
                rpc=daemon.rpc_url,
                ws=daemon.ws_url,
                bridge=f"127.0.0.1:{bridge.port}",
                home=str(self._home.folder),
                console=config.console.url or None,
                device=device_words(self._home.device.did) if config.console.url else None,
                manager=None
                if manager is None
                else ManagerReady(url=daemon.rpc_url.removesuffix("/rpc") + "/api"),
            )

    def _new_manager(self) -> ManagerService | None:
        if not self._config.manager.peer:
            return None
        return ManagerService(
            self.ledger,
            self._audit,
            self._config.manager,
            store=self._home.store,
            box=self._home.box,
            max_body=self._config.limits.max_message_bytes,
        )

    def _registered_accounts(self) -> AccountsService:
        return AccountsService(
            self.accounts,
            self.ledger,
            registry=self.registry,
            gate=self.gate,
            switch=self._kill_switch.switch,
            audit=self._audit,
            guarded=self._guarded,
        )

    def _new_streams(self) -> Streams:
        return Streams(
            boot=self._audit.boot,
            clock=asyncio.get_running_loop(),
            now_ms=wall_ms,
            ask=self._ask,
            clock_of=self._clocks.of,
            max_channels=self._config.limits.max_channels,
        )

    def _new_keepers(self, streams: Streams) -> ContingentService:
        return ContingentService(
            self.ledger,
            self._audit,
            registry=self.registry,
            gate=self.gate,
            streams=streams,
            clock=self._clocks.of,
            guarded=self._guarded,
            state_of=self._state_of,
        )

    def _bridge(
        self, streams: Streams, uplink: Uplink | None, manager: ManagerService | None
    ) -> BridgeServer:
        return BridgeServer(
            TerminalDoor(self.gate),
            self.registry,
            device_id=self._home.device.did,
            callbacks=SessionCallbacks(
                on_event=self._paper.event,
                on_clock=partial(self._clocks.beat, streams.clock_changed),
                on_late_result=self._reconcile.late,
            ),
            port=self._config.bridge.port,
            introducer=None if uplink is None else uplink.introducer,
            first_command_id=1
            + max(
                self._reconcile.log.last_command_id,
                0 if manager is None else manager.last_command_id,
            ),
            managers=None if manager is None else manager.registry,
            manager_callbacks=None if manager is None else manager.callbacks,
            on_denied=denial_noted(self._audit, uplink),
        )

    # --- tokens ----------------------------------------------------------------------------

    def _note_login(self, tid: str, way: Way, reason: str, agent: str) -> None:
        if self.uplink is not None:
            self.uplink.logins.note(tid, way, reason, agent)

    def _end_tokens(self, bridge: BridgeServer, streams: Streams) -> None:
        """Have a token that loses its rights lose its connections as well."""

        def end(tid: str, reason: str) -> None:
            self._audit.record("token_ended", object=tid, reason=reason)
            streams.end_token(tid, CloseCode.TOKEN_REVOKED, reason)
            # what may be over in a moment is no reason for an EA to stay away
            bridge.close_token(tid, "shutdown" if reason in PASSING else reason)

        self.gate.on_change(end)

    # --- terminals -------------------------------------------------------------------------

    def _terminal_for(self, caller: Caller) -> GuardedTerminal:
        return self._guarded(
            caller.terminal, lambda tier: self.gate.recheck(caller, tier), caller.tid
        )

    async def _ask(self, terminal: str, command: Command[P, R], params: P, /) -> R:
        """Ask for the streams, which only read: no caller stands behind them."""
        guarded = self._guarded(terminal, _nobody)
        return with_held(self._state_of(guarded), command, await guarded.request(command, params))

    def _guarded(
        self,
        name: str,
        still_allowed: Callable[[Tier], None],
        tid: str | None = None,
        paper: bool | None = None,
    ) -> GuardedTerminal:
        """Make the way to a terminal: to its market or its paper broker as the switch stands now,
        or (``paper``) to one of them however it stands.
        """
        on_paper = self._paper.is_on(name) if paper is None else paper
        state = self._state(name)
        return GuardedTerminal(
            name,
            session=lambda: self._paper.session(name, paper=on_paper, forced=paper is not None),
            facts=lambda: self._paper.facts(name, paper=on_paper),
            clock=self._clocks.of(name),
            journal=state.journal,
            switch=self._kill_switch.switch.of(name),
            still_allowed=self._paper.looking(name, still_allowed),
            limits=lambda: self._limits.of(self.registry.facts(name), tid),
            paper=on_paper,
        )

    def _state_of(self, terminal: GuardedTerminal) -> TradingState:
        """Return what all callers of a terminal share: another state on paper."""
        state = self._state(terminal.name)
        return self._paper.state(terminal.name, state) if terminal.is_paper else state

    def _state(self, terminal: str) -> TradingState:
        state = self._states.get(terminal)
        if state is None:
            turns = self._account_state.turns(terminal)
            state = self._states[terminal] = TradingState(
                turns=turns,
                contingent=self._contingent.of(terminal, turns),
                journal=self._reconcile.of(terminal),
                checks=self._account_state.checks(),
            )
        return state


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _nobody(_: Tier) -> None:
    """No caller whose rights could end."""
