"""Operations on what holds for all accounts of an owner: risk settings and the kill switch."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from gateway.accounts.book import RiskSettings
from gateway.credentials.lease import Tier
from gateway.errors import Forbidden
from gateway.http.rest.models import Problem
from gateway.storage.store import StoreError
from gateway.trading.kill_switch.halts import EVERYWHERE, Halt

from .models import (
    KillSwitchActivate,
    KillSwitchLine,
    KillSwitchResponse,
    RiskResponse,
    RiskUpdate,
)
from .operation import AccountsCall, AccountsOperation

RISK = "/api/v1/settings/risk"
KILL_SWITCH = "/api/v1/kill-switch"

log = logging.getLogger(__name__)


async def _risk(call: AccountsCall) -> RiskSettings:
    return call.services.book.risk(call.owner)


async def _set_risk(call: AccountsCall) -> RiskSettings:
    wanted = call.body(RiskUpdate).model_dump(exclude_none=True)
    book = call.services.book
    changed = book.set_risk(call.owner, replace(book.risk(call.owner), **wanted))
    call.services.audit.record("risk_settings_changed", actor=call.caller.tid, changed=wanted)
    return changed


async def _state(call: AccountsCall) -> dict[str, Any]:
    halts = [
        halt
        for terminal in call.services.terminals_of(call.owner)
        for halt in call.services.switch.over(terminal)
    ]
    if not halts:
        return {"is_active": False, "reason": None, "activated_at": None, "activated_by": None}
    first = min(halts, key=lambda halt: halt.since_ms)
    return {
        "is_active": True,
        "reason": first.reason or None,
        "activated_at": first.since_ms,
        "activated_by": first.armed_by,
    }


async def _activate(call: AccountsCall) -> dict[str, Any]:
    reason = call.body(KillSwitchActivate).reason
    names = call.services.terminals_of(call.owner)
    halts = [
        Halt(
            terminal=terminal,
            armed_by=f"token {call.caller.tid}",
            since_ms=call.services.now_ms(),
            reason=reason,
            by_admin=True,
        )
        # one halt for all where the caller owns all: it holds for terminals to come as well
        for terminal in ([EVERYWHERE] if EVERYWHERE in names else names)
    ]
    try:
        for halt in halts:
            await call.services.switch.halt(halt)
    except StoreError as error:
        log.error("the kill switch is not on the disk: %s", error)
        words = (
            "Trading is halted now, but the halt could not be saved and ends with the gateway: "
            "see to its disk, then halt again"
        )
        raise Problem(500, words) from error
    return await _state(call)


async def _deactivate(call: AccountsCall) -> dict[str, Any]:
    try:
        for terminal in call.services.terminals_of(call.owner):
            await call.services.switch.resume(
                terminal, by_admin=True, by=f"token {call.caller.tid}"
            )
    except Forbidden as error:
        raise Problem(403, error.message) from error
    return await _state(call)


async def _logs(call: AccountsCall) -> list[dict[str, Any]]:
    lines = call.services.switch_log.newest(call.services.terminals_of(call.owner))
    return [
        {
            "id": line.id,
            "action": f"{line.action}d",
            "reason": line.reason or None,
            "triggered_by": line.triggered_by,
            "created_at": line.at_ms,
        }
        for line in lines
    ]


OPERATIONS = (
    AccountsOperation("get_risk_settings", "GET", RISK, "The risk settings.", _risk, RiskResponse),
    AccountsOperation(
        "change_risk_settings",
        "PATCH",
        RISK,
        "Change the risk settings; they count from the next order on.",
        _set_risk,
        RiskResponse,
        request_model=RiskUpdate,
    ),
    AccountsOperation(
        "set_risk_settings",
        "PUT",
        RISK,
        "The same as PATCH.",
        _set_risk,
        RiskResponse,
        request_model=RiskUpdate,
    ),
    AccountsOperation(
        "get_kill_switch",
        "GET",
        KILL_SWITCH,
        "Whether trading is halted, whoever halted it.",
        _state,
        KillSwitchResponse,
    ),
    AccountsOperation(
        "activate_kill_switch",
        "POST",
        KILL_SWITCH + "/activate",
        "Stop all new exposure at once; closing and cancelling stay possible.",
        _activate,
        KillSwitchResponse,
        request_model=KillSwitchActivate,
        tier=Tier.READ,
    ),
    AccountsOperation(
        "deactivate_kill_switch",
        "POST",
        KILL_SWITCH + "/deactivate",
        "Let trading go on.",
        _deactivate,
        KillSwitchResponse,
    ),
    AccountsOperation(
        "list_kill_switch_log",
        "GET",
        KILL_SWITCH + "/logs",
        "The last hundred turns of the kill switch, the newest first.",
        _logs,
        list[KillSwitchLine],
    ),
)
