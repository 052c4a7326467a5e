"""Operation of the accounts API, the call that its handler gets, and the terminal that it asks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter

from ea_bridge.commands import Command
from ea_bridge.host import wall_ms
from ea_bridge.model.struct import Struct
from gateway.accounts import AccountBook, RegisteredAccount
from gateway.accounts.history import EquityBook, SwitchLog, TradeBook
from gateway.accounts.peers import Peers
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.chunks import CHUNK, in_chunks
from gateway.credentials.lease import Tier
from gateway.errors import (
    AccessDenied,
    GatewayError,
    Overloaded,
    TerminalBusy,
    TerminalDisconnected,
)
from gateway.http.rest import operation
from gateway.http.rest.models import Problem
from gateway.http.rest.operation import Parameter, ParsedRequest
from gateway.trading.kill_switch.switch import KillSwitch
from gateway.trading.terminal import GuardedTerminal

from .models import AccountId

__all__ = ["AccountsCall", "AccountsOperation", "Parameter", "not_found"]

ACCOUNT = Parameter("account_id", AccountId, "Its id.", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsServices:
    """Parts of the gateway that the accounts API answers from."""

    book: AccountBook
    peers: Peers
    trades: TradeBook
    equity: EquityBook
    switch: KillSwitch
    switch_log: SwitchLog
    audit: Audit
    terminal: Callable[[Caller, str], GuardedTerminal]
    """A terminal by its name, as a caller may use it."""
    owner_of: Callable[[str], str]
    """Whose a token is, by its id; empty where the home makes its own."""
    terminals_of: Callable[[str], Collection[str]]
    """Names of an owner's terminals, with that for all (empty) where there are no owners."""
    recheck: Callable[[Caller, Tier], None]
    """Raises ``AccessDenied`` where a caller's rights have ended, or do not reach that far now."""
    now_ms: Callable[[], int] = wall_ms


@dataclass(frozen=True, kw_only=True)
class AccountsCall(ParsedRequest):
    """Call of an operation: the caller and the request."""

    services: AccountsServices
    caller: Caller
    tier: Tier = Tier.READ
    """What the caller was found to be allowed."""

    @property
    def owner(self) -> str:
        """Owner of the caller's token, whose accounts these are."""
        return self.services.owner_of(self.caller.tid)


@dataclass(frozen=True)
class AccountsOperation(operation.Operation[AccountsCall]):
    """Operation of the accounts API."""

    tier: Tier | None = None
    """What a token must be allowed while its console is silent: all, or to read where it only
    reads, unless this says otherwise."""

    @property
    def needs(self) -> Tier:
        """Tier that a caller needs: the declared one, or the default of the HTTP method."""
        if self.tier is not None:
            return self.tier
        return Tier.READ if self.method == "GET" else Tier.FULL

    def path_parameter(self, name: str) -> Parameter:
        """Return what a name in its path stands for: an account."""
        return {"account_id": ACCOUNT}[name]

    @cached_property
    def _adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.response_model)

    async def carry_out(
        self, services: AccountsServices, caller: Caller, target: str, body: bytes
    ) -> bytes:
        """Answer one request; return the JSON, empty where there is none.

        Args:
            target: path and query, as they were sent.

        Raises:
            Problem: why not.

        """
        sent = self.read(target, body)
        call = AccountsCall(
            path=sent.path,
            query=sent.query,
            content=sent.content,
            services=services,
            caller=caller,
            tier=self.needs,
        )
        # before the handler, and without an await behind it: handlers that wait look again
        services.recheck(caller, self.needs)
        result = await self.handle(call)
        if self.response_model is None:
            return b""
        return await dump(self._adapter, result)


async def dump(adapter: TypeAdapter[Any], result: Any) -> bytes:
    """Return the JSON of a result; a long list takes a turn of the loop for each chunk."""
    if type(result) is not list or len(result) <= CHUNK:
        return adapter.dump_json(adapter.validate_python(result))
    pieces = [
        adapter.dump_json(adapter.validate_python(chunk))[1:-1]
        async for chunk in in_chunks(result)
    ]
    return b"".join((b"[", b",".join(pieces), b"]"))


def not_found() -> Problem:
    """No account of that id is the caller's; whether it is somebody else's is not told."""
    return Problem(404, "Account not found")


# --- the terminal of an account -----------------------------------------------------------------


P = TypeVar("P", bound=Struct)
R = TypeVar("R")
OFFLINE = "No terminal that is logged in to account {login} is linked; start it, then try again"
RETRY = {"Retry-After": "5"}


def find_terminal(call: AccountsCall, account: RegisteredAccount) -> GuardedTerminal | None:
    """Return the terminal that is logged in to an account, if it is linked."""
    name = call.services.peers.logged_in(account.owner, account.login, account.server)
    return None if name is None else call.services.terminal(call.caller, name)


def terminal_of(call: AccountsCall, account: RegisteredAccount) -> GuardedTerminal:
    """Return the terminal that is logged in to an account.

    Raises:
        Problem: 503, none is linked.

    """
    terminal = find_terminal(call, account)
    if terminal is None:
        raise Problem(503, OFFLINE.format(login=account.login), RETRY)
    return terminal


async def question(terminal: GuardedTerminal, command: Command[P, R], params: P) -> R:
    """Ask a terminal; errors as of :func:`explained`."""
    with explained():
        return await terminal.request(command, params)


@contextmanager
def explained() -> Iterator[None]:
    """Make problems of what a terminal that is asked in the context answers.

    Raises:
        Problem: 503, it is busy or gone; 502, it did not answer as it should.
        Unauthorized: the caller's rights have ended.

    """
    try:
        yield
    except AccessDenied:
        raise
    except GatewayError as error:
        explain(error)


def explain(error: GatewayError) -> NoReturn:
    """Raise the :class:`Problem` that an error of a terminal becomes here."""
    if isinstance(error, TerminalDisconnected | TerminalBusy | Overloaded):
        raise Problem(503, error.message, RETRY) from error
    raise Problem(502, error.message) from error
