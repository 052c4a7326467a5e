"""Names of symbols: from the caller's to the broker's own; and what was just learnt of a symbol.

Brokers give the same instrument their own names: ``EURUSD``, ``EURUSD.r``, ``mEURUSD``. A caller
may name it plainly; the answer says what was taken for it. The broker's own name comes first,
always; then the same letters in another case; then the broker's affixes, which are learned from
the pairs of currencies in its list (``EURUSD.r`` shows that ``.r`` is one). What fits twice is
refused with the candidates: nobody guesses with somebody's money.

What the terminal has just said of a symbol is kept for a moment, so that one order after the other
costs no question each. It ends with the link, which is another one after a login elsewhere, a new
start of the EA or a lost connection; with the first refusal of an order for the symbol; when it is
taken out of Market Watch; and after :data:`CONTRACT_S`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ea_bridge import commands, host
from ea_bridge.model import SymbolExecution, SymbolInfo, SymbolTradeMode
from ea_bridge.session import SessionState
from gateway.errors import AmbiguousSymbol, GatewayError, SymbolNotFound

from .terminal import GuardedTerminal

MAX_LEARNED = 1024
"""Names that are remembered; brokers list up to tens of thousands, bots use a few."""
LEARNED_S = 900.0
"""For how long: the broker may come to list the very name."""
CONTRACT_S = 5.0
"""For how long the contract of a symbol is believed. No terminal tells that it has changed, and
brokers change steps, levels and modes at rollover or before news: a few orders at most meet the
broker's refusal instead of ours."""
ALIVE_S = 2.0
"""Silence of a link, two heartbeats long, after which the terminal is asked first: that question
tells that it does not answer, while an order would be left with an unknown outcome."""
MAX_CANDIDATES = 20
MAX_AFFIX = 8
_CURRENCY = (
    "(AUD|BRL|BTC|CAD|CHF|CLP|CNH|CZK|DKK|ETH|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|"
    "RON|RUB|SEK|SGD|THB|TRY|USD|XAG|XAU|XPD|XPT|ZAR)"
)
_PAIR = re.compile(_CURRENCY * 2)

_Key = tuple[int, str, str]
"""An account's login and server, and what a caller says."""


_OWN_PRICE = frozenset({SymbolExecution.MARKET, SymbolExecution.EXCHANGE})
"""The broker takes its own price for an order at market, whatever the request says."""


@dataclass(frozen=True, slots=True)
class _Contract:
    """What a terminal said of a symbol, on which link, and when it was asked for."""

    info: SymbolInfo
    session: str
    asked_s: float


@dataclass
class SymbolNames:
    """Names of one terminal's symbols, as its callers say them."""

    monotonic_s: Callable[[], float] = host.monotonic_s
    _learned: dict[_Key, tuple[str, float]] = field(default_factory=dict)
    _contracts: dict[str, _Contract] = field(default_factory=dict)

    async def find(self, terminal: GuardedTerminal, name: str) -> SymbolInfo:
        """Return the symbol that a name stands for, selected in Market Watch.

        Raises:
            SymbolNotFound: the broker has none that fits; ``data.did_you_mean`` names the nearest.
            AmbiguousSymbol: it has several; ``data.candidates`` names them.

        """
        key = _key(terminal, name)
        learned = self._known(key)
        if learned is not None:
            try:
                return await self._ask(terminal, learned)
            except SymbolNotFound:
                self._learned.pop(key, None)  # the broker has renamed it
        info = await self._search(terminal, name)
        self._learn(key, info.name)
        return info

    def fresh(self, terminal: GuardedTerminal, name: str) -> SymbolInfo | None:
        """Return what the terminal has just said of a symbol, if a plain order at market may go by
        that; ``None``: ask.

        Its prices may be old, so it is for orders whose price is the broker's own. All the rest
        of it (volumes, filling, trade mode) the terminal or the broker checks again.
        """
        learned = self._known(_key(terminal, name))
        contract = None if learned is None else self._contracts.get(learned)
        if contract is None or self.monotonic_s() >= contract.asked_s + CONTRACT_S:
            return None
        session, info = terminal.session, contract.info
        if session is None or session.id != contract.session:
            return None
        if session.state is not SessionState.READY or session.silence_s > ALIVE_S:
            return None
        # a symbol that is not open to all is looked at with each order
        is_plain = info.trade_mode == SymbolTradeMode.FULL and info.trade_exemode in _OWN_PRICE
        return info if info.select and is_plain else None

    def forget(self, listed: str) -> None:
        """Ask the terminal with the next order: what it said of a symbol may be no longer true."""
        self._contracts.pop(listed, None)

    async def name(self, terminal: GuardedTerminal, name: str) -> str:
        """Return the broker's name of what a caller calls ``name``.

        A name that fits nothing is returned as it is: who asks for it is told so, and a symbol
        that the broker has taken off its list is still in the account's history.

        Raises:
            AmbiguousSymbol: the broker has several; ``data.candidates`` names them.

        """
        try:
            return await self.surely(terminal, name)
        except AmbiguousSymbol:
            raise
        except GatewayError:
            return name  # who asks for it meets the same error, or can do without the answer

    async def surely(self, terminal: GuardedTerminal, name: str) -> str:
        """Return the same for who must not take silence for an answer.

        Raises:
            AmbiguousSymbol: the broker has several; ``data.candidates`` names them.
            GatewayError: the terminal did not say.

        """
        key = _key(terminal, name)
        learned = self._known(key)
        if learned is not None:
            return learned
        try:
            return (await self.find(terminal, name)).name
        except SymbolNotFound:
            self._learn(key, name)  # or each call would ask for the whole list
            return name

    async def optional(self, terminal: GuardedTerminal, name: str | None) -> str | None:
        """Return the broker's name, as :meth:`name`; ``None`` for none."""
        return None if name is None else await self.name(terminal, name)

    async def names(self, terminal: GuardedTerminal, names: Iterable[str]) -> frozenset[str]:
        """Return the broker's names of what callers call ``names``; ambiguous ones stand for
        themselves alone.
        """
        found = set()
        for name in names:
            try:
                found.add(await self.name(terminal, name))
            except AmbiguousSymbol:
                found.add(name)
        return frozenset(found)

    def _known(self, key: _Key) -> str | None:
        learned, until_s = self._learned.get(key, (None, 0.0))
        return learned if self.monotonic_s() < until_s else None

    def _learn(self, key: _Key, listed: str) -> None:
        """Remember it of the account that was asked, whichever the terminal is in by now."""
        if len(self._learned) >= MAX_LEARNED:
            self._learned.clear()
        self._learned[key] = (listed, self.monotonic_s() + LEARNED_S)

    async def _search(self, terminal: GuardedTerminal, name: str) -> SymbolInfo:
        try:
            return await self._ask(terminal, name)
        except SymbolNotFound:
            # the whole list only now: it is long, and mostly the name is right
            listed = await terminal.request(commands.SYMBOLS_GET, commands.SymbolsParams())
            found = candidates(name, [symbol.name for symbol in listed])
            if not found:
                raise
        if len(found) > 1:
            raise AmbiguousSymbol(symbol=name, candidates=found[:MAX_CANDIDATES])
        return await self._ask(terminal, found[0])

    async def _ask(self, terminal: GuardedTerminal, listed: str) -> SymbolInfo:
        """Ask the terminal for a symbol, and keep what it says."""
        session, asked_s = terminal.session, self.monotonic_s()
        self.forget(listed)  # also where the answer does not come
        info = await terminal.symbol(listed)
        if session is not None and info.name == listed:
            if len(self._contracts) >= MAX_LEARNED:
                self._contracts.clear()
            self._contracts[listed] = _Contract(info, session.id, asked_s)
        return info


def _key(terminal: GuardedTerminal, name: str) -> _Key:
    hello = terminal.hello
    return (0, "", name) if hello is None else (hello.login, hello.server, name)


def candidates(name: str, listed: Iterable[str]) -> list[str]:
    """Return the names that may be meant by one that is not listed.

    The same letters in another case come before names with an affix of the broker's.
    """
    names = list(listed)
    wanted = name.casefold()
    # another case first: a name with an affix is another symbol where the bare one is listed
    same = [name for name in names if name.casefold() == wanted]
    if same:
        return same
    dressed = {(before + name + after).casefold() for before, after in affixes(names)}
    return [name for name in names if name.casefold() in dressed]


def affixes(names: Iterable[str]) -> set[tuple[str, str]]:
    """Return what the broker writes before and after its pairs of currencies."""
    found = set()
    for name in names:
        pair = _PAIR.search(name)
        if pair is None:
            continue
        before, after = name[: pair.start()], name[pair.end() :]
        # longer than that it is no affix, but another product that has a pair in its name
        if (before or after) and len(before) <= MAX_AFFIX and len(after) <= MAX_AFFIX:
            found.add((before, after))
    return found
