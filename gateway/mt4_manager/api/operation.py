"""Operation of the manager API, the call that its handler gets, and the API's description."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field

from ea_bridge.commands import Command
from ea_bridge.model.struct import Struct
from gateway.audit import Audit
from gateway.errors import Unauthorized
from gateway.http.rest import operation
from gateway.http.rest.openapi import DocumentInfo, bearer
from gateway.http.rest.operation import Parameter, ParsedRequest
from gateway.mt4_manager import ManagerError, OperatorRole
from gateway.mt4_manager.access import Admission, OperatorLogin, Rate, TokenBook
from gateway.mt4_manager.changes import Changes
from gateway.mt4_manager.journal import Change
from gateway.mt4_manager.link import Link, Supervision

from .models import GroupName, Login, Order, SymbolName

__all__ = ["DOCUMENT_INFO", "KEY", "ManagerCall", "ManagerOperation", "Parameter"]

OPENAPI: Final = "/api/openapi.json"
REFERENCE: Final = "/api/reference"
SUCCESSOR: Final = "X-Access-Token"
REPLAYED: Final = "Idempotency-Replayed"
DOCUMENT_INFO: Final = DocumentInfo(
    title="mt-gateway MT4 manager",
    description=(
        "Users, money, trades, groups and symbols of an MT4 server, by its Manager API. Log in "
        "at `/api/auth/login` and send `Authorization: Bearer` with the access token. Names, "
        "units and integers are the Manager API's: volumes are lots times 100, times are seconds "
        "of the server's clock. Roles: `read` looks; `operator` makes and changes users, books "
        "money, sends mail; `admin` connects, changes and deletes trades, deletes users and sees "
        "the server's configuration."
    ),
    schemes=bearer("access_token"),
    status_descriptions={
        400: "The request cannot be read; of connect: the server refused login or password",
        401: "Name and password do not fit, or the access token is missing, wrong or has expired",
        403: "The operator's role, or the manager's login, does not allow it; or a web page calls",
        404: "There is none",
        405: "Not with this method",
        408: "The body came too slowly",
        409: "The MT4 server refuses it as things stand",
        413: "The body is too large",
        415: "The body is not of the media type described here",
        421: "The Host header is not ours",
        422: "The request is not as described here, the MT4 server refuses a value in it, or its "
        "Idempotency-Key was used for another request",
        429: "Too many requests, or too many tries of a password; see Retry-After",
        500: "The gateway failed; its log says why",
        502: "The MT4 server did not answer as it should",
        503: "The peer of the MT4 server is not linked, or not connected; try again later",
        504: "No answer in time. Of a change: its outcome is not known yet, and the same request "
        "with the same Idempotency-Key tells it",
    },
    anytime=frozenset({400, 401, 403, 405, 413, 421, 422, 429, 500, 502, 503, 504}),
    headers={
        SUCCESSOR: "In the last hour of an access token: the one to use from now on",
        REPLAYED: "true: it was done before, under this Idempotency-Key; this is that answer, or "
        "the user as he is by now",
    },
)


KEY: Final = "Idempotency-Key"
Key = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
KEY_HEADER = Parameter(
    KEY,
    Key,
    "Your own, for this request and for good: who sends it again, for want of an answer, gets the "
    "first answer (a user as he is by then), and nothing is done twice. Other operators' keys are "
    "others.",
)
LOGIN = Parameter("login", Login, "Of the account.", required=True)
ORDER = Parameter("order", Order, "Number of the trade.", required=True)
GROUP = Parameter("name", GroupName, "Of the group.", required=True)
SYMBOL = Parameter("name", SymbolName, "Of the symbol.", required=True)

P = TypeVar("P", bound=Struct)
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagerServices:
    """Parts of the gateway that the manager API answers from."""

    link: Link
    supervision: Supervision
    changes: Changes
    login: OperatorLogin
    tokens: TokenBook
    rate: Rate
    audit: Audit
    max_amount: float | None = None
    """Of one deposit, withdrawal or credit; ``None`` is no limit."""


@dataclass(frozen=True, kw_only=True)
class ManagerCall(ParsedRequest):
    """A call: who asks, and what with."""

    services: ManagerServices
    operation: ManagerOperation
    admission: Admission | None
    """``None`` for what is open to everybody."""
    key: str | None = None
    request: bytes = b""
    """What is asked, however it was written: see :func:`canonical_request`."""
    told: dict[str, str] = field(default_factory=dict)
    """Headers that the answer shall have."""

    @property
    def operator(self) -> str:
        """Operator who asks."""
        assert self.admission is not None  # what is open to everybody asks for nobody
        return self.admission.operator.name

    async def question(self, command: Command[P, R], params: P) -> R:
        """Ask the peer.

        Raises:
            ManagerError: why there is no answer.

        """
        return await self.services.link.ask(command, params)

    async def explanation(self, command: Command[P, R], params: P) -> R | None:
        """Ask the peer for what explains a refusal; ``None`` where there is no answer: then what
        the change was refused with is told as it is.
        """
        try:
            return await self.question(command, params)
        except ManagerError:
            return None

    async def change(
        self,
        command: Command[P, R],
        params: Callable[[str], P],
        facts: Mapping[str, Any],
        *,
        role: OperatorRole | None = None,
    ) -> R:
        """Change something, once; return what the server answers, or answered the first time.

        Args:
            command: of the Manager API.
            params: makes them for the tag of the change.
            facts: what it is about, for journal and trail: no secrets.
            role: what it takes, where that is more than the operation itself.

        Raises:
            ManagerError: it was not done, or may have been.
            Unauthorized: the operator's rights have ended.

        """
        need = role or self.operation.needs
        made = await self.services.changes.make(
            Change(
                operator=self.operator,
                operation=self.operation.name,
                command=command,
                params=params,
                facts=facts,
                request=self.request,
                key=self.key,
                recheck=lambda: self.recheck(need),
            )
        )
        # a client that repeats must be able to tell an old answer from a new one
        if made.replayed:
            self.told[REPLAYED] = "true"
        return made.result

    def recheck(self, role: OperatorRole) -> None:
        """See that the operator may still do what takes a role.

        Raises:
            Unauthorized: his token has ended, or he has another role by now.

        """
        assert self.admission is not None  # see operator
        if not self.services.tokens.recheck(self.admission, role):
            raise Unauthorized("The access token has ended meanwhile; log in", reason="expired")


def canonical_request(operation: ManagerOperation, sent: ParsedRequest) -> bytes:
    """Return a canonical form of a request: equal for requests that ask for the same. So those
    that a later version adds do not make another request of one that was made before.
    """
    body = None if sent.content is None else sent.content.model_dump(exclude_defaults=True)
    asked = (operation.name, dict(sent.path), dict(sent.query), body)
    # json and not orjson: the journal keeps a hash of these bytes for good, and other spaces would
    # make another request of one that an earlier version has begun
    return json.dumps(asked, sort_keys=True).encode()


@dataclass(frozen=True)
class ManagerOperation(operation.Operation[ManagerCall]):
    """Operation of the manager API."""

    role: OperatorRole | None = OperatorRole.READ
    """What it takes; ``None``: it is open to everybody."""
    takes_form: bool = False
    is_change: bool = False
    """It changes something at the server, and takes an Idempotency-Key."""

    @property
    def needs(self) -> OperatorRole:
        """The role of what is not open to everybody."""
        assert self.role is not None
        return self.role

    @property
    def is_open(self) -> bool:
        """Whether it is for everybody, without a token."""
        return self.role is None

    @property
    def is_form(self) -> bool:
        """Whether its body is a form."""
        return self.takes_form

    @property
    def for_pages(self) -> bool:
        """No page calls it, of whatever origin."""
        return False

    @property
    def headers(self) -> tuple[Parameter, ...]:
        """The headers that mean something to it."""
        return (KEY_HEADER,) if self.is_change else ()

    def path_parameter(self, name: str) -> Parameter:
        """Return what a name in its path stands for."""
        if name == "name":
            return GROUP if self.path.startswith("/api/groups/") else SYMBOL
        return {"login": LOGIN, "order": ORDER}[name]
