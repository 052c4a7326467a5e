"""An intent as clients see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from ea_bridge.model import TradeAction
from gateway import schemas as shapes
from gateway.schemas.convert import enums, retcode_name

from .intents import CommandRecord, Intent, ManualSettlement, Stage

_OUTCOMES: Mapping[Stage, Any] = {
    Stage.DONE: "done",
    Stage.REJECTED: "rejected",
    Stage.NOT_SENT: "not_sent",
    Stage.UNKNOWN: "unknown",
}


def record(intent: Intent, now: shapes.OrderNow | None) -> shapes.OrderRecord:
    """Return what is known of an intent.

    Args:
        now: what the terminal says.

    """
    answer = {} if intent.answer is None else orjson.loads(intent.answer)
    outcome = _OUTCOMES.get(intent.stage, "pending" if intent.is_under_way else "unknown")
    return {
        "client_order_id": intent.asked.client_order_id,
        "terminal": intent.terminal,
        "paper": intent.is_paper,
        "method": intent.asked.method or None,
        "params": orjson.loads(intent.asked.params),
        "state": intent.stage_now.value,
        "outcome": outcome,
        "reconciled": intent.reconciled,
        "time_created": intent.created_ms,
        "time_updated": intent.updated_ms,
        "sends": [_sent(send) for send in intent.sends],
        "result": answer.get("result"),
        "error": answer.get("error"),
        "settlement": _settlement(intent.settlement),
        "now": now,
    }


def _settlement(said: ManualSettlement | None) -> shapes.OrderSettlement | None:
    if said is None:
        return None
    return {
        "by": said.by,
        "outcome": said.outcome,
        "ticket": said.ticket,
        "checked": said.checked,
        "note": said.note,
        "time": said.time_ms,
        "time_contradicted": said.contradicted_ms,
    }


def noted(intent: Intent, sending: CommandRecord | None = None) -> dict[str, Any]:
    """Return what the audit trail says of an intent as it stands.

    Args:
        sending: the command that is about to be sent for it.

    """
    asked = intent.asked
    about = {
        "actor": asked.actor,
        "terminal": intent.terminal,
        "object": asked.client_order_id,
    }
    if sending is not None:
        request = sending.request
        return {
            **about,
            "login": asked.account.login,
            "server": asked.account.server,
            "method": asked.method or None,
            "state": Stage.JOURNALED.value,
            "command_id": sending.command_id,
            "paper": sending.is_paper or None,
            "action": request.action,
            "symbol": request.symbol or None,
            "type": request.type,
            "volume": request.volume or None,
            "price": request.price or None,
            "ticket": request.order or request.position or None,
        }
    return {
        **about,
        "state": intent.stage.value,
        "reconciled": intent.reconciled or None,
        "sends": [_passed(send) for send in intent.sends],
        "settlement": _settlement(intent.settlement),
    }


def _passed(send: CommandRecord) -> dict[str, Any]:
    """Return the states that a command went through, and when."""
    passed = {
        "sent_ms": send.written_ms,
        "acked_ms": send.acked_ms,
        "ended_ms": send.ended_ms,
        "retcode": send.retcode or None,
        "order": send.ticket,
        "presumed": send.presumed and send.presumed.value,
    }
    known = {name: value for name, value in passed.items() if value is not None}
    return {"command_id": send.command_id, "state": send.stage.value, **known}


def _sent(send: CommandRecord) -> shapes.SentCommand:
    request, result = send.request, send.result
    has_type = request.action not in (TradeAction.SLTP, TradeAction.CLOSE_BY)
    return {
        "command_id": send.command_id,
        "state": send.stage.value,
        "symbol": request.symbol,
        "type": enums.ORDER_TYPE[request.type] if has_type else None,
        "volume": request.volume or None,
        "comment": request.comment,
        "time_created": send.created_ms,
        "time_written": send.written_ms,
        "time_ended": send.ended_ms,
        "retcode": send.retcode or None,
        "retcode_name": retcode_name(send.retcode) if send.retcode else None,
        "order": (result.order if result else 0) or request.order or None,
        "deal": (result.deal if result else 0) or None,
        "position": (result.position if result else 0) or request.position or None,
    }


def settled(intent: Intent) -> shapes.OrderSettled:
    """Return the event that says how an intent has ended after all."""
    answer = {} if intent.answer is None else orjson.loads(intent.answer)
    return {
        "op": "settled",
        "client_order_id": intent.asked.client_order_id,
        "outcome": _OUTCOMES[intent.stage],
        "result": answer.get("result"),
        "error": answer.get("error"),
        "settlement": _settlement(intent.settlement),
        "paper": intent.is_paper,
    }
