"""The one door to a terminal.

Methods ask through a :class:`GuardedTerminal`; nothing else calls ``TerminalSession.request``
for a trade. It tells callers what became of a request in their own words: every error of the
bridge and every refusal of the broker leaves here as a :class:`~gateway.errors.GatewayError` with
``data.outcome`` where it was a trade.

A trade is checked twice: before it is prepared, and again synchronously right before its bytes
are written, so that a token revoked in between stops it, and so does the kill switch.
"""

from __future__ import annotations

from typing import Any

from ea_bridge import errors
from ea_bridge.commands import Command
from ea_bridge.model import TradeRequest, TradeRetcode
from ea_bridge.model.struct import Struct
from gateway.credentials.tier import Tier
from gateway.errors import AutotradingDisabled, BrokerDisconnected, GatewayError
from gateway.trading.requests import ReceiptContext

from .asking import AskedTerminal
from .refusals import explain
from .requests import Deadline
from .retcodes import Evidence, refusal
from .sending import Dispatch, Sent, send_trade

NO_CONTEXT = ReceiptContext()
"""Of a trade whose receipt nobody wants."""


class GuardedTerminal(AskedTerminal):
    """One terminal, as one caller may use it: questions and trades. Cheap: make one a call."""

    async def trade(
        self,
        request: TradeRequest,
        *,
        deadline: Deadline,
        client_order_id: str,
        tier: Tier = Tier.FULL,
        context: ReceiptContext = NO_CONTEXT,
    ) -> Sent:
        """Send one trade request, once, and note in the journal what becomes of it.

        Args:
            request: what the EA is to do.
            deadline: until when.
            client_order_id: the caller's.
            tier: that it takes: ``REDUCE`` if nothing can be at risk by it that was not before.
            context: what its receipt says beside.

        Raises:
            GatewayError: with ``data.outcome``: ``not_sent`` (nothing happened), ``rejected`` (the
                broker said no) or, as :class:`OrderUnresolved`, ``unknown``.

        """
        what = Dispatch(
            request=request,
            deadline=deadline,
            client_order_id=client_order_id,
            tier=tier,
            context=context,
        )
        return await send_trade(self, what)

    def check_last(self, tier: Tier) -> None:
        """Look once more at what may stop a trade: right before its bytes are written.

        Raises:
            Unauthorized, Forbidden: the caller's rights have ended, or end before that.
            KillSwitchActive: trading is halted.

        """
        self._still_allowed(tier)
        self.desk.switch.check(tier)

    def check_tradable(self, tier: Tier = Tier.FULL) -> None:
        """Refuse at once what the terminal has told us that it cannot carry out.

        Raises:
            Unauthorized, Forbidden: the caller's rights have ended, or end before that.
            KillSwitchActive: trading is halted.
            TerminalDisconnected, BrokerDisconnected, AutotradingDisabled: not sent.

        """
        self.check_last(tier)
        session = self._session()
        if session is None:
            raise self.offline()
        if session.broker is False:
            raise BrokerDisconnected(terminal=self.name)
        if session.autotrading is False:
            code = TradeRetcode.CLIENT_DISABLES_AT
            unsent = refusal(code, Evidence(request=TradeRequest(action=0)))
            raise AutotradingDisabled(**{**unsent.data, "outcome": "not_sent"})

    def translated(self, error: errors.BridgeError) -> GatewayError:
        """Return what a caller sees of a trade that the bridge did not send."""
        return self._translated(error)

    async def trade_failure(
        self, failed: errors.CommandFailed, request: TradeRequest
    ) -> GatewayError:
        """Return what a caller sees of the EA's refusal of a trade."""
        if failed.retcode:
            return await self.refused(failed.retcode, Evidence(request=request))
        return await self._failure(failed, request)

    async def refused(self, retcode: int, evidence: Evidence) -> GatewayError:
        """Return what a caller sees of the broker's refusal of a trade."""
        return refusal(retcode, await explain(self._look, retcode, evidence))

    async def _look(self, command: Command[Any, Any], params: Struct) -> Any:
        """Ask for evidence: briefly, and nothing if it does not come."""
        try:
            return await self._ask(command, params, 1.0)
        except (GatewayError, errors.BridgeError):
            return None
