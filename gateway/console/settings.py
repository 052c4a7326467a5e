"""Settings of the console in ``config.toml``: ``[console_server]``, ``[smtp]``, ``[secrets]``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from gateway.config import Config, ConfigError, ConsoleServer, Secrets, Smtp
from gateway.credentials.daemon_api import HEARTBEAT_S

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
"""Hosts to which a mail may go in clear: it does not leave this machine."""

_SENDER = re.compile(
    r"(?:(?P<name>[A-Za-z0-9 ._-]{1,64}) <(?P<in>[A-Za-z0-9@._+-]{3,254})>"
    r"|(?P<bare>[A-Za-z0-9@._+-]{3,254}))",
    re.ASCII,
)


@dataclass(frozen=True)
class ConsoleSettings:
    """All settings of the console.

    Raises:
        ConfigError: mail would leave this machine in clear, or has no sender or no server.

    """

    console_server: ConsoleServer = field(default_factory=ConsoleServer)
    smtp: Smtp = field(default_factory=Smtp)
    secrets: Secrets = field(default_factory=Secrets)
    heartbeat_s: int = HEARTBEAT_S
    """Between two heartbeats on a daemon's stream."""

    def __post_init__(self) -> None:
        if self.smtp.mode == "smtp" and not self.smtp.host:
            raise ConfigError("[smtp] host: name the mail server, or set mode to outbox")
        # mails carry codes and links: read on the way they would approve a machine
        if self.smtp.tls == "none" and self.smtp.host not in LOOPBACK and self.smtp.host:
            raise ConfigError(
                "[smtp] tls: none is for a mail server on this machine alone; take starttls or tls"
            )
        # at the start, not with the first mail: that would fail when somebody waits for it
        sender(self.smtp)

    @classmethod
    def of(cls, config: Config) -> ConsoleSettings:
        """Take them out of the whole file."""
        return cls(config.console_server, config.smtp, config.secrets)


def sender(smtp: Smtp) -> tuple[str, str]:
    """Return name and address of whom mails come from.

    Raises:
        ConfigError: it is not ``Name <name@example.com>`` or ``name@example.com``.

    """
    match = _SENDER.fullmatch(smtp.sender)
    address = (match["in"] or match["bare"]) if match else ""
    if match is None or address.count("@") != 1 or address.startswith("@") or address[-1] == "@":
        raise ConfigError('[smtp] sender: write "Name <name@example.com>" in plain letters')
    return match["name"] or "", address
