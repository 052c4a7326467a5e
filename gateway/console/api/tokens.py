"""Operations on tokens, and on their history: sessions of terminals, and uses of tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.console.reports import MAX_PAGE
from gateway.console.tokens import AS_BEFORE, TokenInfo
from gateway.credentials.record import TradeLimits
from gateway.http.rest.models import ResponseModel

from .models import (
    LimitsChange,
    MadeToken,
    NewLimits,
    NewToken,
    Replacement,
    RowId,
    Terminal,
    TerminalList,
    Tid,
    Token,
    TokenList,
)
from .operation import ConsoleCall, ConsoleOperation, Parameter


class Run(ResponseModel):
    """A session of a terminal, as its machine has told it."""

    id: str
    tid: str
    name: str
    """Of the token."""
    did: str
    hostname: str
    state: Literal["online", "offline", "pending", "unknown"]
    """`unknown`: the machine has not been heard of for a minute and a half."""
    started_at: int
    ended_at: int | None
    reason: str
    """Why it ended; `daemon_gone` and `replaced`, or the machine's own words."""
    platform: str
    login: int
    server: str
    company: str
    version: str
    """Of the EA and its terminal."""


class RunList(ResponseModel):
    """Sessions, the newest first; `before` asks for the next page."""

    runs: list[Run]
    before: str | None


class Login(ResponseModel):
    """Uses of a token by one program in one way, within an hour."""

    id: int
    tid: str
    name: str
    """Of the token."""
    did: str
    hostname: str
    way: str
    """`http`, `ws` or `terminal`."""
    outcome: Literal["ok", "refused"]
    reason: str
    """Why it was refused, as the gateway's error -32001 says it."""
    agent: str
    """What the program said of itself."""
    first_at: int
    last_at: int
    count: int


class LoginList(ResponseModel):
    """Uses of the tokens, the newest first; `before` asks for the next page."""

    logins: list[Login]
    before: int | None


async def _runs(call: ConsoleCall) -> ResponseModel:
    limit = call.query["limit"]
    found = await call.console.reports.list(
        call.user_id, limit=limit, before=call.query["before"], tid=call.query["tid"]
    )
    lines = [
        Run.model_validate({name: getattr(run, name) for name in Run.model_fields})
        for run in found
    ]
    return RunList(runs=lines, before=lines[-1].id if len(lines) == limit else None)


async def _logins(call: ConsoleCall) -> ResponseModel:
    limit = call.query["limit"]
    found = await call.console.logins.list(
        call.user_id,
        limit=limit,
        before=call.query["before"],
        tid=call.query["tid"],
        outcome=call.query["outcome"],
    )
    lines = [Login.model_validate(login) for login in found]
    return LoginList(logins=lines, before=lines[-1].id if len(lines) == limit else None)


_LIMIT = Parameter("limit", Annotated[int, Field(ge=1, le=MAX_PAGE)], "Lines at most.", 50)
_OF_TOKEN = Parameter("tid", Tid, "Only of this token.")

HISTORY_OPERATIONS = (
    ConsoleOperation(
        "list_runs",
        "GET",
        "/api/v1/runs",
        "The sessions of one's terminals: begin, end, machine, version, why it ended.",
        _runs,
        RunList,
        query=(_LIMIT, Parameter("before", RowId, "Only those older than this id."), _OF_TOKEN),
    ),
    ConsoleOperation(
        "list_logins",
        "GET",
        "/api/v1/logins",
        "Who came with one's tokens, let in or refused: when, where, which program.",
        _logins,
        LoginList,
        query=(
            _LIMIT,
            Parameter(
                "before", Annotated[int, Field(ge=1, le=2**53)], "Only lines older than this id."
            ),
            _OF_TOKEN,
            Parameter("outcome", Literal["ok", "refused"], "Only those let in, or those refused."),
        ),
    ),
)


def _token(info: TokenInfo) -> Token:
    return Token.model_validate(info)


def _made(made: tuple[str, TokenInfo]) -> MadeToken:
    text, info = made
    return MadeToken(token=_token(info), auth_token=text)


def _limits(given: NewLimits) -> TradeLimits:
    return TradeLimits.model_validate(given.model_dump())


async def _tokens(call: ConsoleCall) -> ResponseModel:
    return TokenList(
        tokens=[_token(token) for token in await call.console.tokens.list(call.user_id)]
    )


async def _create(call: ConsoleCall) -> ResponseModel:
    given = call.body(NewToken)
    return _made(
        await call.console.tokens.create(
            call.user_id,
            given.name,
            platform=given.platform,
            scopes=given.scopes,
            lifetime_s=given.lifetime_s,
            limits=_limits(given.limits),
            strict_terminal=given.strict_terminal,
        )
    )


async def _get(call: ConsoleCall) -> ResponseModel:
    return _token(await call.console.tokens.get(call.user_id, call.path["tid"]))


async def _set_limits(call: ConsoleCall) -> ResponseModel:
    given = call.body(LimitsChange)
    return _token(
        await call.console.tokens.update_limits(
            call.user_id,
            call.path["tid"],
            _limits(given.limits),
            strict_terminal=given.strict_terminal,
        )
    )


async def _replace(call: ConsoleCall) -> ResponseModel:
    given = call.body(Replacement)
    lifetime_s = AS_BEFORE if given.lifetime_s == "as_before" else given.lifetime_s
    return _made(
        await call.console.tokens.replace(
            call.user_id, call.path["tid"], overlap_s=given.overlap_s, lifetime_s=lifetime_s
        )
    )


async def _revoke(call: ConsoleCall) -> ResponseModel:
    return _token(await call.console.tokens.revoke(call.user_id, call.path["tid"]))


async def _suspend(call: ConsoleCall) -> ResponseModel:
    return _token(await call.console.tokens.suspend(call.user_id, call.path["tid"]))


async def _resume(call: ConsoleCall) -> ResponseModel:
    return _token(await call.console.tokens.resume(call.user_id, call.path["tid"]))


async def _terminals(call: ConsoleCall) -> ResponseModel:
    lines = await call.console.terminals.list(call.user_id)
    return TerminalList(terminals=[Terminal.model_validate(line) for line in lines])


async def _token_terminals(call: ConsoleCall) -> ResponseModel:
    token = await call.console.tokens.get(call.user_id, call.path["tid"])
    lines = await call.console.terminals.lines_of(token)
    return TerminalList(terminals=[Terminal.model_validate(line) for line in lines])


_PATH = "/api/v1/tokens/{tid}"

OPERATIONS = (
    ConsoleOperation(
        "list_tokens", "GET", "/api/v1/tokens", "All tokens, the newest first.", _tokens, TokenList
    ),
    ConsoleOperation(
        "create_token",
        "POST",
        "/api/v1/tokens",
        "Make a token. Its text is in this answer and in no other.",
        _create,
        MadeToken,
        request_model=NewToken,
        status=201,
        errors=(409,),
        step_up=True,
    ),
    ConsoleOperation("get_token", "GET", _PATH, "One token.", _get, Token),
    ConsoleOperation(
        "get_token_terminals",
        "GET",
        _PATH + "/terminals",
        "What a token's terminals are doing; after its end, whether they have stopped.",
        _token_terminals,
        TerminalList,
    ),
    ConsoleOperation(
        "set_token_limits",
        "PUT",
        _PATH + "/limits",
        "Set the bounds of a token: all of them.",
        _set_limits,
        Token,
        request_model=LimitsChange,
        step_up=True,
    ),
    ConsoleOperation(
        "replace_token",
        "POST",
        _PATH + "/replace",
        "Make a new token with the rights of an old one, which goes on for a while.",
        _replace,
        MadeToken,
        request_model=Replacement,
        status=201,
        step_up=True,
    ),
    ConsoleOperation(
        "revoke_token",
        "POST",
        _PATH + "/revoke",
        "End a token at once and for good.",
        _revoke,
        Token,
    ),
    ConsoleOperation(
        "suspend_token",
        "POST",
        _PATH + "/suspend",
        "Let a token open nothing until it is resumed.",
        _suspend,
        Token,
    ),
    ConsoleOperation(
        "resume_token",
        "POST",
        _PATH + "/resume",
        "Undo that.",
        _resume,
        Token,
        errors=(409,),
        step_up=True,
    ),
    ConsoleOperation(
        "list_terminals",
        "GET",
        "/api/v1/terminals",
        "What the terminals are doing.",
        _terminals,
        TerminalList,
    ),
)
