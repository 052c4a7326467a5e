"""``config.toml`` as models, one per ``[section]``.

The file is optional: every setting has a default, and the defaults are those of a trader's own
machine. Names are checked, so that a typing error is seen instead of ignored. The docstring below
a field is its documentation, here and in ``config.example.toml``, which :mod:`.example` makes.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

from gateway.errors import did_you_mean

from .limit import NONE, is_limit
from .literal import toml
from .manager import Manager as Manager
from .section import Section as Section
from .trading import Trading as Trading


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


LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
ConsoleUrl = Annotated[str, AfterValidator(_console_url)]
RootKey = Annotated[str, AfterValidator(_root_key)]
# a TOML array is a list; strict tuples would refuse it, and a frozen model holds no lists
HostNames = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], Field(strict=False)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], Field(strict=False)]


class Api(Section):
    """Where programs call: ``POST /rpc`` and ``GET /ws``.

    It listens on 127.0.0.1 and ::1 only; nothing here can change that. From another machine
    reach it through a tunnel that logs you in, such as ``ssh -L 7400:127.0.0.1:7400``.
    """

    port: int = Field(default=7400, ge=0, le=65535)
    """TCP port; 0 takes a free one."""
    allowed_hosts: HostNames = ()
    """Names that a Host header may carry beside 127.0.0.1, localhost and [::1]."""
    allowed_origins: Origins = ()
    """Web pages that may call, by their origin. Every other page is refused."""


class Bridge(Section):
    """Where EAs dial in. It listens on 127.0.0.1 and ::1 only, as ``[api]`` does."""

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
    """The same, counted."""


StoreName = Literal["file", "keyring", "systemd", "passphrase"]


class Secrets(Section):
    """Where the key lies that seals the secrets in the database.

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


class Console(Section):
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


class ConsoleServer(Section):
    """Of the command console: the web pages where tokens are made and devices approved."""

    port: int = Field(default=7402, ge=0, le=65535)
    """TCP port on 127.0.0.1 and ::1; 0 takes a free one. A proxy in front of it does TLS."""
    public_url: ConsoleUrl = ""
    """What people and daemons call it, if not http://127.0.0.1:PORT."""
    trusted_proxy: bool = False
    """Take the caller's address from the header X-Forwarded-For, as the proxy writes it.

    With a public_url and without this all people behind the proxy share one limit of sign-ins.
    """
    database: str = ""
    """Such as postgresql://user@host/name; empty: SQLite in the home."""


class Smtp(Section):
    """How the console sends mail.

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


class Config(Section):
    """The whole file."""

    api: Api = Api()
    bridge: Bridge = Bridge()
    limits: Limits = Limits()
    trading: Trading = Trading()
    manager: Manager = Manager()
    secrets: Secrets = Secrets()
    console: Console = Console()
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
    if not os.path.lexists(own):
        return None
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
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise ConfigError("\n".join(f"{source}: {_complaint(one)}" for one in found)) from None


def zeros(config: Config) -> list[str]:
    """Return what is wrong with limits of 0, which some read as none: they allow nothing."""
    return [
        f"[{name}] {key} = 0 allows nothing; "
        + ("remove the line to lift it" if field.default is None else f'write "{NONE}" to lift it')
        for name, section in Config.model_fields.items()
        for key, field in fields(section).items()
        if is_limit(field) and getattr(getattr(config, name), key) == 0
    ]


# --- complaints ----------------------------------------------------------------------------

_BINDING = frozenset({"address", "bind", "host", "hosts", "interface", "listen"})


def _complaint(error: ErrorDetails) -> str:
    section, *rest = (str(part) for part in error["loc"])
    where = f"[{section}] {'.'.join(rest)}".rstrip()
    if error["type"] != "extra_forbidden":
        return f"{where}: {_lower(error['msg'])}{_default(section, rest)}"
    if not rest:
        return f"{where}: there is no such section{_suggestion(section, Config.model_fields)}"
    if rest[-1] in _BINDING:
        return (
            f"{where}: the gateway listens on 127.0.0.1 and ::1 only; take the line out, and "
            "reach it from another machine through a tunnel such as ssh -L"
        )
    known = fields(Config.model_fields[section])
    return f"{where}: there is no such setting{_suggestion(rest[-1], known)}"


def _suggestion(given: str, known: dict[str, FieldInfo]) -> str:
    near = did_you_mean(given, known).get("did_you_mean")
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _default(section: str, rest: list[str]) -> str:
    if not rest or section not in Config.model_fields:
        return ""
    field = fields(Config.model_fields[section]).get(rest[0])
    return "" if field is None else f" (the default is {toml(field.default)})"


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def fields(section: FieldInfo) -> dict[str, FieldInfo]:
    """Return the settings of a section."""
    model = section.annotation
    assert isinstance(model, type)  # Config holds nothing but sections
    assert issubclass(model, Section)
    return model.model_fields
