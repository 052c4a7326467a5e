"""A compiled EA and the bridge that it dials: without a gateway, for what is between the two."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import msgspec
from simulated_terminal import SimulatedTerminal
from wire import Wire

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from ea_bridge.protocol.messages import Event, Hello
from ea_bridge.registry import ChangeKind, TerminalChange, TerminalRegistry
from ea_bridge.server import Admitted, BridgeServer, Enroller, NotAdmitted, Relay
from ea_bridge.session import (
    DEFAULT_TIMEOUT_S,
    LateResult,
    SessionCallbacks,
    SessionState,
    TerminalSession,
)
from ea_bridge.session.liveness import LoopTimers, TimerHandle, Timers
from ea_bridge.simulation.specs import default_account, load_specs
from ea_bridge.token import derive_keys, new_token, parse_token

TIMEOUT_S = 60.0
DEVICE = "device-1"
NOW_MSC = 1_764_000_000_000

Json = dict[str, Any]
Compile = Callable[..., Path]
"""The fixture ``compile_ea``."""


def plain_config(folder: Path, **account: Any) -> Json:
    """Return a terminal's configuration: every packaged symbol, each with a quote."""
    symbols = [
        {
            "info": {**msgspec.to_builtins(spec), "select": True},
            "ticks": [[NOW_MSC, spec.bid or 1.0, spec.ask or 1.0001]],
        }
        for spec in load_specs().values()
    ]
    return {
        "account": {**msgspec.to_builtins(default_account()), **account},
        "terminal": {"build": 5200, "maxbars": 100_000, "dlls_allowed": True},
        "symbols": symbols,
        "deposit": 10_000,
        "allowed": ["127.0.0.1"],
        "files": str(folder),
        # the wire between does not acknowledge at once as the daemon does
        "quirks": {"nodelay": 1, "stale": 1},
        "switches": {},
    }


@dataclass
class Doorman:
    """Lets the holder of one token in, until told otherwise."""

    token: str
    verdict: Admitted | NotAdmitted | Relay

    def admit(self, hello: Hello) -> Admitted | NotAdmitted | Relay:
        """See :class:`ea_bridge.server.Authorizer`."""
        if hello.tid != parse_token(self.token):
            return NotAdmitted(code="unknown", reason="no such token")
        return self.verdict


class FastTimers(LoopTimers):
    """A daemon's timers that run fast, as an EA's clock can (``speed`` of its configuration)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, speed: float) -> None:
        super().__init__(loop)
        self._speed = speed

    def time(self) -> float:
        return super().time() * self._speed

    def call_later(
        self, delay: float, callback: Callable[..., object], /, *args: object
    ) -> TimerHandle:
        return super().call_later(delay / self._speed, callback, *args)


class LinkedEa:
    """One terminal with one EA, and the daemon's end of its wire, which can be begun anew.

    Args:
        program: the compiled EA.
        config: of the simulated terminal; see :func:`plain_config`.
        on_event: hears what the EA tells.
        on_live: hears of each new session, before its first event.
        on_late_result: hears what became of a trade whose caller has gone.
        timers: the daemon's clock; that of the event loop if absent.
        is_direct: without a :class:`Wire` between, which could be cut.
        inputs: of the EA, beside token and port.

    """

    def __init__(
        self,
        program: Path,
        config: Json,
        *,
        on_event: Callable[[TerminalSession, Event], None] = lambda *_: None,
        on_live: Callable[[TerminalSession], None] = lambda _: None,
        on_late_result: Callable[[TerminalSession, LateResult], None] = lambda *_: None,
        timers: Callable[[asyncio.AbstractEventLoop], Timers] = LoopTimers,
        is_direct: bool = False,
        **inputs: Any,
    ) -> None:
        self.token = new_token()
        admitted = Admitted(keys=derive_keys(self.token), terminal="demo")
        self.doorman = Doorman(self.token, admitted)
        self.wire = Wire(0)
        self._on_event, self._on_live = on_event, on_live
        self._on_late_result = on_late_result
        self._is_direct, self._timers = is_direct, timers
        self._live = asyncio.Event()
        self._bridges = contextlib.AsyncExitStack()
        self._first_id = 0
        self.enroller: Enroller | None = None
        """The way to a console, for the next bridge."""
        self._device = DEVICE
        self.registry = TerminalRegistry(now_ms=lambda: NOW_MSC)
        self._given = (program, config, inputs)
        self.terminal: SimulatedTerminal

    async def __aenter__(self) -> Self:
        await self.wire.__aenter__()
        await self._open_bridge()
        program, config, inputs = self._given
        port = self.wire.target if self._is_direct else self.wire.port
        inputs = {"auth_token": self.token, "daemon_port": port, **inputs}
        folder = Path(config["files"])
        self.terminal = SimulatedTerminal(program, folder, config, inputs)
        await self.terminal.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.terminal.stop()
        await self._bridges.aclose()
        await self.wire.__aexit__(*exc)

    @property
    def session(self) -> TerminalSession:
        """The live one."""
        [session] = self.registry.sessions()
        return session

    async def live(self) -> TerminalSession:
        """Wait until there is a session."""
        async with asyncio.timeout(TIMEOUT_S):
            await self._live.wait()
        return self.session

    async def ask(
        self,
        command: Command[Any, Any],
        params: Struct,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        **options: Any,
    ) -> Any:
        """Ask the EA, once it is linked."""
        session = await self.live()
        return await session.request(command, params, timeout_s=timeout_s, **options)

    async def stop_daemon(self) -> None:
        """End the bridge: nobody listens on its port any more."""
        await self._bridges.aclose()

    async def restart_daemon(self, *, device: str = DEVICE) -> None:
        """End the bridge and begin another, whose ids go on."""
        await self.stop_daemon()
        self._device = device
        await self._open_bridge()

    async def _open_bridge(self) -> None:
        self._first_id += 1_000_000
        self.registry = TerminalRegistry(now_ms=lambda: NOW_MSC)
        self.registry.subscribe(self._changed)
        server = BridgeServer(
            self.doorman,
            self.registry,
            device_id=self._device,
            callbacks=SessionCallbacks(
                on_event=self._on_event, on_late_result=self._on_late_result
            ),
            port=0,
            enroller=self.enroller,
            first_command_id=self._first_id,
            timers=self._timers(asyncio.get_running_loop()),
        )
        self._bridges = contextlib.AsyncExitStack()
        await self._bridges.enter_async_context(server)
        self.wire.target = server.port

    def _changed(self, change: TerminalChange) -> None:
        if change.kind is ChangeKind.CONNECTED:
            self._live.set()
            self._on_live(self.session)
        elif change.facts.state is SessionState.DISCONNECTED:
            self._live.clear()
