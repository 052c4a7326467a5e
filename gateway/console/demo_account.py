"""User of the demo on its console, and the tokens, passwords and approvals that go with it.

All of them are those of the run before, so that what a person wrote down goes on. They lie sealed
in the demo's own console, and open nothing of worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ea_bridge import host
from ea_bridge.token import parse_token
from gateway import __version__
from gateway.console.database.model import SealedValue
from gateway.console.secret_keys import value_place
from gateway.console.service import Console
from gateway.console.user_info import locked_user
from gateway.credentials.device import DeviceKey
from gateway.credentials.record import Scope
from gateway.credentials.secrets import Place

TERMINAL = "demo"
"""Name of the token of its terminal."""
PEER = "mt4-server"
"""Name of the token of its MT4 server."""
KEPT = value_place("demo_token")
"""Where the demo's token lies sealed from run to run."""
KEPT_PEER = value_place("demo_manager_token")
"""The same of the token of its MT4 server."""
KEPT_PASSWORD = value_place("demo_password")
"""The same of the console's password."""
KEPT_OPERATOR = value_place("demo_operator_password")
"""The same of the password for the MT4 server's REST API."""
EMAIL = "demo@localhost.invalid"
"""Nobody has an address under this name (RFC 2606), so no mail can go astray."""


@dataclass(frozen=True)
class DemoAccount:
    """Password and token that the person who tries the demo is given."""

    password: str = field(repr=False)
    token: str = field(repr=False)


async def prepare_account(console: Console, device: DeviceKey) -> DemoAccount:
    """Make the demo's user and the token of its terminal, and approve its machine for it.

    Password and token are those of the run before, so that what was written down goes on.
    """
    password = await kept_password(console, KEPT_PASSWORD)
    user = await console.users.by_email(EMAIL)
    if user is None:
        user = await console.users.create(EMAIL, "Demo", password, admin=True)
    # somebody has changed it on the pages: what the demo prints must hold
    elif not await console.users.has_password(user.id, password):
        await console.users.set_password(user.id, password)
    return DemoAccount(password, await _token(console, device, user.id, TERMINAL, KEPT))


async def prepare_peer(console: Console, device: DeviceKey) -> str:
    """Return the token of the MT4 server's peer, likewise."""
    user = await console.users.by_email(EMAIL)
    assert user is not None  # made before
    return await _token(console, device, user.id, PEER, KEPT_PEER)


async def _token(
    console: Console, device: DeviceKey, user_id: str, name: str, place: Place
) -> str:
    kept = await _kept_token(console, user_id, place)
    token = kept or await _new_token(console, user_id, name, place)
    await _approve(console, device, user_id, parse_token(token))
    return token


async def kept_password(console: Console, place: Place) -> str:
    """Return the password of a place, the same in each run; made in the first."""
    async with console.db.begin() as session:
        row = await session.get(SealedValue, place.row)
        if row is not None:
            return console.box.open(row.sealed, place).decode()
        password = host.token_urlsafe(12)
        sealed = console.box.seal(password.encode(), place)
        session.add(SealedValue(name=place.row, sealed=sealed))
    return password


async def _kept_token(console: Console, user_id: str, place: Place) -> str | None:
    """Return the token of the run before, unless a person has ended it since."""
    async with console.db.session() as session:
        row = await session.get(SealedValue, place.row)
    if row is None:
        return None
    token = console.box.open(row.sealed, place).decode()
    known = await console.tokens.list(user_id)
    tids = [entry.tid for entry in known if entry.status == "active"]
    return token if parse_token(token) in tids else None


async def _new_token(console: Console, user_id: str, name: str, place: Place) -> str:
    """Make a token, and keep it: sealed, and only here, where it opens nothing of worth."""
    for entry in await console.tokens.list(user_id):
        if entry.name == name and entry.is_live:
            await console.tokens.revoke(user_id, entry.tid)
    token, _ = await console.tokens.create(user_id, name, scopes=(Scope.ADMIN,))
    async with console.db.begin() as session:
        sealed = console.box.seal(token.encode(), place)
        # in the place of a token that a person has ended
        await session.merge(SealedValue(name=place.row, sealed=sealed))
    return token


async def _approve(console: Console, device: DeviceKey, user_id: str, tid: str) -> None:
    """Approve the machine at once: whoever starts the demo has both sides in his hands."""
    await console.devices.seen(
        device.did,
        pub=device.public,
        os="demo",
        hostname="this computer",
        version=__version__,
        ip="127.0.0.1",
    )
    async with console.db.begin() as session:
        await locked_user(session, user_id)
        row = await console.tokens.find(session, tid)
        assert row is not None  # made a moment ago
        await console.devices.approve(session, row, device.did, terminal_fp="", by="demo")
