"""What the tests of the console share: a clock that is set, people, machines, signed words."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.console.service import Console, Costs
from gateway.console.tokens import TokenInfo
from gateway.console.user_info import UserInfo, locked_user
from gateway.credentials.daemon_api import TokenOffer
from gateway.credentials.device import device_id
from gateway.credentials.event import ConsoleEvent, open_event
from gateway.credentials.keyset import KeySet, open_keyset, public_text
from gateway.credentials.lease import Lease, open_lease
from gateway.credentials.passwords import Cost
from gateway.credentials.record import Record, open_record

PASSWORD = "correct horse battery staple"
IP = "203.0.113.7"
FINGERPRINT = "ab" * 32
CHEAP = Costs(passwords=Cost(8, 1, 1), codes=Cost(8, 1, 1))
"""Guessing is nobody's aim here; tests of the real parameters say so."""


@dataclass
class Clock:
    """Seconds since 1970, as a test sets them."""

    now: int = 1_800_000_000

    def __call__(self) -> int:
        """Return the time."""
        return self.now

    def forward(self, seconds: int) -> None:
        """Let time pass; backwards too."""
        self.now += seconds


@dataclass(frozen=True)
class Machine:
    """A machine with a device key."""

    name: str = "desk"
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate, repr=False)

    @property
    def did(self) -> str:
        """Its device id."""
        return device_id(self.key.public_key())

    async def seen_by(self, console: Console) -> None:
        """Speak to the console once."""
        await console.devices.seen(
            self.did,
            pub=public_text(self.key.public_key()),
            os="Windows 11",
            hostname=self.name,
            version="0.1.0",
            ip=IP,
        )


async def person(console: Console, name: str = "ann", *, admin: bool = False) -> UserInfo:
    """Make an account."""
    return await console.users.create(f"{name}@example.com", name, PASSWORD, admin=admin)


async def approve(console: Console, token: TokenInfo, machine: Machine) -> None:
    """Have the token's owner approve a machine for it."""
    await machine.seen_by(console)
    async with console.db.begin() as session:
        await locked_user(session, token.user_id)
        row = await console.tokens.find(session, token.tid)
        assert row is not None
        await console.devices.approve(
            session, row, machine.did, terminal_fp=FINGERPRINT, by="link"
        )


@dataclass(frozen=True)
class Told:
    """What a machine was offered, verified as its daemon would."""

    keys: KeySet
    tokens: dict[str, TokenOffer]
    now: int

    def record(self, tid: str) -> Record:
        """Return a token's record."""
        return open_record(self.tokens[tid].record, self.keys.keys_for("rec", self.now))

    def lease(self, tid: str) -> Lease | None:
        """Return a token's lease."""
        envelope = self.tokens[tid].lease
        return (
            None
            if envelope is None
            else open_lease(envelope, self.keys.keys_for("lease", self.now))
        )


async def offer(console: Console, machine: Machine) -> Told:
    """Ask the console for all that a machine may have."""
    made = await console.offers.make(machine.did)
    keys = open_keyset(made.keys, await console.signing.root())
    return Told(keys, {token.tid: token for token in made.tokens}, console.now_s())


async def events(console: Console, machine: Machine, since: int = 0) -> list[ConsoleEvent]:
    """Return what a machine was told after an event."""
    keys = open_keyset(await console.signing.key_set(), await console.signing.root())
    known = keys.keys_for("evt", console.now_s())
    return [
        open_event(envelope, known) for envelope in await console.events.since(machine.did, since)
    ]
