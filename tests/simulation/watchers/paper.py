"""Watcher of an account that a person has on paper now and then."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from gateway.accounts.book import AccountBook, AccountChanges, NewAccount
from gateway.home.home import Home
from gateway.storage.store import StoreError

from ..accounts import ANSWERS_WITHIN_S
from ..intents import Intent, Json
from ..lives import CONFIG
from ..paper_judge import OPEN, PaperTruth, faults_on_paper, is_on_paper
from ..plugins import Watcher, watcher

if TYPE_CHECKING:
    from ..terminals import TradedTerminal
    from ..world import World

ON_PAPER = "paper"
"""The name of the terminal."""
PATIENCE = 120
"""Looks at what is unknown when all is at peace."""
LOOK_S = 0.5


@watcher
class PaperWatcher(Watcher):
    """Switches between paper and the market by another process, and judges what comes of it."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.intents: list[Intent] = []
        """What bots wanted of the account, on paper or at the market."""
        self.is_on = False
        self.is_due = False
        """It is to be switched as soon as an order of the account is on the disk, and not sent."""
        self._is_asked = False
        self._account_id = 0
        self._context = world.context("person")
        self._accuse = partial(world.invariants.broken, "paper")
        self._records: dict[str, Json | None] = {}

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """Take that there is about to be an order."""
        if terminal.name == ON_PAPER and isinstance(message, dict):
            self._is_asked = message["method"] == "place_order"

    def on_commit(self, life: int, group: list[Any]) -> None:
        """Switch right after a commit, before whoever waits for it goes on."""
        if self.is_due and self._is_asked:
            self.is_due = self._is_asked = False
            self.switch(on=not self.is_on)

    def switch(self, *, on: bool) -> None:
        """Have the account on paper, or at the market, from now on."""
        try:
            self._context.run(self._write, on)
        except StoreError:
            return  # and the person was told that it has failed
        self.is_on = on

    def _write(self, on: bool) -> None:
        with Home(self.world.folder / "home", CONFIG.secrets.key_file) as home:
            book = AccountBook(home.store, home.box)
            if self._account_id:
                book.change("", self._account_id, AccountChanges(paper_trade_enabled=on))
                return
            login, server = self.world.terminals[ON_PAPER].account
            new = NewAccount(
                name="Paper",
                broker="demo",
                login=login,
                server=server,
                max_lot_size=100.0,
                risk_pct=1.0,
                paper_trade_enabled=on,
            )
            self._account_id = book.create("", new, "emulator").id

    def on_frame_to_terminal(self, terminal: TradedTerminal, data: bytes) -> None:
        """See that nothing is sent to the market while the account is on paper."""
        if not self.is_on or terminal.name != ON_PAPER or b'"op":"order_send"' not in data:
            return
        if not self.world.disk.has_failed:  # what was read last holds then
            self._accuse(f"sent to the market, while it is on paper: {data!r}")

    async def rest(self) -> None:
        """Wait until it is known what became of each order."""
        for _ in range(PATIENCE):
            known = self._records
            asked = [
                one.id for one in self.intents if one.id not in known or _is_open(known[one.id])
            ]
            if not asked:
                break
            await self._ask(asked)
            await asyncio.sleep(LOOK_S)

    async def _ask(self, ids: list[str]) -> None:
        client = self.world.terminals[ON_PAPER].client
        params = [{"client_order_id": one} for one in ids]
        answers = await client.ask_all("get_order", params, ANSWERS_WITHIN_S)
        for id_, answer in zip(ids, answers, strict=True):
            self._records[id_] = answer.get("result")

    def at_end(self) -> None:
        """Judge what was on paper; leave the rest to who judges all that is at the market."""
        terminal = self.world.terminals.get(ON_PAPER)
        if terminal is None:
            return
        paper = PaperTruth(self.world.daemons.gateway.ledger.reader)
        for intent in self.intents:
            record = self._records[intent.id]
            for said in faults_on_paper(intent, record, paper, terminal.truth):
                self._accuse(said)
            if is_on_paper(record):
                self.world.sometimes("paper: order on paper")
            else:
                terminal.books.intents.append(intent)


def paper_watcher(world: World) -> PaperWatcher:
    """Return the one of a world."""
    return next(one for one in world.watchers if isinstance(one, PaperWatcher))


def _is_open(record: Json | None) -> bool:
    return record is not None and record["outcome"] in OPEN
