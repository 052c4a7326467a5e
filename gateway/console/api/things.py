"""Operations on what a person owns: tokens, terminals, machines, approvals."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.console.approvals import RequestView
from gateway.console.devices import DeviceInfo
from gateway.console.errors import Unknown
from gateway.console.tokens import AS_BEFORE, TokenInfo
from gateway.credentials.record import TradeLimits

from .models import (
    Answer,
    Approval,
    Approvals,
    Device,
    Devices,
    Did,
    LimitsChange,
    LimitsGiven,
    MadeToken,
    NewToken,
    Replacement,
    Rid,
    Terminal,
    Terminals,
    Tid,
    Token,
    Tokens,
    UserCode,
)
from .operation import Ask, Operation


def _token(info: TokenInfo) -> Token:
    return Token.model_validate(info)


def _made(made: tuple[str, TokenInfo]) -> MadeToken:
    text, info = made
    return MadeToken(token=_token(info), auth_token=text)


def _limits(given: LimitsGiven) -> TradeLimits:
    return TradeLimits.model_validate(given.model_dump())


async def _tokens(ask: Ask) -> Answer:
    return Tokens(tokens=[_token(each) for each in await ask.console.tokens.list(ask.user_id)])


async def _create(ask: Ask) -> Answer:
    given = ask.body(NewToken)
    return _made(
        await ask.console.tokens.create(
            ask.user_id,
            given.name,
            platform=given.platform,
            scopes=given.scopes,
            lifetime_s=given.lifetime_s,
            limits=_limits(given.limits),
            strict_terminal=given.strict_terminal,
        )
    )


async def _get(ask: Ask) -> Answer:
    return _token(await ask.console.tokens.get(ask.user_id, ask.path["tid"]))


async def _set_limits(ask: Ask) -> Answer:
    given = ask.body(LimitsChange)
    return _token(
        await ask.console.tokens.update_limits(
            ask.user_id,
            ask.path["tid"],
            _limits(given.limits),
            strict_terminal=given.strict_terminal,
        )
    )


async def _replace(ask: Ask) -> Answer:
    given = ask.body(Replacement)
    lifetime_s = AS_BEFORE if given.lifetime_s == "as_before" else given.lifetime_s
    return _made(
        await ask.console.tokens.replace(
            ask.user_id, ask.path["tid"], overlap_s=given.overlap_s, lifetime_s=lifetime_s
        )
    )


async def _revoke(ask: Ask) -> Answer:
    return _token(await ask.console.tokens.revoke(ask.user_id, ask.path["tid"]))


async def _suspend(ask: Ask) -> Answer:
    return _token(await ask.console.tokens.suspend(ask.user_id, ask.path["tid"]))


async def _resume(ask: Ask) -> Answer:
    return _token(await ask.console.tokens.resume(ask.user_id, ask.path["tid"]))


async def _terminals(ask: Ask) -> Answer:
    lines = await ask.console.terminals.list(ask.user_id)
    return Terminals(terminals=[Terminal.model_validate(line) for line in lines])


async def _token_terminals(ask: Ask) -> Answer:
    token = await ask.console.tokens.get(ask.user_id, ask.path["tid"])
    lines = await ask.console.terminals.lines_of(token)
    return Terminals(terminals=[Terminal.model_validate(line) for line in lines])


async def _devices(ask: Ask) -> Answer:
    devices = await ask.console.devices.list(ask.user_id)
    copied = await ask.console.copies.suspended(ask.user_id)
    shown = [each for each in devices if each.status in ("approved", "revoked")]
    return Devices(devices=[_device(each, copied.get(each.did, ())) for each in shown])


async def _revoke_device(ask: Ask) -> Answer:
    return _device(await ask.console.devices.revoke(ask.user_id, ask.path["did"]))


def _device(info: DeviceInfo, copied_to: Sequence[str] = ()) -> Device:
    facts = {name: getattr(info, name) for name in Device.model_fields if name != "copied_to"}
    return Device(**facts | {"tids": list(info.tids), "copied_to": list(copied_to)})


async def _resume_device(ask: Ask) -> Answer:
    await ask.console.copies.resume(ask.user_id, ask.path["did"])
    return await _devices(ask)


async def _forget_device(ask: Ask) -> Answer:
    await ask.console.devices.forget(ask.user_id, ask.path["did"])
    return await _devices(ask)


def _approval(view: RequestView) -> Approval:
    return Approval.model_validate(
        {name: getattr(view, name) for name in Approval.model_fields}
        | {"other_devices": list(view.other_devices)}
    )


async def _approvals(ask: Ask) -> Answer:
    views = await ask.console.approvals.open_requests(ask.user_id)
    return Approvals(approvals=[_approval(view) for view in views])


async def _one_approval(ask: Ask) -> Answer:
    view = await ask.console.approvals.by_rid(ask.user_id, ask.path["rid"])
    if view is None:
        raise Unknown("There is no such question to you.")
    return _approval(view)


async def _approve(ask: Ask) -> Answer:
    code = ask.body(UserCode).user_code
    await _one_approval(ask)
    return _approval(await ask.console.approvals.approve(ask.user_id, ask.path["rid"], code))


async def _not_mine(ask: Ask) -> Answer:
    await _one_approval(ask)
    return _approval(await ask.console.approvals.not_mine(ask.user_id, ask.path["rid"]))


async def _refuse(ask: Ask) -> Answer:
    await _one_approval(ask)
    return _approval(await ask.console.approvals.refuse(ask.user_id, ask.path["rid"]))


_TID, _DID, _RID = {"tid": Tid}, {"did": Did}, {"rid": Rid}
_ONE_TOKEN, _ONE_DEVICE = "/api/v1/tokens/{tid}", "/api/v1/devices/{did}"
_ONE_APPROVAL = "/api/v1/approvals/{rid}"

OPERATIONS = (
    Operation(
        "list_tokens", "GET", "/api/v1/tokens", "All tokens, the newest first.", _tokens, Tokens
    ),
    Operation(
        "create_token",
        "POST",
        "/api/v1/tokens",
        "Make a token. Its text is in this answer and in no other.",
        _create,
        MadeToken,
        given=NewToken,
        status=201,
        errors=(409,),
        step_up=True,
    ),
    Operation("get_token", "GET", _ONE_TOKEN, "One token.", _get, Token, path_types=_TID),
    Operation(
        "get_token_terminals",
        "GET",
        _ONE_TOKEN + "/terminals",
        "What a token's terminals are doing; after its end, whether they have stopped.",
        _token_terminals,
        Terminals,
        path_types=_TID,
    ),
    Operation(
        "set_token_limits",
        "PUT",
        _ONE_TOKEN + "/limits",
        "Set the bounds of a token: all of them.",
        _set_limits,
        Token,
        given=LimitsChange,
        path_types=_TID,
        step_up=True,
    ),
    Operation(
        "replace_token",
        "POST",
        _ONE_TOKEN + "/replace",
        "Make a new token with the rights of an old one, which goes on for a while.",
        _replace,
        MadeToken,
        given=Replacement,
        path_types=_TID,
        status=201,
        step_up=True,
    ),
    Operation(
        "revoke_token",
        "POST",
        _ONE_TOKEN + "/revoke",
        "End a token at once and for good.",
        _revoke,
        Token,
        path_types=_TID,
    ),
    Operation(
        "suspend_token",
        "POST",
        _ONE_TOKEN + "/suspend",
        "Let a token open nothing until it is resumed.",
        _suspend,
        Token,
        path_types=_TID,
    ),
    Operation(
        "resume_token",
        "POST",
        _ONE_TOKEN + "/resume",
        "Undo that.",
        _resume,
        Token,
        path_types=_TID,
        errors=(409,),
        step_up=True,
    ),
    Operation(
        "list_terminals",
        "GET",
        "/api/v1/terminals",
        "What the terminals are doing.",
        _terminals,
        Terminals,
    ),
    Operation("list_devices", "GET", "/api/v1/devices", "All machines.", _devices, Devices),
    Operation(
        "revoke_device",
        "POST",
        _ONE_DEVICE + "/revoke",
        "Stop a machine at once.",
        _revoke_device,
        Device,
        path_types=_DID,
    ),
    Operation(
        "resume_device",
        "POST",
        _ONE_DEVICE + "/resume",
        "Say that both places from which a machine answers are one's own.",
        _resume_device,
        Devices,
        path_types=_DID,
        step_up=True,
    ),
    Operation(
        "forget_device",
        "POST",
        _ONE_DEVICE + "/forget",
        "Let a revoked machine ask for approval again.",
        _forget_device,
        Devices,
        path_types=_DID,
        step_up=True,
    ),
    Operation(
        "list_approvals",
        "GET",
        "/api/v1/approvals",
        "The machines that ask, the newest first.",
        _approvals,
        Approvals,
    ),
    Operation(
        "get_approval",
        "GET",
        _ONE_APPROVAL,
        "One question, in whatever state.",
        _one_approval,
        Approval,
        path_types=_RID,
    ),
    Operation(
        "approve",
        "POST",
        _ONE_APPROVAL + "/approve",
        "Approve with the code that the terminal shows.",
        _approve,
        Approval,
        given=UserCode,
        path_types=_RID,
        errors=(410,),
        step_up=True,
    ),
    Operation(
        "say_not_me",
        "POST",
        _ONE_APPROVAL + "/not-me",
        "Say that somebody else asked, who has the token then: it is suspended, the machine gets "
        "nothing, and a new password has to be chosen.",
        _not_mine,
        Approval,
        path_types=_RID,
        errors=(410,),
    ),
    Operation(
        "refuse",
        "POST",
        _ONE_APPROVAL + "/refuse",
        "Say no to the machine. The token goes on elsewhere.",
        _refuse,
        Approval,
        path_types=_RID,
        errors=(410,),
    ),
)
