"""Typed methods: terminal. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class TerminalMethods(MethodsBase):
    """See ``gateway.rpc.methods.terminal``."""

    async def get_terminal_info(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.TerminalInfo:
        """Return what the terminal tells of itself: build, folders, switches, ping to the broker.

        `trade_allowed` is the AutoTrading button; whether the account may trade is in
        `get_account_info`.
        """
        result: schemas.TerminalInfo = await self._call("get_terminal_info", terminal=terminal)
        return result

    async def get_server_time(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.ServerTime:
        """Return the broker's time, and how far it lies from UTC.

        MetaTrader types the broker's wall clock as if it were UTC. The gateway learns the offset
        from fresh quotes; `offset` says how sure it is. `last_quote_time` stands still without
        quotes.
        """
        result: schemas.ServerTime = await self._call("get_server_time", terminal=terminal)
        return result

    async def get_ea_status(self, *, terminal: str | Omitted | None = OMITTED) -> schemas.EaStatus:
        """Return the state of the link to the terminal's EA.

        The gateway answers by itself, so this works while the terminal is offline: then `state` is
        `disconnected` and the rest is what was known last. Before the first contact it is null.
        """
        result: schemas.EaStatus = await self._call("get_ea_status", terminal=terminal)
        return result
