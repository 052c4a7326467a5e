"""The demo's MT4 server: emulated, linked as a manager's peer, with an operator to try it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ea_bridge.host import token_urlsafe
from ea_bridge.mt4_manager.emulator import LOGIN, SERVER, ManagerLink, build_manager
from ea_bridge.mt4_manager.model import ConnectParams
from gateway.mt4_manager import OperatorRole
from gateway.mt4_manager.service import ManagerService
from gateway.options import AccountReady, ManagerReady

from .emulator import linked

PEER = "mt4-server"
"""Name of its token."""
OPERATOR = "demo"


@asynccontextmanager
async def demo_manager(
    manager: ManagerService, url: str, bridge: str, token: str, at_api: str, seed: int
) -> AsyncIterator[ManagerReady]:
    """Run an emulated MT4 server while the context lasts; entered once it is connected.

    Args:
        manager: of the gateway that it links to.
        url: of the gateway.
        bridge: where it listens, ``host:port``.
        token: of the peer.
        at_api: the operator's password.
        seed: of everything drawn.

    Yields:
        How to use it.

    """
    host, _, port = bridge.rpartition(":")
    kept = manager.kept.wanted()  # of the run before: the gateway connects with it by itself
    at_server = token_urlsafe(12) if kept is None else kept.password
    server = build_manager(password=at_server, seed=seed)
    async with linked(ManagerLink(server, host, int(port), token, seed=seed)):
        params = ConnectParams(server=SERVER, login=LOGIN, password=at_server)
        await manager.supervision.connect(params, OPERATOR)
        if manager.operators.get(OPERATOR) is None:
            await manager.operators.add(OPERATOR, at_api, OperatorRole.ADMIN)
        elif await manager.operators.verify(OPERATOR, at_api) is None:
            await manager.operators.set_password(OPERATOR, at_api)
        connect = AccountReady(server=SERVER, login=LOGIN, password=at_server)
        yield ManagerReady(url=f"{url}/api", username=OPERATOR, password=at_api, connect=connect)
