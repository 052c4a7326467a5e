"""Typed methods: subscriptions. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway import schemas
from gateway.client.methods_base import OMITTED, MethodsBase, Omitted


class SubscriptionsMethods(MethodsBase):
    """See ``gateway.rpc.methods.subscriptions``."""

    async def get_subscriptions(
        self, *, terminal: str | Omitted | None = OMITTED
    ) -> schemas.Subscriptions:
        """List what this connection hears; over ``/rpc``, what the token has subscribed to."""
        result: schemas.Subscriptions = await self._call("get_subscriptions", terminal=terminal)
        return result
