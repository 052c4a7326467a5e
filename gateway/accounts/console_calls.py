"""Calls that people make from the console: halts, and the accounts where the owner allows that.

Each is made in the name of a token, and may no more than its holder: accounts need one of the
scope ``admin``. A halt needs none, since it only takes rights away, and the console lifts no halt
but its own. See :mod:`gateway.console_link.calls` for what has been checked before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Annotated, Final

import orjson
from pydantic import Field, ValidationError

from ea_bridge.commands import ACCOUNT_GET, NoParams
from ea_bridge.host import wall_ms
from ea_bridge.model import Account
from ea_bridge.registry import TerminalRegistry
from gateway.accounts.api import AccountsApi, AccountsServices
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.credentials.console_call import CallName, SignedCall
from gateway.credentials.daemon_api import TerminalSummary
from gateway.credentials.lease import Tier
from gateway.errors import AccessDenied, GatewayError
from gateway.http.rest.models import RequestModel
from gateway.storage.store import StoreError
from gateway.trading.kill_switch.halts import BY_CONSOLE, MAX_REASON, Halt

MONEY_S: Final = 2.0
"""For a terminal to tell its money: one that hangs must not hold up the news of a halt."""
CHANGING: Final[frozenset[CallName]] = frozenset(
    {"halt", "resume", "register_account", "update_account", "delete_account"}
)
"""Calls that each stand in the audit trail."""
OFF: Final = (
    "The owner of this machine has not allowed it: set manage_accounts = true under [console] in "
    "its config.toml, then start the gateway anew"
)

logger = logging.getLogger(__name__)


class HaltRequest(RequestModel):
    """Why trading of a terminal is to stop."""

    reason: Annotated[str, Field(max_length=MAX_REASON, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class ConsoleCalls:
    """Executor of the console's calls; see :class:`gateway.console_link.CallExecutor`.

    Args:
        api: answers what concerns accounts.
        services: the same parts.
        registry: the live terminals.
        gate: knows what the tokens may do.
        manages: whether accounts may be managed from the console.

    """

    def __init__(
        self,
        api: AccountsApi,
        services: AccountsServices,
        registry: TerminalRegistry,
        gate: Gate,
        *,
        manages: bool,
    ) -> None:
        self._api = api
        self._services = services
        self._registry = registry
        self._gate = gate
        self.manages = manages

    # --- calls -------------------------------------------------------------------------------

    async def execute(self, call: SignedCall, password: str) -> tuple[int, str]:
        """Carry a call out; return a status of HTTP and JSON."""
        try:
            status, body = await self._execute(call, password)
        except AccessDenied as denied:
            status, body = 403, _detail(str(denied))
        except Exception:  # nothing of it goes to the console
            logger.exception("the console's call %s failed", call.name)
            status, body = 500, _detail("The gateway failed; its log says why")
        # each page that is looked at asks some: a flood of those is counted, not written
        audit = self._services.audit
        note = audit.record if call.name in CHANGING else audit.often
        # its outcome only: neither body nor answer, which may name what a person keeps to himself
        note(
            "console_call",
            actor=call.tid,
            object=call.name,
            outcome="ok" if status < 400 else "refused",
            status=status,
            account=call.account_id,
            call=call.cid,
        )
        return status, body.decode()

    async def _execute(self, call: SignedCall, password: str) -> tuple[int, bytes]:
        # looked up now: what was revoked since the call was signed may do nothing
        caller = self._gate.admit_signed(call.tid)
        if call.name == "halt":
            return await self._halt(caller, call.body)
        if call.name == "resume":
            return await self._resume(caller)
        if not self.manages:
            return 403, _detail(OFF)
        try:
            body = _with_password(call.body, password)
        except ValueError:
            return 422, _detail("The call's body is none: a password is sealed beside it")
        return await self._api.call(caller, call.name, call.account_id, body)

    async def _halt(self, caller: Caller, body: str) -> tuple[int, bytes]:
        try:
            reason = HaltRequest.model_validate_json(body or "{}").reason
        except ValidationError:
            return 422, _detail(f"Give a reason of at most {MAX_REASON} plain characters")
        halt = Halt(
            terminal=caller.terminal,
            armed_by=BY_CONSOLE,
            since_ms=wall_ms(),
            reason=reason,
            by_admin=True,
        )
        try:
            await self._services.switch.halt(halt)
        except StoreError as error:
            logger.error("the kill switch is not on the disk: %s", error)
            return 500, _detail(
                "Trading is halted, but only until the gateway ends: its disk refuses it"
            )
        return self._halted(caller)

    async def _resume(self, caller: Caller) -> tuple[int, bytes]:
        self._services.recheck(caller, Tier.FULL)
        try:
            await self._services.switch.resume(caller.terminal, by_admin=True, by=BY_CONSOLE)
        except GatewayError as error:
            return 409, _detail(error.message)
        except StoreError as error:
            logger.error("a halt cannot be lifted: %s", error)
            return 500, _detail("The halt stays: the gateway's disk refuses the change")
        return self._halted(caller)

    def _halted(self, caller: Caller) -> tuple[int, bytes]:
        halts = self._services.switch.over(caller.terminal)
        return 200, orjson.dumps(
            {
                "halts": [
                    {"by": one.armed_by, "since_ms": one.since_ms, "reason": one.reason}
                    for one in halts
                ]
            }
        )

    # --- figures -----------------------------------------------------------------------------

    def on_turn(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever trading of a terminal was halted or goes on."""
        self._services.switch.on_turn(lambda _: callback())

    async def summaries(self) -> Sequence[TerminalSummary]:
        """Return the figures of all terminals of the console's tokens."""
        sessions = {one.hello.tid: one for one in self._registry.sessions()}
        tokens = self._gate.open_tokens()
        linked = [(tid, name) for tid, name in tokens if tid in sessions]
        found = await asyncio.gather(*(self._money(tid, name) for tid, name in linked))
        money = dict(zip((tid for tid, _ in linked), found, strict=True))
        return [self._summary(tid, name, tid in sessions, money.get(tid)) for tid, name in tokens]

    async def _money(self, tid: str, name: str) -> Account | None:
        try:
            async with asyncio.timeout(MONEY_S):
                terminal = self._services.terminal(self._gate.admit_signed(tid), name)
                return await terminal.request(ACCOUNT_GET, NoParams())
        except (AccessDenied, GatewayError, TimeoutError):
            return None  # the next look is soon

    def _summary(
        self, tid: str, name: str, linked: bool, money: Account | None
    ) -> TerminalSummary:
        halt = next(iter(self._services.switch.over(name)), None)
        return TerminalSummary(
            tid=tid,
            at=wall_ms() // 1000,
            linked=linked,
            login=money.login if money else 0,
            server=money.server[:128] if money else "",
            currency=money.currency[:16] if money else "",
            balance=money.balance if money else None,
            equity=money.equity if money else None,
            paper=money.paper if money else False,
            halted_by=halt.armed_by[:128] if halt else "",
            halted_at=halt.since_ms // 1000 if halt else None,
            halt_reason=halt.reason[:200] if halt else "",
        )


def _with_password(body: str, password: str) -> bytes:
    """Put the password where the API has it; the body itself carries none.

    Raises:
        ValueError: it does, or is no object, or names a server without a password: no console has
            the one that is stored here tried at a server of its choice.

    """
    if not body and not password:
        return b""
    members = orjson.loads(body or "{}")
    if not isinstance(members, dict) or "password" in members:
        raise ValueError
    if not password:
        if "server" in members:
            raise ValueError
        return body.encode()
    return orjson.dumps({**members, "password": password})


def _detail(words: str) -> bytes:
    return orjson.dumps({"detail": words})
