"""Typed methods: account. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class AccountMethods(MethodsBase):
    """See ``gateway.rpc.methods.account``."""

    async def get_account_info(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.AccountInfo:
        """Return everything the terminal knows of the account.

        Money is in the account's `currency`. `margin_level` is in percent and null without
        positions. MetaTrader 4 does not know the margin mode, FIFO rule and some sums: they are
        null and listed in `unavailable`.
        """
        result: schemas.AccountInfo = await self._call("get_account_info", terminal=terminal)
        return result

    async def get_account_balance(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.AccountBalance:
        """Return the account's money: balance, equity, margin, floating profit.

        All of it is from one moment, and also in `get_account_info`.
        """
        result: schemas.AccountBalance = await self._call("get_account_balance", terminal=terminal)
        return result
