"""The daemon: its parts, wired, and their start and end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import orjson

from ea_bridge.host import wall_ms
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import BridgeServer
from ea_bridge.sockets import bind_loopback
from gateway import __version__
from gateway.accounts import AccountBook
from gateway.accounts.api import AccountsApi
from gateway.accounts.console_calls import ConsoleCalls
from gateway.accounts.service import AccountsService
from gateway.audit.service import AuditService, note_denied, note_terminal
from gateway.auth.caller import Caller
from gateway.auth.console_clock import Clocks
from gateway.auth.console_snapshot import ConsoleBook
from gateway.auth.gate import Gate, TerminalDoor
from gateway.background import background
from gateway.config import Config
from gateway.console_link import LinkTimings, StoppedCounts, Uplink
from gateway.console_link.http import ConsoleFailure
from gateway.credentials.device import device_words
from gateway.home.drain import drained
from gateway.home.home import Home
from gateway.home.home_console import MadeBy
from gateway.home.ledger import open_ledger
from gateway.http.mount import LazyDocument
from gateway.http.websocket_frames import CloseCode
from gateway.live_page.api import PAGE, LivePageApi, figures
from gateway.live_page.sessions import PageSessions
from gateway.metrics.api import MetricsApi
from gateway.metrics.readings import Reading, Sources, read_all
from gateway.notify.secrets import NotifySecrets
from gateway.options import ManagerReady, Ready
from gateway.paper.guarded_terminals import GuardedTerminals
from gateway.rpc import asyncapi, openrpc
from gateway.rpc.alerts import AlertCalls
from gateway.rpc.methods.service import welcome
from gateway.rpc.server import WebServer
from gateway.runtime import ConsoleView, RuntimeInfo
from gateway.storage.ledger import NewGroupWriter, WritingThread
from gateway.storage.reserve import Reserve

from .catalogue import build_catalogue

if TYPE_CHECKING:
    from gateway.mt4_manager.service import ManagerService
    from gateway.notify.service import NotifyService
    from gateway.rpc.remote import RemoteListening

PASSING = frozenset({"lease_expired", "device_pending"})
"""Reasons to refuse a token that end without a new token."""

logger = logging.getLogger(__name__)


class Gateway:
    """The daemon: its parts, wired, and their start and end.

    Making it opens the ledger and binds the ports of the API; :meth:`run` closes both at its end.
    Must be made in a running loop.

    Args:
        home: opened; stays the caller's to close.
        config: ports and limits.
        made_by: the command that runs it.
        clocks: of this machine; those of its console's time.
        pace: of the link to the console.
        on_point: called where a crash would leave something else behind; for tests that crash.
        reserve: of the home's disk; while it is given up nothing new is put at risk.
        new_writer: makes what writes to the ledger what the loop does not; for a simulation.

    Raises:
        WrongHome: the home has a console, and the configuration names none.
        ConfigError: a notification has no secret, or nowhere to go; or the certificate for other
            machines cannot be used.
        StoreError: the ledger cannot be used; the message says what to do.
        OSError: a port is taken.

    """

    terminals_type: ClassVar[type[GuardedTerminals]] = GuardedTerminals
    """Another one for a bench."""

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
        self._home, self._config = home, config
        self._clocks = clocks or Clocks()
        self._console = console_book(home, config, self._clocks, made_by)
        self.registry = TerminalRegistry(wall_ms)
        self.gate = new_gate(home, self._console, self.registry)
        self.accounts = AccountBook(home.store, home.box, owner_of=self.gate.owner)
        # closed again if a later part cannot be made; else run() closes them
        with contextlib.ExitStack() as opened:
            ledger = self.ledger = open_ledger(home.folder, reserve, new_writer)
            opened.callback(ledger.close)
            # bound early: the parts below want to know the port, and a taken one is told at once
            sockets = bind_loopback(config.api.port)
            for bound in sockets:
                opened.callback(bound.close)
            self._remote = self._listen_remote()
            if self._remote is not None:
                opened.callback(self._remote.sock.close)
            self._trail = AuditService(
                ledger, folder=home.folder, store=home.store, device=home.device
            )
            self.audit = self._trail.audit
            self.trading = self.terminals_type(
                ledger,
                self.audit,
                registry=self.registry,
                gate=self.gate,
                accounts=self.accounts,
                config=config,
                on_point=on_point,
            )
            self.account_service = self._new_account_service()
            self.manager = self._new_manager()
            self.uplink = None if self._console is None else self._new_uplink(self._console, pace)
            self._info = self._new_info(sockets[0].getsockname()[1])
            self._sessions = PageSessions(self.gate.recheck, self._end_page_caller)
            self._web = self._new_web(sockets)
            self._bridge = self._new_bridge()
            self._notify = self._new_notify()
            self._opened = opened.pop_all()

    # --- parts -----------------------------------------------------------------------------

    def _listen_remote(self) -> RemoteListening | None:
        settings = self._config.api.remote
        if not settings.listen:
            return None
        # a twentieth of the start: certificates are for those alone whom other machines call
        from gateway.rpc.remote_listening import listen_remote

        return listen_remote(settings, self._home.folder)

    def _new_account_service(self) -> AccountsService:
        return AccountsService(
            self.accounts,
            self.ledger,
            registry=self.registry,
            gate=self.gate,
            switch=self.trading.kill_switch.switch,
            audit=self.audit,
            guarded=self.trading.terminal,
        )

    def _new_manager(self) -> ManagerService | None:
        if not self._config.manager.peer:
            return None
        # a quarter of the start's time, for those alone who have a manager
        from gateway.mt4_manager.service import ManagerService

        return ManagerService(
            self.ledger,
            self.audit,
            self._config.manager,
            store=self._home.store,
            box=self._home.box,
            max_body=self._config.limits.max_message_bytes,
        )

    def _new_info(self, port: int) -> RuntimeInfo:
        return RuntimeInfo(
            boot=self.audit.boot,
            limits=self._config.limits,
            rpc_url=f"http://127.0.0.1:{port}/rpc",
            ws_url=f"ws://127.0.0.1:{port}/ws",
            console=_no_console if self.uplink is None else self.uplink.view,
        )

    def _new_web(self, sockets: Sequence[socket.socket]) -> WebServer:
        config, info, catalogue = self._config, self._info, build_catalogue()
        calls = partial(
            openrpc.openrpc_document, catalogue, rpc_url=info.rpc_url, ws_url=info.ws_url
        )
        streams = partial(asyncapi.asyncapi_document, catalogue, ws_url=info.ws_url)
        live_page = LivePageApi(
            self._sessions,
            port=sockets[0].getsockname()[1],
            audit=self.audit,
            figures=self._figures,
            console=config.console.url,
        )
        return WebServer(
            sockets,
            catalogue=catalogue,
            gate=self.gate,
            streams=self.trading.streams,
            daemon=info,
            terminal_for=self.trading.terminal_for,
            state_of=self.trading.state_of,
            safeguards=self.trading.kill_switch.safeguards,
            openrpc=LazyDocument(lambda: orjson.dumps(calls())),
            asyncapi=LazyDocument(lambda: orjson.dumps(streams())),
            hosts=config.api.allowed_hosts,
            origins=config.api.allowed_origins,
            audit=self.audit,
            apis=(
                AccountsApi(self.account_service.services, config.limits.max_message_bytes),
                *(() if self.manager is None else (self.manager.api,)),
                MetricsApi(self._read_metrics),
                live_page,
            ),
            page_sessions=live_page,
            remote=self._remote,
            note_login=None if self.uplink is None else self.uplink.logins.note,
            welcome=welcome,
        )

    def _read_metrics(self, caller: Caller) -> list[Reading]:
        sources = Sources(
            info=self._info,
            web=self._web,
            gate=self.gate,
            registry=self.registry,
            trading=self.trading,
            ledger=self.ledger,
        )
        return read_all(sources, caller)

    def _figures(self, caller: Caller) -> Mapping[str, Any]:
        account = self.trading.terminal_for(caller).account
        unknown = [] if account is None else self.trading.reconcile.log.doubtful(account)
        return figures(self._read_metrics(caller), unknown)

    def _end_page_caller(self, caller: Caller) -> None:
        self._web.end_caller(caller, "signed_out")

    def _new_uplink(self, console: ConsoleBook, pace: LinkTimings | None) -> Uplink:
        settings, services = self._config.console, self.account_service.services
        return Uplink(
            self._config.console.url,
            device=self._home.device,
            console=console,
            gate=self.gate,
            registry=self.registry,
            managers=None if self.manager is None else self.manager.registry,
            version=__version__,
            count=self._count,
            clocks=self._clocks,
            pace=pace,
            trail=self._trail,
            # the web server is made later, and makes its calls
            alerts=(
                AlertCalls(lambda: self._web.context, self.gate)
                if settings.accept_alerts
                else None
            ),
            calls=ConsoleCalls(
                AccountsApi(services, self._config.limits.max_message_bytes),
                services,
                self.registry,
                self.gate,
                manages=settings.manage_accounts,
            ),
        )

    def _new_bridge(self) -> BridgeServer:
        manager, last_command_id = self.manager, self.trading.reconcile.log.last_command_id
        if manager is not None:
            last_command_id = max(last_command_id, manager.last_command_id)
        return BridgeServer(
            TerminalDoor(self.gate),
            self.registry,
            device_id=self._home.device.did,
            callbacks=self.trading.callbacks,
            port=self._config.bridge.port,
            enroller=None if self.uplink is None else self.uplink.enroller,
            first_command_id=last_command_id + 1,
            managers=None if manager is None else manager.registry,
            manager_callbacks=None if manager is None else manager.callbacks,
            on_denied=self._note_denied,
        )

    def _new_notify(self) -> NotifyService | None:
        settings = self._config.notify
        if not settings.events:
            return None
        # for those alone who are told of something
        from gateway.app.notify import transports_of
        from gateway.notify.service import NotifyService

        secrets = NotifySecrets(self._home.store, self._home.box)
        return NotifyService(
            settings,
            transports_of(self._config, self._home.folder, secrets),
            home=self._home.folder,
            gateway=self._home.device.did,
            ledger=self.ledger,
            registry=self.registry,
            streams=self.trading.streams,
        )

    # --- start and end ---------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator[Ready]:
        """Listen while the context lasts; yields where. A gateway runs once.

        Raises:
            StoreError: the ledger cannot be used; the message says what to do.
            OSError: a port is taken.

        """
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(self._opened)
            await stack.enter_async_context(self._trail.running(self._config))
            if self.ledger.is_check_due:
                await stack.enter_async_context(background(self.ledger.check_integrity()))
            # before any door opens: journal and kill switch stand before the first order
            await stack.enter_async_context(self.trading.running())
            stack.callback(self.registry.subscribe(partial(note_terminal, self.audit)))
            if self.uplink is not None:
                await stack.enter_async_context(background(self.uplink.run()))
                await asyncio.sleep(0)  # let it open its session before a terminal may need it
            if self.manager is not None:
                await stack.enter_async_context(self.manager.running())
            if self._notify is not None:
                await stack.enter_async_context(self._notify.running())
            # terminals before callers: who calls at once finds those that are quick
            await stack.enter_async_context(self._bridge)
            await stack.enter_async_context(self.account_service.running())
            stack.callback(self._sessions.close)
            # before it starts: one that starts half is stopped as well
            stack.push_async_callback(self._web.stop)
            await self._web.start()
            # before the web server lets all connections go: that is no disconnect of theirs
            stack.callback(self.trading.kill_switch.stop_timers)
            # never taken off: the console may revoke a token until the link to it has ended
            self.gate.on_change(self._end_token)
            await stack.enter_async_context(background(self.gate.watch(self._home.issuer.renew)))
            yield self._ready()

    async def sync(self) -> None:
        """Fetch what the console says now; nothing where there is none, or while it is silent."""
        if self.uplink is not None:
            try:
                await self.uplink.sync()
            except ConsoleFailure as failure:
                logger.warning("%s", failure)

    def sign_in_link(self, auth_token: str, lifetime_s: float) -> str:
        """Return the address of the live page that signs in once, and may trade.

        Raises:
            Unauthorized: the token opens nothing.

        """
        caller = self.gate.admit(auth_token)
        code = self._sessions.new_code(caller, trade=True, lifetime_s=lifetime_s)
        # behind "#": browsers send that to nobody
        return f"{self._info.rpc_url.removesuffix('/rpc')}{PAGE}#code={code}"

    # --- drain -----------------------------------------------------------------------------

    async def until_drained(self) -> None:
        """Return once ``mt-gateway drain`` has asked, and no order is under way any more.

        From then on no bytes of a trade are written: whoever waited for it has to end the run.

        Raises:
            StoreError: the ledger is damaged; whoever waited has to end the run as well.

        """
        drain = self.trading.kill_switch.switch.drain
        await drained(
            self._home.folder, drain, self._trades_under_way, audit=self.audit, ledger=self.ledger
        )

    def _trades_under_way(self) -> int:
        """Calls, sweeps, links and a manager's changes that change an account, and trades that a
        terminal has not answered.
        """
        own = self.trading.kill_switch.sweeping + self.trading.contingent.cancelling
        manager = 0 if self.manager is None else self.manager.changes.under_way
        trades = sum(session.trades_in_flight for session in self.registry.sessions())
        return self._web.changing + own + manager + trades

    def _ready(self) -> Ready:
        info, url = self._info, self._config.console.url
        api = info.rpc_url.removesuffix("/rpc") + "/api"
        return Ready(
            rpc=info.rpc_url,
            ws=info.ws_url,
            bridge=f"127.0.0.1:{self._bridge.port}",
            home=str(self._home.folder),
            remote=None if self._remote is None else self._remote.url,
            remote_pin=None if self._remote is None else self._remote.pin,
            live_page=info.rpc_url.removesuffix("/rpc") + PAGE,
            console=url or None,
            device=device_words(self._home.device.did) if url else None,
            manager=None if self.manager is None else ManagerReady(url=api),
        )

    # --- tokens ----------------------------------------------------------------------------

    def _end_token(self, tid: str, reason: str) -> None:
        """End the connections of a token that has lost its rights."""
        # the note first: closing connections writes notes of its own
        self.audit.record("token_ended", object=tid, reason=reason)
        self.trading.streams.end_token(tid, CloseCode.TOKEN_REVOKED, reason)
        # what may be over in a moment is no reason for an EA to stay away
        self._bridge.close_token(tid, "shutdown" if reason in PASSING else reason)

    def _note_denied(self, tid: str, code: str) -> None:
        """Note that a terminal was not let in, here and for the console's pages."""
        note_denied(self.audit, tid, code)
        if self.uplink is not None and tid:
            self.uplink.logins.note(tid, "terminal", code)

    def _count(self, tids: frozenset[str]) -> StoppedCounts:
        """Count what is open of tokens, for the console."""
        sessions = [found for found in self.registry.sessions() if found.hello.tid in tids]
        return StoppedCounts(
            ws=self._web.websockets_of(tids),
            bridge=len(sessions),
            orders=sum(session.trades_in_flight for session in sessions),
        )


def _no_console(_tid: str) -> ConsoleView | None:
    return None


def console_book(
    home: Home, config: Config, clocks: Clocks, made_by: MadeBy = "serve"
) -> ConsoleBook | None:
    """Return what the console says of tokens; ``None`` where the home has its own issuer.

    Raises:
        WrongHome: the home has a console, and the configuration names none.

    """
    settings = config.console
    if home.claim_console(settings, made_by) is None:
        return None
    strict = settings.offline_mode == "strict"
    return home.console(settings.root, strict=strict, clocks=clocks)


def new_gate(home: Home, console: ConsoleBook | None, registry: TerminalRegistry) -> Gate:
    """Return the gate that decides about callers, by what the console says where there is one."""
    if console is None:
        return Gate(home.book(), home.device.did)

    def is_waiting(tid: str) -> bool:
        return any(session.hello.tid == tid for session in registry.pending())

    return Gate(
        console.book,
        home.device.did,
        console.now_s,
        leases=console.leases,
        is_waiting=is_waiting,
    )
