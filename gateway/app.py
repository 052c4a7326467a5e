"""Composition root: the only file that knows every part."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import orjson

from ea_bridge.commands import Command
from ea_bridge.emulator.faults import Faults
from ea_bridge.emulator.link import Link
from ea_bridge.emulator.machine import build_terminal
from ea_bridge.emulator.market import parse_ticks_option
from ea_bridge.loopback import bind_loopback
from ea_bridge.model.struct import Struct
from ea_bridge.registry import TerminalRegistry
from ea_bridge.server import BridgeServer
from ea_bridge.session import LateResult, SessionCallbacks, TerminalSession
from ea_bridge.token import parse_token
from gateway import openrpc
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate, TerminalDoor
from gateway.auth.home import Home
from gateway.catalogue import Catalogue
from gateway.clock import BrokerClock
from gateway.config import Config, load
from gateway.credentials.issuer import IssuerError
from gateway.credentials.key_store import key_store
from gateway.daemon import Daemon, wall_ms
from gateway.methods import (
    account,
    calculations,
    history,
    market,
    orders,
    positions,
    service,
    subscriptions,
    symbols,
    terminal,
)
from gateway.options import Announce, DemoOptions, EmulatorOptions, Ready, ServeOptions
from gateway.streams.service import Streams
from gateway.trading.guard import GuardedTerminal
from gateway.trading.turns import Turns
from gateway.web.server import WebServer
from gateway.web.ws.frames import CloseCode

DEMO_TERMINAL = "demo"

P = TypeVar("P", bound=Struct)
R = TypeVar("R")
logger = logging.getLogger(__name__)


def build_catalogue() -> Catalogue:
    """Return everything that a caller can ask, in the order of the reference."""
    return Catalogue(
        account,
        terminal,
        symbols,
        market,
        positions,
        orders,
        calculations,
        history,
        subscriptions,
        service,
    )


def openrpc_document() -> bytes:
    """Return the OpenRPC document of the default configuration, to be read by people."""
    return orjson.dumps(openrpc.openrpc_document(build_catalogue()), option=orjson.OPT_INDENT_2)


class Gateway:
    """The daemon: its parts, wired, and their start and end.

    Args:
        home: opened; stays the caller's to close.
        config: ports and limits.

    """

    def __init__(self, home: Home, config: Config) -> None:
        self._home = home
        self._config = config
        self._device = device_id(home)
        self._clocks: dict[str, BrokerClock] = {}
        self._turns: dict[str, Turns] = {}
        self.registry = TerminalRegistry(wall_ms)
        self.gate = Gate(home.book(), self._device)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Ready]:
        """Listen while the context lasts; yields where."""
        config, catalogue = self._config, build_catalogue()
        sockets = bind_loopback(config.api.port)
        port = sockets[0].getsockname()[1]
        daemon = Daemon(
            boot=secrets.token_urlsafe(6),
            limits=config.limits,
            rpc_url=f"http://127.0.0.1:{port}/rpc",
            ws_url=f"ws://127.0.0.1:{port}/ws",
        )
        streams = self._streams(daemon)
        bridge = self._bridge(streams)
        web = WebServer(
            sockets,
            catalogue=catalogue,
            gate=self.gate,
            streams=streams,
            daemon=daemon,
            terminal_for=self._terminal_for,
            openrpc=orjson.dumps(
                openrpc.openrpc_document(catalogue, rpc_url=daemon.rpc_url, ws_url=daemon.ws_url)
            ),
            hosts=config.api.allowed_hosts,
            origins=config.api.allowed_origins,
        )
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(streams.close)
            await stack.enter_async_context(bridge)
            stack.push_async_callback(web.stop)
            await web.start()
            self._end_tokens(bridge, streams)
            watching = asyncio.create_task(self.gate.watch(self._home.issuer.renew))
            stack.callback(watching.cancel)
            yield Ready(
                rpc=daemon.rpc_url,
                ws=daemon.ws_url,
                bridge=f"127.0.0.1:{bridge.port}",
                home=str(self._home.folder),
            )

    def _streams(self, daemon: Daemon) -> Streams:
        streams = Streams(
            boot=daemon.boot,
            clock=asyncio.get_running_loop(),
            now_ms=wall_ms,
            ask=self._ask,
            clock_of=self._clock,
            max_channels=daemon.limits.max_channels,
        )
        self.registry.subscribe(streams.change)
        return streams

    def _bridge(self, streams: Streams) -> BridgeServer:
        def on_clock(session: TerminalSession, tcur: int, tgmt: int) -> None:
            if self._clock(session.terminal).observe(tcur, tgmt):
                streams.clock_changed(session.terminal)

        return BridgeServer(
            TerminalDoor(self.gate),
            self.registry,
            device_id=self._device,
            callbacks=SessionCallbacks(
                on_event=streams.event, on_clock=on_clock, on_late_result=_note_late
            ),
            port=self._config.bridge.port,
        )

    # --- tokens ----------------------------------------------------------------------------

    def _end_tokens(self, bridge: BridgeServer, streams: Streams) -> None:
        """Have a token that loses its rights lose its connections as well."""

        def end(tid: str, reason: str) -> None:
            streams.end_token(tid, CloseCode.TOKEN_REVOKED, reason)
            label = self.gate.label(tid)
            if label is not None:
                bridge.close_terminal(label, "revoked")

        self.gate.on_change(end)

    # --- terminals -------------------------------------------------------------------------

    def _terminal_for(self, caller: Caller) -> GuardedTerminal:
        return self._guarded(caller.terminal, lambda: self.gate.recheck(caller))

    async def _ask(self, terminal: str, command: Command[P, R], params: P, /) -> R:
        """Ask for the streams, which only read: no caller stands behind them."""
        return await self._guarded(terminal, _nobody).request(command, params)

    def _guarded(self, name: str, still_allowed: Callable[[], None]) -> GuardedTerminal:
        return GuardedTerminal(
            name,
            session=lambda: self.registry.get(name),
            facts=lambda: self.registry.facts(name),
            clock=self._clock(name),
            turns=self._turns.setdefault(name, Turns()),
            still_allowed=still_allowed,
        )

    def _clock(self, terminal: str) -> BrokerClock:
        """The broker's clock of a terminal; there are as many as tokens were ever named."""
        clock = self._clocks.get(terminal)
        if clock is None:
            clock = self._clocks[terminal] = BrokerClock()
        return clock


def run_serve(options: ServeOptions, announce: Announce) -> Coroutine[Any, Any, None]:
    """Open the home, and return what runs the daemon until cancelled.

    The home is opened by the call itself, before a loop runs: a person may be asked for a
    passphrase, and the keyring may have to be waited for.

    Raises:
        ConfigError, StoreError, SecretsError: the message says what to do.
        OSError: a port is taken; raised by what is returned.

    """
    config = Config() if options.config is None else load(options.config)
    return _serve(Home(options.home, key_store(config.secrets, options.home)), config, announce)


async def _serve(opened: Home, config: Config, announce: Announce) -> None:
    with opened as home:
        async with Gateway(home, config).run() as ready:
            _settle()
            announce(ready)
            await asyncio.Future()


async def run_demo(options: DemoOptions, announce: Announce) -> None:
    """Run a daemon and an emulated terminal until cancelled; see :func:`run_serve`.

    Its key always lies in a file of its home, so that it runs on any machine.
    """
    config = Config.model_validate(
        {"api": {"port": options.port}, "bridge": {"port": options.bridge_port}}
    )
    machine = build_terminal(platform=options.platform, speed=options.speed, seed=options.seed)
    with Home(options.home) as home:
        token = _demo_token(home)
        async with Gateway(home, config).run() as ready:
            host, _, port = ready.bridge.rpartition(":")
            async with _linked(Link(machine, host, int(port), token, seed=options.seed)):
                _settle()
                announce(replace(ready, auth_token=token, terminal=DEMO_TERMINAL))
                await asyncio.Future()


async def run_emulator(options: EmulatorOptions, announce: Announce) -> None:
    """Run an emulated terminal until cancelled; it dials until the daemon lets it in.

    Raises:
        TickFileError: a file of ticks is malformed.
        UnknownFault: there is no fault of a name.
        LinkRefused: the daemon does not take the token.
        MalformedToken: the token was mistyped.

    """
    tid = parse_token(options.auth_token)
    machine = build_terminal(
        platform=options.platform,
        speed=options.speed,
        seed=options.seed,
        netting=options.netting,
        sessions=options.sessions,
        faults=Faults.parse(options.faults),
        tick_files=[parse_ticks_option(text) for text in options.ticks],
    )
    link = Link(
        machine, options.bridge_host, options.bridge_port, options.auth_token, seed=options.seed
    )
    async with _linked(link):
        _settle()
        announce(Ready(bridge=f"{options.bridge_host}:{options.bridge_port}", terminal=tid))
        await asyncio.Future()


def device_id(home: Home) -> str:
    """Return the id of this daemon, which EAs remember: the same for the life of its home."""
    return hashlib.sha256(b"mgdev1" + home.issuer.root.public_bytes_raw()).hexdigest()[:32]


@asynccontextmanager
async def _linked(link: Link) -> AsyncIterator[None]:
    """Keep a terminal linked while the context lasts; entered once it is."""
    running = asyncio.create_task(link.run())
    ready = asyncio.create_task(link.ready.wait())
    try:
        await asyncio.wait((running, ready), return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        yield
    finally:
        ready.cancel()
        link.stop()
        running.cancel()
        await asyncio.wait((running, ready))


def _demo_token(home: Home) -> str:
    """Return a fresh token of the demo's terminal; that of an earlier run ends."""
    with contextlib.suppress(IssuerError):
        home.issuer.revoke(DEMO_TERMINAL)
    token, _ = home.issuer.create(DEMO_TERMINAL)
    return token


def _nobody() -> None:
    """No caller whose rights could end."""


def _note_late(session: TerminalSession, late: LateResult) -> None:
    """A result came after its caller was told that the outcome is unknown."""
    logger.warning(
        "terminal %s: command %d (%s) has ended after all: %s",
        session.terminal,
        late.command_id,
        late.command.op,
        "refused" if late.error is not None else "done",
    )


def _settle() -> None:
    """What stands now stays: the garbage collector need not look at it again."""
    gc.collect()
    gc.freeze()
