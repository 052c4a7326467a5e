"""``[manager]``: the REST API for the manager of an MT4 server."""

from __future__ import annotations

from pydantic import Field

from .limit import Amount
from .section import Section


class Manager(Section):
    """The REST API for the manager of an MT4 server, for a CRM: /api/...

    Operators log in with a name and a password of their own: mt-gateway manager-user add.
    """

    peer: str = ""
    """Name of the token with which the peer of the MT4 server links; empty: there is no such API.
    That token opens no terminal."""
    max_amount: Amount = Field(default=None, ge=0)
    """Of one deposit, withdrawal or credit, in the account's currency; 0 allows nothing."""
    requests_per_second: Amount = Field(default=50.0, ge=0, le=100_000)
    """Of one operator, in the long run; "none" for as many as come."""
    request_burst: int = Field(default=200, ge=1, le=100_000)
    """How many at once, after a pause."""
