"""A daemon with an emulated terminal, and a caller of its accounts API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
from answered import Answered
from product import Product, daemon, until

from ea_bridge.emulator.conditions import EXAMPLE_LOGINS, OWN_PASSWORD, KnownLogins
from ea_bridge.emulator.factory import build_terminal
from ea_bridge.emulator.terminal import EmulatedTerminal
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.simulation.faults import EmulatedFaults
from gateway.accounts.book import RiskSettings
from gateway.auth.caller import Scope
from gateway.trading.kill_switch.halts import EVERYWHERE

SEED_EXAMPLE = {
    "name": "Live Trading Account",
    "broker": "MetaQuotes",
    "login": 12345678,
    "password": "MyMT5Password",
    "server": "MetaQuotes-Demo",
    "is_live": False,
    "allowed_symbols": ["EURUSD", "GBPUSD"],
    "max_lot_size": 0.1,
    "risk_pct": 0.01,
    "auto_trade_enabled": True,
    "account_type": "USD",
}
"""The request of the published documentation of "POST Register MT5 Account", word for word."""


@dataclass
class AccountsHouse:
    """What the tests of the accounts API talk to."""

    product: Product
    machine: EmulatedTerminal
    http: aiohttp.ClientSession
    admin: str
    """An auth_token with the scope admin."""

    @property
    def url(self) -> str:
        """Of the gateway."""
        return (self.product.ready.rpc or "").removesuffix("/rpc")

    @property
    def logins(self) -> KnownLogins:
        """What the terminal can log in to."""
        return self.machine.handler.logins

    @property
    def own(self) -> dict[str, Any]:
        """A request that registers the account that the terminal itself is logged in to."""
        account = self.machine.handler.account()
        return SEED_EXAMPLE | {
            "login": account.login,
            "server": account.server,
            "password": OWN_PASSWORD,
        }

    async def begin_anew(self) -> None:
        """Forget what the test before has left: accounts, rules, halts, faults."""
        forget_faults(self.machine)
        gateway = self.product.gateway
        for account in gateway.accounts.everybody():
            gateway.accounts.delete(account.owner, account.id)
        gateway.accounts.set_risk("", RiskSettings())
        for name in (EVERYWHERE, "main"):
            await gateway.account_service.services.switch.resume(name, by_admin=True)
        if gateway.registry.get("main") is None:
            await self.product.link("main", self.machine, token=self.admin)

    async def unlink(self) -> None:
        """Take the terminal away."""
        self.product.main.link.stop()
        await until(lambda: self.product.gateway.registry.get("main") is None)

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answered:
        """Send a request, with the admin's token unless another one (or ``""``) is given."""
        token = self.admin if token is None else token
        sent = ({"Authorization": f"Bearer {token}"} if token else {}) | (headers or {})
        url = f"{self.url}{path if path.startswith('/') else '/api/v1/' + path}"
        async with self.http.request(method, url, json=body, headers=sent) as response:
            text = await response.text()
            content = json.loads(text) if text else None
            return Answered(response.status, content, response.headers)

    async def register(self, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Register an account, by default the terminal's own; return it."""
        answered = await self.ask("POST", "accounts", body or self.own)
        assert answered.status == 201, answered
        account: dict[str, Any] = answered.body
        return account


@cache
def _terminal() -> EmulatedTerminal:
    """A terminal takes longer to make than all that a test does with it."""
    return build_terminal()


def shared_terminal() -> EmulatedTerminal:
    """Return the terminal of all these tests, which has forgotten the daemon of the last one."""
    machine = _terminal()
    machine.pin = DevicePin()
    forget_faults(machine)
    return machine


def forget_faults(machine: EmulatedTerminal) -> None:
    """Let a terminal behave, and know the logins that it knew at first."""
    for fault in fields(EmulatedFaults):
        setattr(machine.faults, fault.name, fault.default)
    machine.handler.logins.known[:] = EXAMPLE_LOGINS


@asynccontextmanager
async def open_house(folder: Path) -> AsyncIterator[AccountsHouse]:
    """Run a daemon with the shared terminal, which an admin's token is for."""
    allowed = {"allow_no_stop_loss": True}  # accounts bound the risk of orders by default
    async with daemon(folder, trading=allowed) as product, aiohttp.ClientSession() as http:
        machine = shared_terminal()
        admin = product.home.issuer.create("main", scopes=[Scope.ADMIN])[0]
        await product.link("main", machine, token=admin)
        yield AccountsHouse(product, machine, http, admin)
