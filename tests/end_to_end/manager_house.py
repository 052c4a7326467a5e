"""A daemon with an emulated MT4 server, and operators of its REST API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from answered import Answered
from product import Product, daemon, until

from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.mt4_manager.emulator import (
    LOGIN,
    SERVER,
    EmulatedManager,
    ManagerLink,
    Population,
    build_manager,
)
from ea_bridge.mt4_manager.model import ConnectParams
from ea_bridge.simulation.faults import EmulatedFaults
from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager.service import ManagerService
from gateway.storage.store import Store

PEER = "mt4"
PASSWORD = "the manager's at the server"
OPERATOR_PASSWORD = "seven purple lanterns sing"
MANAGER = {"peer": PEER, "requests_per_second": "none"}


@dataclass
class ManagerHouse:
    """What the tests of the manager API talk to."""

    product: Product
    server: EmulatedManager
    token: str
    """Of the peer."""
    http: aiohttp.ClientSession
    bearers: Mapping[OperatorRole, str]
    """Access tokens of an operator of each role, who is called like it."""

    @property
    def url(self) -> str:
        """Of the gateway."""
        return (self.product.ready.rpc or "").removesuffix("/rpc")

    @property
    def manager(self) -> ManagerService:
        """Of the gateway."""
        found = self.product.gateway.manager
        assert found is not None
        return found

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        role: OperatorRole | None = OperatorRole.ADMIN,
        bearer: str = "",
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Send a request, as the operator of a role, or with a bearer, or (``None``) without."""
        bearer = bearer or ("" if role is None else self.bearers[role])
        sent = ({"Authorization": f"Bearer {bearer}"} if bearer else {}) | dict(headers or {})
        url = f"{self.url}/api/{path}"
        async with self.http.request(method, url, json=body, data=form, headers=sent) as response:
            text = await response.text()
            is_json = response.content_type == "application/json"
            return Answered(
                response.status, json.loads(text) if is_json else text, response.headers
            )

    async def get(self, path: str, **options: Any) -> Any:
        """Return the body of an answer that must be a 200."""
        answered = await self.ask("GET", path, **options)
        assert answered.status == 200, answered
        return answered.body

    async def connect(self) -> None:
        """Have the peer connected to its server."""
        params = ConnectParams(server=SERVER, login=LOGIN, password=PASSWORD)
        await self.manager.supervision.connect(params, "test")

    async def begin_anew(self) -> None:
        """Forget faults, and be connected."""
        for fault in fields(EmulatedFaults):
            setattr(self.server.faults, fault.name, fault.default)
        await until(lambda: self.manager.registry.get(PEER) is not None)
        # the server may be connected still, by the gateway of tests before: this one has been told
        # nothing then, and would not lead it back
        if not self.server.connected or self.manager.kept.wanted() is None:
            await self.connect()


@cache
def _server() -> EmulatedManager:
    """A server takes longer to make than all that a test does with it."""
    return build_manager(password=PASSWORD, population=Population(users=60, online=0.2))


def operators(manager: ManagerService, store: Store, hashed: str) -> dict[OperatorRole, str]:
    """Make an operator of each role, all with one password; return access tokens of theirs."""
    with store.transaction() as connection:
        for role in OperatorRole:
            connection.execute(
                "INSERT INTO manager_operators VALUES (?, ?, ?, 0)",
                (role.value, role.value, hashed),
            )
    return bearers_of(manager)


def bearers_of(manager: ManagerService) -> dict[OperatorRole, str]:
    """Return a new access token of each of those operators."""
    found = {}
    for role in OperatorRole:
        operator = manager.operators.get(role.value)
        assert operator is not None
        found[role] = manager.tokens.issue(operator)
    return found


@asynccontextmanager
async def linked(product: Product, server: EmulatedManager, token: str) -> AsyncIterator[None]:
    """Keep an emulated server linked while the context lasts."""
    host, _, port = product.ready.bridge.rpartition(":")
    link = ManagerLink(server, host, int(port), token, seed=1)
    running = asyncio.create_task(link.run())
    try:
        yield
    finally:
        link.stop()
        running.cancel()
        await asyncio.wait((running,))


@asynccontextmanager
async def open_house(
    folder: Path,
    server: EmulatedManager | None = None,
    *,
    again: bool = False,
    told: bool = True,
    origins: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[ManagerHouse]:
    """Run a daemon, linked and connected to an emulated server: by default one that all share.

    ``again``: in a home that was used before. Not ``told``: nobody says to connect.
    ``origins``: whose pages may call the other doors.
    """
    server = server or _server()
    server.pin = DevicePin()
    async with daemon(folder, manager=MANAGER | settings, origins=origins) as product:
        manager = product.gateway.manager
        assert manager is not None
        if again:
            product.home.issuer.revoke(PEER)
            bearers = bearers_of(manager)
        else:
            hashed = await manager.passwords.hash(OPERATOR_PASSWORD)
            bearers = operators(manager, product.home.store, hashed)
        token = product.home.issuer.create(PEER)[0]
        async with linked(product, server, token), aiohttp.ClientSession() as http:
            house = ManagerHouse(product, server, token, http, bearers)
            await until(lambda: house.manager.registry.get(PEER) is not None)
            if told:
                await house.begin_anew()
            yield house
