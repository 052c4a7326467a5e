"""Operations on machines, and on their requests for approval."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.console.approvals import RequestView
from gateway.console.devices import DeviceInfo
from gateway.console.errors import NotFound
from gateway.http.rest.models import ResponseModel

from .models import (
    Approval,
    ApprovalList,
    Device,
    DeviceList,
    UserCode,
)
from .operation import ConsoleCall, ConsoleOperation


async def _devices(call: ConsoleCall) -> ResponseModel:
    devices = await call.console.devices.list(call.user_id)
    copied = await call.console.clones.suspended(call.user_id)
    shown = [device for device in devices if device.status in ("approved", "revoked")]
    return DeviceList(devices=[_device(device, copied.get(device.did, ())) for device in shown])


async def _revoke_device(call: ConsoleCall) -> ResponseModel:
    return _device(await call.console.devices.revoke(call.user_id, call.path["did"]))


def _device(info: DeviceInfo, copied_to: Sequence[str] = ()) -> Device:
    facts = {name: getattr(info, name) for name in Device.model_fields if name != "copied_to"}
    return Device(**facts | {"tids": list(info.tids), "copied_to": list(copied_to)})


async def _resume_device(call: ConsoleCall) -> ResponseModel:
    await call.console.clones.resume(call.user_id, call.path["did"])
    return await _devices(call)


async def _forget_device(call: ConsoleCall) -> ResponseModel:
    await call.console.devices.forget(call.user_id, call.path["did"])
    return await _devices(call)


def _approval(view: RequestView) -> Approval:
    return Approval.model_validate(
        {name: getattr(view, name) for name in Approval.model_fields}
        | {"other_devices": list(view.other_devices)}
    )


async def _approvals(call: ConsoleCall) -> ResponseModel:
    views = await call.console.approvals.open_requests(call.user_id)
    return ApprovalList(approvals=[_approval(view) for view in views])


async def _one_approval(call: ConsoleCall) -> ResponseModel:
    view = await call.console.approvals.by_rid(call.user_id, call.path["rid"])
    if view is None:
        raise NotFound("There is no such request to you.")
    return _approval(view)


async def _approve(call: ConsoleCall) -> ResponseModel:
    code = call.body(UserCode).user_code
    await _one_approval(call)
    return _approval(await call.console.approvals.approve(call.user_id, call.path["rid"], code))


async def _not_mine(call: ConsoleCall) -> ResponseModel:
    await _one_approval(call)
    return _approval(await call.console.approvals.not_mine(call.user_id, call.path["rid"]))


async def _refuse(call: ConsoleCall) -> ResponseModel:
    await _one_approval(call)
    return _approval(await call.console.approvals.refuse(call.user_id, call.path["rid"]))


_ONE_DEVICE = "/api/v1/devices/{did}"
_ONE_APPROVAL = "/api/v1/approvals/{rid}"

OPERATIONS = (
    ConsoleOperation(
        "list_devices", "GET", "/api/v1/devices", "All machines.", _devices, DeviceList
    ),
    ConsoleOperation(
        "revoke_device",
        "POST",
        _ONE_DEVICE + "/revoke",
        "Stop a machine at once.",
        _revoke_device,
        Device,
    ),
    ConsoleOperation(
        "resume_device",
        "POST",
        _ONE_DEVICE + "/resume",
        "Say that both places from which a machine answers are one's own.",
        _resume_device,
        DeviceList,
        step_up=True,
    ),
    ConsoleOperation(
        "forget_device",
        "POST",
        _ONE_DEVICE + "/forget",
        "Let a revoked machine ask for approval again.",
        _forget_device,
        DeviceList,
        step_up=True,
    ),
    ConsoleOperation(
        "list_approvals",
        "GET",
        "/api/v1/approvals",
        "The machines that ask, the newest first.",
        _approvals,
        ApprovalList,
    ),
    ConsoleOperation(
        "get_approval",
        "GET",
        _ONE_APPROVAL,
        "One request, in whatever state.",
        _one_approval,
        Approval,
    ),
    ConsoleOperation(
        "approve",
        "POST",
        _ONE_APPROVAL + "/approve",
        "Approve with the code that the terminal shows.",
        _approve,
        Approval,
        request_model=UserCode,
        errors=(410,),
        step_up=True,
    ),
    ConsoleOperation(
        "say_not_me",
        "POST",
        _ONE_APPROVAL + "/not-me",
        "Say that somebody else asked, who has the token then: it is suspended, the machine gets "
        "nothing, and a new password has to be chosen.",
        _not_mine,
        Approval,
        errors=(410,),
    ),
    ConsoleOperation(
        "refuse",
        "POST",
        _ONE_APPROVAL + "/refuse",
        "Say no to the machine. The token goes on elsewhere.",
        _refuse,
        Approval,
        errors=(410,),
    ),
)
