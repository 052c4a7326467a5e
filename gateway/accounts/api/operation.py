"""One operation of the accounts API, and the call that its handler gets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter

from gateway.auth.caller import Caller
from gateway.credentials.tier import Tier
from gateway.http.rest import operation
from gateway.http.rest.operation import Parameter, Sent
from gateway.http.rest.problem import Problem

from .models import AccountId
from .services import Services

__all__ = ["Ask", "Operation", "Parameter", "not_found"]

ACCOUNT = Parameter("account_id", AccountId, "Its id.", required=True)


@dataclass(frozen=True, kw_only=True)
class Ask(Sent):
    """A call: who asks, and what with."""

    services: Services
    caller: Caller
    tier: Tier = Tier.READ
    """What the caller was found to be allowed."""

    @property
    def owner(self) -> str:
        """Whose accounts these are."""
        return self.services.owner_of(self.caller.tid)


@dataclass(frozen=True)
class Operation(operation.Operation[Ask]):
    """What can be asked."""

    tier: Tier | None = None
    """What a token must be allowed while its console is silent: all, or to read where it only
    reads, unless this says otherwise."""

    @property
    def needs(self) -> Tier:
        """The tier, whoever says it."""
        if self.tier is not None:
            return self.tier
        return Tier.READ if self.method == "GET" else Tier.FULL

    def place(self, name: str) -> Parameter:
        """Return what a name in its path stands for: an account."""
        return {"account_id": ACCOUNT}[name]

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.answer)

    async def carry_out(
        self, services: Services, caller: Caller, target: str, body: bytes
    ) -> bytes:
        """Answer one request; return the JSON, empty where there is none.

        Args:
            target: path and query, as they were sent.

        Raises:
            Problem: why not.

        """
        sent = self.read(target, body)
        ask = Ask(
            path=sent.path,
            query=sent.query,
            given=sent.given,
            services=services,
            caller=caller,
            tier=self.needs,
        )
        services.recheck(caller, self.needs)
        result = await self.handle(ask)
        if self.answer is None:
            return b""
        return self._adapter.dump_json(self._adapter.validate_python(result))


def not_found() -> Problem:
    """No account of that id is the caller's; whether it is somebody else's is not told."""
    return Problem(404, "Account not found")
