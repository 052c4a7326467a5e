"""Options of the long-running commands, and what they say once they run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ea_bridge.emulator.conditions import Conditions

Platform = Literal["mt5", "mt4"]

API_PORT = 7400
BRIDGE_PORT = 7401
CONSOLE_PORT = 7402


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """``mt-gateway demo``: console, daemon, an emulated terminal and an emulated MT4 server in one
    process.
    """

    home: Path
    """Holds everything that the daemon keeps; made if it is missing."""
    port: int = API_PORT
    """Of ``/rpc`` and ``/ws``; 0 takes a free one."""
    bridge_port: int = BRIDGE_PORT
    """Of the EA bridge; 0 takes a free one."""
    console_port: int = CONSOLE_PORT
    """Of the console's pages; 0 takes a free one."""
    speed: float = 1.0
    """Of the replayed market: 1 is real time, infinity is as fast as it goes."""
    platform: Platform = "mt5"
    seed: int = 0
    """Of everything random in the emulator."""
    conditions: Conditions = field(default_factory=Conditions)
    """Of the emulated account and its broker."""
    latency_ms: int = 0
    """How long an order takes to the emulated broker."""
    allowed_origins: tuple[str, ...] = ()
    """Web pages that may call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """``mt-gateway serve``: the daemon alone."""

    home: Path
    """Holds everything that the daemon keeps; made if it is missing."""
    config: Path | None = None
    """``config.toml``; that of the home if absent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """``mt-gateway console``: the console alone."""

    home: Path
    """Holds everything that the console keeps; made if it is missing."""
    config: Path | None = None
    """``config.toml``; that of the home if absent."""
    port: int | None = None
    """Of its pages, whatever the configuration says; 0 takes a free one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorOptions:
    """``mt-gateway emulator``: an emulated terminal that links to a daemon elsewhere."""

    bridge_host: str
    bridge_port: int
    auth_token: str = field(repr=False)
    platform: Platform = "mt5"
    ticks: tuple[str, ...] = ()
    """What to replay, as ``FILE`` or ``SYMBOL=FILE``; none replays the packaged ticks."""
    speed: float = 1.0
    seed: int = 0
    conditions: Conditions = field(default_factory=Conditions)
    """Of its account and its broker."""
    latency_ms: int = 0
    """How long an order takes to its broker."""
    folder: Path | None = None
    """Keeps its account and what became of commands; in memory only if absent."""
    sessions: Literal["always", "real"] = "always"
    """``real``: the market is closed at weekends, but for crypto."""
    faults: tuple[str, ...] = ()
    """What goes wrong, as ``name=count``: see :mod:`ea_bridge.simulation.faults`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """``mt-gateway agent``: plugs in a terminal through the package ``MetaTrader5``."""

    bridge_host: str
    bridge_port: int
    auth_token: str = field(repr=False)
    folder: Path
    """Keeps what became of commands, in a folder of its own for each token."""
    program: str | None = None
    """Path of the terminal's program; the one that runs, or was installed last, if absent."""
    portable: bool = False
    """The terminal keeps its data beside its program."""
    logins: tuple[str, ...] = ()
    """Paths of other terminals, in which logins to other accounts are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerEmulatorOptions:
    """``mt-gateway manager-emulator``: an emulated MT4 server that links to a daemon elsewhere."""

    bridge_host: str
    bridge_port: int
    auth_token: str = field(repr=False)
    users: int = 200
    """How many it begins with."""
    folder: Path | None = None
    """Keeps its books, and what became of commands; in memory only if absent."""
    password: str | None = field(default=None, repr=False)
    """The manager's at the server; a new one if absent."""
    seed: int = 0
    faults: tuple[str, ...] = ()
    """What goes wrong, as ``name=count``: see :mod:`ea_bridge.simulation.faults`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mt4Ready:
    """An emulated MT4 server, as ``/api/test/connect`` wants to be told of it."""

    server: str
    login: int
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerReady:
    """The REST API for the manager of an MT4 server; of the demo's, who may use it as well."""

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    """The same in one home."""
    connect: AccountReady | None = None
    """What ``POST /api/test/connect`` takes, to connect again after a disconnect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReady:
    """An account of something emulated, as a registration or a connection is told of it."""

    login: int
    password: str = field(repr=False)
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Facts of a command that runs, such as its addresses; told once it is ready. Facts that a
    command does not have are ``None``.

    ``demo`` tells all; ``serve`` neither token nor terminal; ``emulator`` and ``agent`` the bridge
    and their terminal alone.
    """

    rpc: str | None = None
    ws: str | None = None
    bridge: str
    """``host:port``."""
    auth_token: str | None = field(default=None, repr=False)
    terminal: str | None = None
    home: str | None = None
    remote: str | None = None
    """Where programs of other machines call, if they may."""
    remote_pin: str | None = None
    """Of its key, by which their clients know it."""
    live_page: str | None = field(default=None, repr=False)
    """Address of the live page; the demo's signs in once."""
    config: str | None = None
    """The file that ``serve`` has read its settings from."""
    console: str | None = None
    """Address of the console's pages: of the demo's own, or of that which ``serve`` listens to."""
    device: str | None = None
    """Four words for this machine, where there is a console: who approves it compares them."""
    console_email: str | None = None
    console_password: str | None = field(default=None, repr=False)
    """Of the demo's console; the same in one home."""
    account: AccountReady | None = None
    """The account of the demo's terminal."""
    manager: ManagerReady | None = None
    """The REST API for the manager of an MT4 server, where it is configured."""
    mt4: Mt4Ready | None = None
    """The server of ``manager-emulator``."""

    def as_event(self) -> dict[str, Any]:
        """The line that ``--json`` prints."""
        return {"event": "ready", **_known(asdict(self))}


def _known(facts: dict[str, Any]) -> dict[str, Any]:
    """Leave out what a command does not have."""
    return {
        name: _known(value) if isinstance(value, dict) else value
        for name, value in facts.items()
        if value is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleReady:
    """The console runs."""

    console: str
    """Address of its pages."""
    root: str
    """Its root key, for ``[console] root`` of its daemons."""
    home: str
    setup_url: str | None = field(default=None, repr=False)
    """Where the first person makes his account; works once. ``None`` once there is one."""
    outbox: str | None = None
    """The folder of the mails, where no mail server is configured."""

    def as_event(self) -> dict[str, Any]:
        """The line that ``--json`` prints."""
        facts = {name: value for name, value in asdict(self).items() if value is not None}
        return {"event": "ready", **facts}


Announce = Callable[[Ready], None]
"""Called once, as soon as calls are answered and the terminal is linked."""
