"""Operations on what a person owns: tokens, terminals, machines, approvals."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.console.approvals import RequestView
from gateway.console.devices import DeviceInfo
from gateway.console.errors import Unknown
from gateway.console.tokens import AS_BEFORE, TokenInfo
from gateway.credentials.record import TradeLimits
from gateway.http.rest.models import Answer

from .models import (
    Approval,
    Approvals,
    Device,
    Devices,
    LimitsChange,
    LimitsGiven,
    MadeToken,
    NewToken,
    Replacement,
    Terminal,
    Terminals,
    Token,
    Tokens,
    UserCode,
)
from .operation import ConsoleCall, Operation


def _token(info: TokenInfo) -> Token:
    return Token.model_validate(info)


def _made(made: tuple[str, TokenInfo]) -> MadeToken:
    text, info = made
    return MadeToken(token=_token(info), auth_token=text)


def _limits(given: LimitsGiven) -> TradeLimits:
    return TradeLimits.model_validate(given.model_dump())


async def _tokens(call: ConsoleCall) -> Answer:
    return Tokens(tokens=[_token(each) for each in await call.console.tokens.list(call.user_id)])


async def _create(call: ConsoleCall) -> Answer:
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


async def _get(call: ConsoleCall) -> Answer:
    return _token(await call.console.tokens.get(call.user_id, call.path["tid"]))


async def _set_limits(call: ConsoleCall) -> Answer:
    given = call.body(LimitsChange)
    return _token(
        await call.console.tokens.update_limits(
            call.user_id,
            call.path["tid"],
            _limits(given.limits),
            strict_terminal=given.strict_terminal,
        )
    )


async def _replace(call: ConsoleCall) -> Answer:
    given = call.body(Replacement)
    lifetime_s = AS_BEFORE if given.lifetime_s == "as_before" else given.lifetime_s
    return _made(
        await call.console.tokens.replace(
            call.user_id, call.path["tid"], overlap_s=given.overlap_s, lifetime_s=lifetime_s
        )
    )


async def _revoke(call: ConsoleCall) -> Answer:
    return _token(await call.console.tokens.revoke(call.user_id, call.path["tid"]))


async def _suspend(call: ConsoleCall) -> Answer:
    return _token(await call.console.tokens.suspend(call.user_id, call.path["tid"]))


async def _resume(call: ConsoleCall) -> Answer:
    return _token(await call.console.tokens.resume(call.user_id, call.path["tid"]))


async def _terminals(call: ConsoleCall) -> Answer:
    lines = await call.console.terminals.list(call.user_id)
    return Terminals(terminals=[Terminal.model_validate(line) for line in lines])


async def _token_terminals(call: ConsoleCall) -> Answer:
    token = await call.console.tokens.get(call.user_id, call.path["tid"])
    lines = await call.console.terminals.lines_of(token)
    return Terminals(terminals=[Terminal.model_validate(line) for line in lines])


async def _devices(call: ConsoleCall) -> Answer:
    devices = await call.console.devices.list(call.user_id)
    copied = await call.console.clones.suspended(call.user_id)
    shown = [each for each in devices if each.status in ("approved", "revoked")]
    return Devices(devices=[_device(each, copied.get(each.did, ())) for each in shown])


async def _revoke_device(call: ConsoleCall) -> Answer:
    return _device(await call.console.devices.revoke(call.user_id, call.path["did"]))


def _device(info: DeviceInfo, copied_to: Sequence[str] = ()) -> Device:
    facts = {name: getattr(info, name) for name in Device.model_fields if name != "copied_to"}
    return Device(**facts | {"tids": list(info.tids), "copied_to": list(copied_to)})


async def _resume_device(call: ConsoleCall) -> Answer:
    await call.console.clones.resume(call.user_id, call.path["did"])
    return await _devices(call)


async def _forget_device(call: ConsoleCall) -> Answer:
    await call.console.devices.forget(call.user_id, call.path["did"])
    return await _devices(call)


def _approval(view: RequestView) -> Approval:
    return Approval.model_validate(
        {name: getattr(view, name) for name in Approval.model_fields}
        | {"other_devices": list(view.other_devices)}
    )


async def _approvals(call: ConsoleCall) -> Answer:
    views = await call.console.approvals.open_requests(call.user_id)
    return Approvals(approvals=[_approval(view) for view in views])


async def _one_approval(call: ConsoleCall) -> Answer:
    view = await call.console.approvals.by_rid(call.user_id, call.path["rid"])
    if view is None:
        raise Unknown("There is no such question to you.")
    return _approval(view)


async def _approve(call: ConsoleCall) -> Answer:
    code = call.body(UserCode).user_code
    await _one_approval(call)
    return _approval(await call.console.approvals.approve(call.user_id, call.path["rid"], code))


async def _not_mine(call: ConsoleCall) -> Answer:
    await _one_approval(call)
    return _approval(await call.console.approvals.not_mine(call.user_id, call.path["rid"]))


async def _refuse(call: ConsoleCall) -> Answer:
    await _one_approval(call)
    return _approval(await call.console.approvals.refuse(call.user_id, call.path["rid"]))


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
    Operation("get_token", "GET", _ONE_TOKEN, "One token.", _get, Token),
    Operation(
        "get_token_terminals",
        "GET",
        _ONE_TOKEN + "/terminals",
        "What a token's terminals are doing; after its end, whether they have stopped.",
        _token_terminals,
        Terminals,
    ),
    Operation(
        "set_token_limits",
        "PUT",
        _ONE_TOKEN + "/limits",
        "Set the bounds of a token: all of them.",
        _set_limits,
        Token,
        given=LimitsChange,
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
    ),
    Operation(
        "suspend_token",
        "POST",
        _ONE_TOKEN + "/suspend",
        "Let a token open nothing until it is resumed.",
        _suspend,
        Token,
    ),
    Operation(
        "resume_token",
        "POST",
        _ONE_TOKEN + "/resume",
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
    ),
    Operation(
        "resume_device",
        "POST",
        _ONE_DEVICE + "/resume",
        "Say that both places from which a machine answers are one's own.",
        _resume_device,
        Devices,
        step_up=True,
    ),
    Operation(
        "forget_device",
        "POST",
        _ONE_DEVICE + "/forget",
        "Let a revoked machine ask for approval again.",
        _forget_device,
        Devices,
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
    ),
    Operation(
        "approve",
        "POST",
        _ONE_APPROVAL + "/approve",
        "Approve with the code that the terminal shows.",
        _approve,
        Approval,
        given=UserCode,
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
        errors=(410,),
    ),
    Operation(
        "refuse",
        "POST",
        _ONE_APPROVAL + "/refuse",
        "Say no to the machine. The token goes on elsewhere.",
        _refuse,
        Approval,
        errors=(410,),
    ),
)
