"""Operations on history: sessions of terminals, and uses of tokens."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.console.reports import MAX_PAGE
from gateway.http.rest.models import ResponseModel

from .models import RowId, Tid
from .operation import ConsoleCall, Operation, Parameter


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

OPERATIONS = (
    Operation(
        "list_runs",
        "GET",
        "/api/v1/runs",
        "The sessions of one's terminals: begin, end, machine, version, why it ended.",
        _runs,
        RunList,
        query=(_LIMIT, Parameter("before", RowId, "Only those older than this id."), _OF_TOKEN),
    ),
    Operation(
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
