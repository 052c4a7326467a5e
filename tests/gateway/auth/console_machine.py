"""A machine before a console that signs; time passes as a test says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripted_console import Signer

from ea_bridge.protocol.messages import Hello
from ea_bridge.token import parse_token
from gateway.auth.console_clock import Clocks
from gateway.auth.gate import Gate
from gateway.credentials.daemon_api import Synced
from gateway.credentials.lease import Tier
from gateway.errors import Unauthorized
from gateway.home.home import Home

START = 1_800_000_000
LEASE = 900


@dataclass
class Time:
    """True time, and what the clocks of a machine make of it."""

    true_s: float = START
    wall_off_s: float = 0.0
    booted_s: float = START - 1000

    def wall(self) -> float:
        return self.true_s + self.wall_off_s

    def clocks(self) -> Clocks:
        return Clocks(self.wall, lambda: self.true_s - self.booted_s, lambda: 0.0)


class Machine:
    """A home with its gate before a console that signs; time passes as a test says."""

    def __init__(self, folder: Path, *, root: str = "", strict: bool = False) -> None:
        self.folder, self.root, self.strict = folder, root, strict
        self.time = Time()
        self.signer = Signer(lambda: self.time.true_s)
        self.changes: list[tuple[str, str]] = []
        self.start()
        self.signer.know(self.home.device.did, self.home.device.public)

    def start(self) -> None:
        self.home = Home(self.folder)
        self.console = self.home.console(self.root, strict=self.strict, clocks=self.time.clocks())
        self.gate = Gate(
            self.console.book,
            self.home.device.did,
            self.console.now_s,
            leases=self.console.leases,
        )

    def restart(self, off_s: float = 0, *, reboot: bool = False) -> None:
        self.home.close()
        self.time.true_s += off_s
        if reboot:
            self.time.booted_s = self.time.true_s
        self.start()

    def sync(self, **changes: Any) -> None:
        synced = Synced.model_validate(self.signer.synced(**changes))
        self.hear(synced)
        self.gate.refresh()

    def hear(self, synced: Synced, nonce: str = "") -> None:
        """Take an answer to a question that is asked now, whenever it was given."""
        self.console.offers.accept(synced, self.time.true_s - self.time.booted_s, nonce)

    def tell(self, envelope: str) -> bool:
        event = self.console.offers.event(envelope)
        return self.console.leases.stop(event, applied=True)

    def pass_(self, seconds: float) -> None:
        self.time.true_s += seconds
        self.console.clock.tick()

    def tier(self, token: str) -> Tier:
        self.gate.refresh()
        return self.gate.allowance(parse_token(token)).tier

    def reason(self, token: str) -> str:
        try:
            self.gate.admit(token)
        except Unauthorized as refused:
            return str(refused.data["reason"])
        return ""


def hello(token: str, **changes: Any) -> Hello:
    facts: dict[str, Any] = {
        "platform": "mt5",
        "login": 7,
        "server": "Broker-Demo",
        "company": "Broker",
    }
    facts |= changes
    return Hello(proto="1-1", tid=parse_token(token), cnonce="0" * 64, boot="b", **facts)
