"""Service of the registered accounts: follows their money and stops what loses too much."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager

from ea_bridge.commands import ACCOUNT_GET, NoParams
from ea_bridge.host import wall_ms
from ea_bridge.model import Account
from ea_bridge.registry import TerminalRegistry
from gateway.accounts import AccountBook, RegisteredAccount
from gateway.accounts.api import AccountsServices
from gateway.accounts.history import EquityBook, Sample, SwitchLine, SwitchLog, TradeBook
from gateway.accounts.peers import Peers
from gateway.audit import Audit
from gateway.auth.caller import Caller
from gateway.auth.gate import Gate
from gateway.background import background, next_look
from gateway.credentials.lease import Tier
from gateway.errors import GatewayError
from gateway.storage.ledger import Ledger
from gateway.storage.store import StoreError
from gateway.trading.kill_switch.halts import EVERYWHERE, Halt
from gateway.trading.kill_switch.switch import KillSwitch, SwitchChanged
from gateway.trading.terminal import GuardedTerminal, unattended

LOOK_S = 5.0
"""Between two looks at the money of the accounts."""
SAMPLE_MS = 60_000
"""Between two samples that are kept."""

GuardedBy = Callable[[str, Callable[[Tier], None]], GuardedTerminal]
logger = logging.getLogger(__name__)


class AccountsService:
    """Service of the registered accounts while the gateway runs.

    Args:
        book: the accounts.
        ledger: open for as long.
        registry: the live terminals.
        gate: whose tokens there are.
        switch: what stops trading.
        audit: where it is noted.
        guarded: make a terminal for a caller, who may be nobody.

    """

    def __init__(
        self,
        book: AccountBook,
        ledger: Ledger,
        *,
        registry: TerminalRegistry,
        gate: Gate,
        switch: KillSwitch,
        audit: Audit,
        guarded: GuardedBy,
    ) -> None:
        self._gate, self._guarded = gate, guarded
        self.services = AccountsServices(
            book=book,
            peers=Peers(registry, gate.owner),
            trades=TradeBook(ledger),
            equity=EquityBook(ledger),
            switch=switch,
            switch_log=SwitchLog(ledger),
            audit=audit,
            terminal=self._terminal,
            owner_of=gate.owner,
            terminals_of=self._terminals_of,
            recheck=gate.recheck,
        )
        self._sampled_ms: dict[int, int] = {}
        self._below: set[int] = set()
        """Accounts whose drawdown has stopped trading, and that have not recovered since."""
        switch.on_turn(self._note_turn)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the money of the accounts while the context lasts."""
        async with background(self._watch()):
            yield

    def _terminal(self, caller: Caller, name: str) -> GuardedTerminal:
        return self._guarded(name, lambda tier: self._gate.recheck(caller, tier))

    def _terminals_of(self, owner: str) -> Collection[str]:
        names = self._gate.terminals(owner)
        return names if owner else [EVERYWHERE, *names]

    def _note_turn(self, turned: SwitchChanged) -> None:
        halt = turned.halt
        is_halt = turned.kind == "halt"
        line = SwitchLine(
            action="activate" if is_halt else "deactivate",
            terminal=halt.terminal,
            reason=halt.reason if is_halt else "",
            triggered_by=turned.by,
            at_ms=wall_ms(),
        )
        self.services.switch_log.note(line)

    # --- money -------------------------------------------------------------------------------

    async def _watch(self) -> None:
        while True:
            await next_look(LOOK_S)
            try:
                await self.look()
            except StoreError as error:
                logger.error("the money of the accounts is not followed: %s", error)
            except Exception:  # the next look may find what this one did not
                logger.exception("the money of the accounts is not followed")

    async def look(self) -> None:
        """Ask all accounts for their money, once."""
        accounts = self.services.book.everybody()
        # all at once: one terminal that does not answer must not hold up the stop of another
        found = await asyncio.gather(*map(self._money, accounts))
        known = [
            (account, money)
            for account, money in zip(accounts, found, strict=True)
            if money is not None
        ]
        self._sample(known, wall_ms())
        for account, money in known:
            await self._check_drawdown(account, money)

    def _sample(self, known: Iterable[tuple[RegisteredAccount, Account]], now_ms: int) -> None:
        due = [
            Sample(account.id, now_ms, money.equity, money.balance)
            for account, money in known
            if now_ms - self._sampled_ms.get(account.id, 0) >= SAMPLE_MS
        ]
        if due:
            self._sampled_ms.update((sample.account_id, now_ms) for sample in due)
            self.services.equity.note(due)

    async def _money(self, account: RegisteredAccount) -> Account | None:
        name = self.services.peers.logged_in(account.owner, account.login, account.server)
        if name is None:
            return None
        try:
            return await self._guarded(name, unattended).request(ACCOUNT_GET, NoParams())
        except GatewayError:
            return None  # the next look is soon

    async def _check_drawdown(self, account: RegisteredAccount, money: Account) -> None:
        most = account.limits.max_drawdown_pct
        if most is None or money.balance <= 0 or drawdown_pct(money) < most:
            self._below.discard(account.id)
            return
        # once for each fall: a person who lifts the halt on purpose is not overruled 5 s later
        if account.id in self._below:
            return
        self._below.add(account.id)
        name = self.services.peers.logged_in(account.owner, account.login, account.server)
        if name is not None:
            reason = f"drawdown {drawdown_pct(money):.2f}% of account {account.login}"
            await self.services.switch.halt(
                Halt(
                    terminal=name,
                    armed_by="drawdown",
                    since_ms=wall_ms(),
                    reason=reason,
                    by_admin=True,
                )
            )


def drawdown_pct(money: Account) -> float:
    """Return how far the equity lies below the balance, in percent of it."""
    return (money.balance - money.equity) / money.balance * 100
