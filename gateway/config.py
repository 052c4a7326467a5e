"""``config.toml`` as models, one per ``[section]``.

The file is optional: every setting has a default, and the defaults are those of a trader's own
machine. Names are checked, so that a typing error is seen instead of ignored. The docstring below
a field is its documentation, here and in ``config.example.toml``, which :func:`example` makes.
A limit may be lifted: 0 allows nothing, and none is ``None``.
"""

from __future__ import annotations

import ast
import inspect
import ipaddress
import os
import re
import stat
import textwrap
import tomllib
from collections.abc import Collection, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from gateway.errors import did_you_mean


class Section(BaseModel):
    """Base of the sections: unknown names are refused, so that a typing error is seen."""

    says_defaults: ClassVar[bool] = True
    """Whether the example may say the defaults: not where what a file says counts more than what
    a home has noted, though it is the same as the default."""
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )


NONE = "none"
"""Lifts a limit, where a file says it in words; TOML has no null."""


def _lifted(value: Any) -> Any:
    return None if value == NONE else value


Amount = Annotated[float | None, BeforeValidator(_lifted)]
Count = Annotated[int | None, BeforeValidator(_lifted)]


def is_limit(field: FieldInfo) -> bool:
    """Whether a setting is a bound that may be lifted."""
    return type(None) in get_args(field.annotation)


class ConfigError(Exception):
    """The file cannot be used; the message names file, section, key and the way out."""


def _host(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", name):
        raise PydanticCustomError(
            "host", "give a host name in lower case without port, such as host.docker.internal"
        )
    return name


def _origin(origin: str) -> str:
    if not re.fullmatch(r"https?://([a-z0-9.-]{1,253}|\[[0-9a-f:]+\])(:[0-9]{1,5})?", origin):
        raise PydanticCustomError(
            "origin", "give an origin as browsers send it, such as http://127.0.0.1:7402"
        )
    return origin


def _console_url(url: str) -> str:
    match = re.fullmatch(
        r"(https?)://([a-z0-9.-]{1,253}|\[[0-9a-f:]+\])(:[0-9]{1,5})?/?", url, re.IGNORECASE
    )
    if url and (match is None or (match[1] == "http" and match[2] not in LOOPBACK_NAMES)):
        raise PydanticCustomError(
            "console_url", "give https://HOST, or http://127.0.0.1:PORT for one on this machine"
        )
    return url.rstrip("/")


def _root_key(text: str) -> str:
    if text and not re.fullmatch(r"mgr1_[A-Za-z0-9_-]{43}", text):
        raise PydanticCustomError(
            "root_key", "give the root key as the console shows it: mgr1_..."
        )
    return text


def _target_url(url: str) -> str:
    match = re.fullmatch(
        r"(https?)://([a-z0-9.-]{1,253}|\[[0-9a-f:]+\])(:[0-9]{1,5})?(/[!-~]*)?",
        url,
        re.IGNORECASE,
    )
    if url and (match is None or (match[1].lower() == "http" and match[2] not in LOOPBACK_NAMES)):
        raise PydanticCustomError(
            "target_url", "give https://HOST/PATH, or http://127.0.0.1:PORT for this machine"
        )
    return url.rstrip("/")


WIDEST_NETWORK = {4: 8, 6: 16}
"""Bits at least that a network has fixed: one that takes in the world is no list."""


def _listen_address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text)) if text else text
    except ValueError:
        raise PydanticCustomError(
            "listen", "give an address of this machine such as 192.168.1.10; names will not do"
        ) from None


def _network(text: str) -> str:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        raise PydanticCustomError(
            "network", "give an address or a network such as 192.168.1.20 or 172.17.0.0/16"
        ) from None
    if network.prefixlen < WIDEST_NETWORK[network.version]:
        raise PydanticCustomError(
            "wide", "this takes in half the world: name the machines or networks that call"
        )
    return str(network)


LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
ConsoleUrl = Annotated[str, AfterValidator(_console_url)]
TargetUrl = Annotated[str, AfterValidator(_target_url)]
RootKey = Annotated[str, AfterValidator(_root_key)]
# a TOML array is a list; strict tuples would refuse it, and a frozen model holds no lists
HostNames = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], Field(strict=False)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], Field(strict=False)]


Networks = Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], Field(strict=False)]


class RemoteApi(Section):
    """Address at which programs of other machines call: ``/rpc`` and ``/ws`` by TLS, nothing else.

    Off while listen is empty. Read docs/remote.md first: a token needs the scope remote there.
    """

    listen: Annotated[str, AfterValidator(_listen_address)] = ""
    """Address of this machine such as 192.168.1.10; 0.0.0.0 for all of IPv4, :: for all of IPv6;
    empty: off."""
    port: int = Field(default=7443, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    allow: Networks = ()
    """Addresses and networks that may connect, such as 192.168.1.20; nobody else is answered."""
    hosts: HostNames = ()
    """Names that a Host header may carry beside the address of listen; all of them where that is
    0.0.0.0 or ::."""
    certificate: str = ""
    """PEM file of a certificate and those above it; empty: one that signs itself, in the home."""
    key_file: str = ""
    """PEM file of its key, which its owner alone may read."""
    max_connections: int = Field(default=64, ge=1)
    """HTTP and WebSocket connections there; those of this machine have their own."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if not self.listen:
            return self
        if not self.allow:
            raise PydanticCustomError("allow", "name in allow who may connect, or take listen out")
        if ipaddress.ip_address(self.listen).is_unspecified and not self.hosts:
            raise PydanticCustomError(
                "hosts", "name in hosts what clients call this machine, or listen on one address"
            )
        if bool(self.certificate) != bool(self.key_file):
            raise PydanticCustomError("certificate", "give certificate and key_file, or neither")
        return self


class Api(Section):
    """Address at which programs call: ``POST /rpc`` and ``GET /ws``.

    It listens on 127.0.0.1 and ::1 only; nothing here can change that. For another machine there
    is ``[api.remote]``, or a tunnel that logs you in, such as ``ssh -L 7400:127.0.0.1:7400``.
    """

    port: int = Field(default=7400, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    allowed_hosts: HostNames = ()
    """Names that a Host header may carry beside 127.0.0.1, localhost and [::1]."""
    allowed_origins: Origins = ()
    """Web pages that may call, by their origin. Every other page is refused."""
    remote: RemoteApi = RemoteApi()
    """The section ``[api.remote]``."""


class Bridge(Section):
    """Port that EAs dial. It listens on 127.0.0.1 and ::1 only, as ``[api]`` does."""

    port: int = Field(default=7401, ge=0, le=65535)
    """TCP port; 0 takes a free one. The EA's input must name the same."""


class Limits(Section):
    """Bounds of everything that grows; ``hello`` tells clients those that concern them."""

    max_message_bytes: int = Field(default=1_048_576, ge=4096)
    """A request body or WebSocket message."""
    max_response_bytes: int = Field(default=8_388_608, ge=65_536)
    """An answer; larger results are paged."""
    max_batch: int = Field(default=100, ge=1, le=1000)
    """Calls in one batch."""
    max_in_flight: int = Field(default=64, ge=1)
    """Calls being answered on one connection; then it is not read until one is done."""
    max_connections: int = Field(default=256, ge=1)
    """HTTP and WebSocket connections in all."""
    max_unauthenticated: int = Field(default=64, ge=1)
    """Connections that have not shown a valid token yet; a burst may exceed it for 0.5 s."""
    max_websockets: int = Field(default=32, ge=1)
    """WebSocket connections of one token."""
    max_channels: int = Field(default=1024, ge=1)
    """Subscribed channels of one connection."""
    queue_bytes: int = Field(default=4_194_304, ge=65_536)
    """Events waiting for one slow connection."""
    queue_messages: int = Field(default=16_384, ge=16)
    """The same, counted: events that came at once are one."""


StoreName = Literal["file", "keyring", "systemd", "passphrase"]


class Secrets(Section):
    """Place of the key that seals the secrets in the database.

    keyring: that of the system (Windows, macOS, Secret Service, KWallet), opened by its login.
    file: readable by its owner alone. Who has both key and database has the secrets.
    systemd: the credential mt-gateway-kek of the unit, for a machine without a desktop.
    passphrase: asked for at each start, or read from the file MT_GATEWAY_PASSPHRASE_FILE.

    While both lines are left out a home keeps to the store that it was made with; mt-gateway
    secrets move takes it to another one.
    """

    says_defaults: ClassVar[bool] = False
    store: StoreName = "keyring"
    """Which of them; none takes the place of another that fails."""
    key_file: str = Field(default="secrets.key", min_length=1)
    """Of the store file; a relative path starts in the home folder."""


class LinkedConsole(Section):
    """The console from which the gateway takes its tokens. Without a url it makes its own.

    What it says counts only if it is signed by its root key. One on another machine must be
    reached by https.
    """

    url: ConsoleUrl = ""
    """Such as https://console.example.com, or http://127.0.0.1:7402 on this machine."""
    root: RootKey = ""
    """Its root key (mgr1_...), as it says at its start; empty: the first one seen is kept."""
    offline_mode: Literal["tiered", "strict"] = "tiered"
    """When the console cannot be reached and a lease has ended. tiered: for an hour positions can
    be closed and orders cancelled, for four hours be read. strict: nothing at once."""
    accept_alerts: bool = False
    """Carry out the orders of TradingView alerts that the console hands down, each as a call of
    its hook's token, within the rights and limits of that."""
    manage_accounts: bool = False
    """Let people register and change trading accounts here from the console, each in the name of
    a token of their own with the right admin. Terminals can be halted from there without this."""


class ConsoleServer(Section):
    """Settings of the console: the web pages where tokens are made and machines approved."""

    port: int = Field(default=7402, ge=0, le=65535)
    """TCP port on 127.0.0.1 and ::1; 0 takes a free one. A proxy in front of it does TLS."""
    public_url: ConsoleUrl = ""
    """What people and gateways call it, if not http://127.0.0.1:PORT."""
    trusted_proxy: bool = False
    """Take the caller's address from the header X-Forwarded-For, as the proxy writes it.

    With a public_url and without this all people behind the proxy share one limit of sign-ins.
    """
    database: str = ""
    """Such as postgresql://user@host/name; empty: SQLite in the home."""


class Smtp(Section):
    """Mail that the console sends.

    outbox: nothing is sent; each mail is written as a file into the folder outbox of the home.
    smtp: through a mail server, never without TLS but to one on this machine.
    """

    mode: Literal["outbox", "smtp"] = "outbox"
    """Which of them."""
    host: str = ""
    """Of the mail server."""
    port: int = Field(default=587, ge=1, le=65535)
    """587 for starttls, 465 for tls."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """none is for a mail server on this machine alone."""
    username: str = ""
    """Empty: no login."""
    password_file: str = ""
    """A file that holds the password alone, readable by its owner only."""
    sender: str = "mt-gateway console <console@localhost>"
    """Whom mails come from."""


Symbols = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]


class Trading(Section):
    """Bounds of what may be sent to the market. A limit of 0 allows nothing; "none" lifts it.

    So does leaving it out, but for the pace. An empty list of symbols allows all. A token and a
    registered account can carry limits of their own: of all the strictest counts. Positions can be
    closed and orders cancelled whatever these limits say. Sums of money are in the account's
    currency.
    """

    allow_live: bool = True
    """False: nothing but demo accounts may be traded."""
    allowed_symbols: Symbols = ()
    """The symbols that may be traded, as the broker or a caller names them."""
    max_lot: Amount = Field(default=None, ge=0)
    """Lots of one order."""
    max_open_lots: Amount = Field(default=None, ge=0)
    """Lots of all positions and pending orders together."""
    max_notional: Amount = Field(default=None, ge=0)
    """What all positions and pending orders together are worth."""
    max_positions: Count = Field(default=None, ge=0, le=1_000_000)
    """Positions, and the pending orders that may become some."""
    max_pending_orders: Count = Field(default=None, ge=0, le=1_000_000)
    """Pending orders."""
    price_collar_bps: Count = Field(default=None, ge=0, le=10_000)
    """How far an order's prices may lie from the last tick, in hundredths of a percent."""
    max_tick_age_ms: Count = Field(default=None, ge=0)
    """How old the last tick of the symbol may be."""
    require_stop_loss: bool = False
    """True: no order and no position without a stop loss."""
    risk_pct: Amount = Field(default=None, ge=0, le=1)
    """What an order may lose at its stop loss, as a share of the equity: 0.01 is one percent."""
    allow_no_stop_loss: bool = False
    """True: where ``risk_pct`` is set, orders without a stop loss are sent all the same, and a
    stop loss may be taken off; nothing bounds what they lose."""
    check_margin: bool = False
    """True: an order for which the free margin does not suffice is not sent. The broker refuses it
    in any case, and knows better where positions are hedged."""
    orders_per_second: Amount = Field(default=20.0, ge=0, le=10_000)
    """How many orders a second an account is sent, in the long run."""
    order_burst: int = Field(default=40, ge=1, le=10_000)
    """How many at once, after a pause."""
    max_orders_per_minute: Count = Field(default=None, ge=0, le=10_000)
    """New orders in any 60 seconds."""
    max_orders_per_day: Count = Field(default=None, ge=0, le=1_000_000)
    """New orders in a day of the broker's clock."""
    max_identical_orders: Count = Field(default=None, ge=0, le=10_000)
    """New orders that are alike, in any 10 seconds."""
    max_daily_loss: Amount = Field(default=None, ge=0)
    """What the day's deals and the open positions together have lost when new orders stop."""
    max_drawdown_pct: Amount = Field(default=None, ge=0, le=100)
    """How many percent the equity lies below the balance when new orders stop."""
    block_unresolved: bool = True
    """While the fate of an order is not known, no new one is sent for the same symbol."""


class Manager(Section):
    """The REST API for the manager of an MT4 server, for a CRM: /api/...

    Operators log in with a name and a password of their own: mt-gateway manager-user add.
    """

    peer: str = ""
    """Name of the token with which the peer of the MT4 server links; empty: there is no such API.
    That token opens no terminal."""
    max_amount: Amount = Field(default=None, ge=0)
    """Of one deposit, withdrawal, credit or change of a trade, in the account's currency; 0 allows
    nothing."""
    requests_per_second: Amount = Field(default=50.0, ge=0, le=100_000)
    """Of one operator, in the long run; "none" for as many as come."""
    request_burst: int = Field(default=200, ge=1, le=100_000)
    """How many at once, after a pause."""


NotifyEvent = Literal[
    "order_filled",
    "order_rejected",
    "order_unknown",
    "margin_call",
    "link_lost",
    "halt",
    "limit_hit",
    "new_device",
]
NotifyEvents = Annotated[tuple[NotifyEvent, ...], Field(strict=False)]
MailAddresses = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[!-~]+@[!-~]+$", max_length=254)], ...],
    Field(strict=False, max_length=10),
]


class Notify(Section):
    """Events of which you are told elsewhere. Secrets do not stand here: mt-gateway notify secret.

    The events: order_filled, order_rejected (by the broker), order_unknown, margin_call,
    link_lost, halt (any stop of trading, and its end), limit_hit, new_device. A webhook is signed;
    http is for addresses of this machine alone. After a change start the gateway again, and see
    mt-gateway notify test.
    """

    events: NotifyEvents = ()
    """Which ones; without any nobody is told of anything."""
    link_lost_s: int = Field(default=60, ge=5, le=86_400)
    """How long a terminal, or its broker, is away before you are told."""
    webhook_url: TargetUrl = ""
    """Address that gets each event as a POST of JSON; empty: no webhook."""
    ntfy_url: TargetUrl = "https://ntfy.sh"
    """Of the ntfy server."""
    ntfy_topic: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    """Topic there; who knows it can read it, unless the server wants a token. Empty: no ntfy."""
    telegram_url: TargetUrl = "https://api.telegram.org"
    """Of Telegram's Bot API, or of a server of your own."""
    telegram_chat: str = Field(default="", pattern=r"^(-?[0-9]{1,20}|@[A-Za-z0-9_]{1,64})?$")
    """Id of the chat to which the bot writes; empty: no Telegram."""
    mail_to: MailAddresses = ()
    """Addresses that get mails, by the mail server of ``[smtp]``."""
    apprise: bool = False
    """Send by Apprise as well, to the URLs of mt-gateway notify secret apprise."""


class Config(Section):
    """The whole file."""

    api: Api = Api()
    bridge: Bridge = Bridge()
    limits: Limits = Limits()
    trading: Trading = Trading()
    manager: Manager = Manager()
    notify: Notify = Notify()
    secrets: Secrets = Secrets()
    console: LinkedConsole = LinkedConsole()
    console_server: ConsoleServer = ConsoleServer()
    smtp: Smtp = Smtp()


def home_file(home: Path) -> Path:
    """Return where a home has its configuration, which every command reads that names no other."""
    return home / "config.toml"


def find(home: Path, named: Path | None) -> Path | None:
    """Return the configuration file that holds: the one named, or else that of the home.

    ``None`` if there is neither, and the defaults hold.

    Raises:
        ConfigError: anybody may have put that of the home there, and another user has.

    """
    if named is not None:
        return named
    own = home_file(home)
    # a link that leads nowhere is a mistake to be told, not an absent file
    if not os.path.lexists(own):
        return None
    # as in /tmp, where anybody may lay a file into a home that is about to be made
    if os.name == "posix" and home.stat().st_mode & stat.S_IWOTH:
        owner = own.lstat().st_uid
        if owner not in (os.geteuid(), 0):
            raise ConfigError(
                f"{own}: belongs to another user (uid {owner}), and everybody may write to "
                f"{home}; give another --home, or name a file of yours with --config"
            )
    return own


def load_for(home: Path, named: Path | None) -> Config:
    """Read the configuration of a home; see :func:`find` and :func:`load`."""
    file = find(home, named)
    return Config() if file is None else load(file)


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read, is not TOML, or says something that cannot be done.

    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8; save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: has a number that is too long, or nests too deeply") from None
    return parse(content, source=str(path))


def parse(content: dict[str, Any], *, source: str = "config.toml") -> Config:
    """Check a configuration.

    Args:
        content: the sections by name.
        source: named in errors.

    Raises:
        ConfigError: all that is wrong with it, a line each.

    """
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        # without the input: a password in the wrong line must not reach a log
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise ConfigError("\n".join(f"{source}: {_complaint(fault)}" for fault in found)) from None


def zeros(config: Config) -> list[str]:
    """Return what is wrong with limits of 0, which some read as none: they allow nothing."""
    return [
        f"[{name}] {key} = 0 allows nothing; "
        + ("remove the line to lift it" if field.default is None else f'write "{NONE}" to lift it')
        for name, model in sections()
        for key, field in fields(model).items()
        if is_limit(field) and getattr(attrgetter(name)(config), key) == 0
    ]


# --- complaints ----------------------------------------------------------------------------

_BINDING = frozenset({"address", "bind", "host", "hosts", "interface", "listen"})


def _complaint(error: ErrorDetails) -> str:
    section, *rest = (str(part) for part in error["loc"])
    models = dict(sections())
    if rest and f"{section}.{rest[0]}" in models:
        section = f"{section}.{rest.pop(0)}"
    where = f"[{section}] {'.'.join(rest)}".rstrip()
    if error["type"] != "extra_forbidden":
        return f"{where}: {_lower(error['msg'])}{_default(section, rest)}"
    if not rest:
        return f"{where}: there is no such section{_suggestion(section, models)}"
    # other servers have it, so people look for it; another spelling is not what they need
    if rest[-1] in _BINDING:
        return (
            f"{where}: the gateway listens on 127.0.0.1 and ::1 only; take the line out, and "
            "reach it from another machine through a tunnel such as ssh -L, or [api.remote]"
        )
    known = fields(models[section])
    return f"{where}: there is no such setting{_suggestion(rest[-1], known)}"


def _suggestion(given: str, known: Collection[str]) -> str:
    near = did_you_mean(given, known).get("did_you_mean")
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _default(section: str, rest: list[str]) -> str:
    if not rest or section not in dict(sections()):
        return ""
    field = fields(dict(sections())[section]).get(rest[0])
    return "" if field is None else f" (the default is {toml(field.default)})"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


class NamedSection(NamedTuple):
    """Section by its name in the file, such as ``api.remote``."""

    name: str
    model: type[Section]


def sections() -> Iterator[NamedSection]:
    """Yield all sections, those within another one behind it."""
    return _within(Config, "")


def _within(model: type[BaseModel], prefix: str) -> Iterator[NamedSection]:
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield NamedSection(prefix + name, kind)
            yield from _within(kind, f"{prefix}{name}.")


def fields(model: type[Section]) -> dict[str, FieldInfo]:
    """Return the settings of a section, without the sections within it."""
    inner = {section.name for section in _within(model, "")}
    return {key: field for key, field in model.model_fields.items() if key not in inner}


# --- config.example.toml ---------------------------------------------------------------------


def toml(value: Any) -> str:
    """Return a value in TOML."""
    if isinstance(value, tuple):
        return f"[{', '.join(toml(item) for item in value)}]"
    # before numbers: True is an int to Python, and its text is no TOML
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return f'"{NONE}"'
    return f'"{value}"' if isinstance(value, str) else str(value)


def example() -> str:
    """Return a commented ``config.toml`` in which every setting has its default.

    A copy of it, as it is, changes nothing.
    """
    lines = ["# Settings of mt-gateway. Everything may be left out; shown are the defaults."]
    for name, section in sections():
        lines += ["", *_comment((section.__doc__ or "").replace("``", "")), f"[{name}]"]
        documentation = descriptions(section)
        for key, setting in fields(section).items():
            line = f"{key} = {toml(setting.default)}"
            lines += _comment(f"{documentation[key]} {_span(setting)}")
            lines += [line if section.says_defaults else f"# {line}"]
    return "\n".join(lines) + "\n"


def descriptions(section: type[Section]) -> dict[str, str]:
    """Return the docstrings below the settings of a section.

    pydantic would read them whenever the models are made: the tenth part of a short command.
    """
    (whole,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(whole, ast.ClassDef)
    found: dict[str, str] = {}
    for node, after in zip(whole.body, whole.body[1:], strict=False):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            text = _docstring(after)
            if text is not None:
                found[node.target.id] = text
    return found


def _docstring(node: ast.stmt) -> str | None:
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return None
    return inspect.cleandoc(node.value.value) if isinstance(node.value.value, str) else None


def _span(setting: FieldInfo) -> str:
    bounds = {type(bound).__name__: bound for bound in setting.metadata}
    least = getattr(bounds.get("Ge"), "ge", None)
    most = getattr(bounds.get("Le"), "le", None)
    if least is None:
        return ""
    return f"At least {least}." if most is None else f"From {least} to {most}."


def _comment(text: str) -> Iterator[str]:
    for line in text.strip().splitlines():
        yield f"# {line.strip()}".rstrip()
