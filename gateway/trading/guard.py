"""The one door to a terminal.

Methods ask through a :class:`GuardedTerminal`; nothing else calls ``TerminalSession.request``
for a trade. It tells callers what became of a request in their own words: every error of the
bridge and every refusal of the broker leaves here as a :class:`~gateway.errors.GatewayError` with
``data.outcome`` where it was a trade.

A trade is checked twice: before it is prepared, and again synchronously right before its bytes
are written, so that a token revoked in between stops it, and so does the kill switch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ea_bridge import commands, errors
from ea_bridge.commands import Command
from ea_bridge.model import SUCCESSES, TradeRequest, TradeResult, TradeRetcode
from ea_bridge.model.struct import Struct
from gateway.credentials.tier import Tier
from gateway.errors import (
    AutotradingDisabled,
    BrokerDisconnected,
    GatewayError,
    OrderUnresolved,
)

from .asking import AskedTerminal
from .deadline import Deadline
from .handling import blame
from .refusals import NOT_EXECUTED, explain
from .retcodes import CHECK_AFTER_MS, Evidence, refusal


@dataclass(frozen=True, slots=True)
class Sent:
    """A trade that the broker took, and where its milliseconds went."""

    result: TradeResult
    queue_ms: float
    terminal_ms: float


class GuardedTerminal(AskedTerminal):
    """One terminal, as one caller may use it: questions and trades. Cheap: make one a call."""

    async def trade(
        self,
        request: TradeRequest,
        *,
        deadline: Deadline,
        client_order_id: str,
        tier: Tier = Tier.FULL,
    ) -> Sent:
        """Send one trade request, once.

        Args:
            request: what the EA is to do.
            deadline: until when.
            client_order_id: the caller's.
            tier: that it takes: ``REDUCE`` if nothing can be at risk by it that was not before.

        Raises:
            GatewayError: with ``data.outcome``: ``not_sent`` (nothing happened), ``rejected`` (the
                broker said no) or, as :class:`OrderUnresolved`, ``unknown``.

        """
        written_s = deadline.arrived_s

        def before_write() -> None:
            nonlocal written_s
            self._still_allowed(tier)
            self.desk.switch.check(tier)
            deadline.remaining_ms()
            written_s = time.perf_counter()

        try:
            self.check_tradable(tier)
            session = self._session()
            if session is None:
                raise self.offline()
            result = await session.request(
                commands.ORDER_SEND,
                request,
                ttl_ms=deadline.remaining_ms(),
                before_write=before_write,
            )
        except errors.OutcomeUnknown as unknown:
            raise _unresolved(client_order_id, acked=unknown.acked) from unknown
        except errors.CommandFailed as failed:
            if not _was_refused(failed):
                raise _unresolved(client_order_id, acked=True) from failed
            error = await self._trade_failure(failed, request)
            raise blame(error, client_order_id, "rejected") from failed
        except errors.BridgeError as error:
            raise blame(self._translated(error), client_order_id, "not_sent") from error
        except GatewayError as error:
            raise blame(error, client_order_id, "not_sent") from None
        if result.retcode not in SUCCESSES:
            evidence = Evidence(request=request, result=result)
            raise blame(await self._refused(result.retcode, evidence), client_order_id, "rejected")
        done_s = time.perf_counter()
        return Sent(
            result,
            queue_ms=round((written_s - deadline.arrived_s) * 1000, 3),
            terminal_ms=round((done_s - written_s) * 1000, 3),
        )

    def check_tradable(self, tier: Tier = Tier.FULL) -> None:
        """Refuse at once what the terminal has told us that it cannot carry out.

        Raises:
            Unauthorized, Forbidden: the caller's rights have ended, or end before that.
            KillSwitchActive: trading is halted.
            TerminalDisconnected, BrokerDisconnected, AutotradingDisabled: not sent.

        """
        self._still_allowed(tier)
        self.desk.switch.check(tier)
        session = self._session()
        if session is None:
            raise self.offline()
        if session.broker is False:
            raise BrokerDisconnected(terminal=self.name)
        if session.autotrading is False:
            code = TradeRetcode.CLIENT_DISABLES_AT
            unsent = refusal(code, Evidence(request=TradeRequest(action=0)))
            raise AutotradingDisabled(**{**unsent.data, "outcome": "not_sent"})

    async def _trade_failure(
        self, failed: errors.CommandFailed, request: TradeRequest
    ) -> GatewayError:
        if failed.retcode:
            return await self._refused(failed.retcode, Evidence(request=request))
        return await self._failure(failed, request)

    async def _refused(self, retcode: int, evidence: Evidence) -> GatewayError:
        return refusal(retcode, await explain(self._look, retcode, evidence))

    async def _look(self, command: Command[Any, Any], params: Struct) -> Any:
        """Ask for evidence: briefly, and nothing if it does not come."""
        try:
            return await self._ask(command, params, 1.0)
        except (GatewayError, errors.BridgeError):
            return None


def _was_refused(failed: errors.CommandFailed) -> bool:
    """Whether the EA's "no" settles it that the trade did not happen.

    It does not where the EA contradicts itself with the retcode of a success, or where it failed
    without one and may have sent the order before.
    """
    if failed.retcode:
        return failed.retcode not in SUCCESSES
    return failed.err in NOT_EXECUTED


def _unresolved(client_order_id: str, *, acked: bool) -> OrderUnresolved:
    return OrderUnresolved(
        outcome="unknown",
        client_order_id=client_order_id,
        acked=acked,
        check_after_ms=CHECK_AFTER_MS,
    )
