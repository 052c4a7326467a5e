"""Operations on tokens and their terminals."""

from __future__ import annotations

from gateway.console.tokens import AS_BEFORE, TokenInfo
from gateway.credentials.record import TradeLimits
from gateway.http.rest.models import ResponseModel

from .models import (
    LimitsChange,
    MadeToken,
    NewLimits,
    NewToken,
    Replacement,
    Terminal,
    TerminalList,
    Token,
    TokenList,
)
from .operation import ConsoleCall, Operation


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
    Operation(
        "list_tokens", "GET", "/api/v1/tokens", "All tokens, the newest first.", _tokens, TokenList
    ),
    Operation(
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
    Operation("get_token", "GET", _PATH, "One token.", _get, Token),
    Operation(
        "get_token_terminals",
        "GET",
        _PATH + "/terminals",
        "What a token's terminals are doing; after its end, whether they have stopped.",
        _token_terminals,
        TerminalList,
    ),
    Operation(
        "set_token_limits",
        "PUT",
        _PATH + "/limits",
        "Set the bounds of a token: all of them.",
        _set_limits,
        Token,
        request_model=LimitsChange,
        step_up=True,
    ),
    Operation(
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
    Operation(
        "revoke_token",
        "POST",
        _PATH + "/revoke",
        "End a token at once and for good.",
        _revoke,
        Token,
    ),
    Operation(
        "suspend_token",
        "POST",
        _PATH + "/suspend",
        "Let a token open nothing until it is resumed.",
        _suspend,
        Token,
    ),
    Operation(
        "resume_token",
        "POST",
        _PATH + "/resume",
        "Undo that.",
        _resume,
        Token,
        errors=(409,),
        step_up=True,
    ),
    Operation(
        "list_terminals",
        "GET",
        "/api/v1/terminals",
        "What the terminals are doing.",
        _terminals,
        TerminalList,
    ),
)
