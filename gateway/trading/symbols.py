"""Which of the broker's symbols a caller means.

Brokers give the same instrument their own names: ``EURUSD``, ``EURUSD.r``, ``mEURUSD``. A caller
may name it plainly; the answer says what was taken for it. The broker's own name comes first,
always; then the same letters in another case; then the broker's affixes, which are learned from
the pairs of currencies in its list (``EURUSD.r`` shows that ``.r`` is one). What fits twice is
refused with the candidates: nobody guesses with somebody's money.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ea_bridge import commands
from ea_bridge.model import SymbolInfo
from gateway.errors import AmbiguousSymbol, SymbolNotFound

if TYPE_CHECKING:
    from .guard import GuardedTerminal

MAX_LEARNED = 1024
"""Names that are remembered; brokers list up to tens of thousands, bots use a few."""
LEARNED_S = 900.0
"""For how long: the broker may come to list the very name."""
MAX_CANDIDATES = 20
MAX_AFFIX = 8
_CURRENCY = (
    "(AUD|BRL|BTC|CAD|CHF|CLP|CNH|CZK|DKK|ETH|EUR|GBP|HKD|HUF|ILS|INR|JPY|KRW|MXN|NOK|NZD|PLN|"
    "RON|RUB|SEK|SGD|THB|TRY|USD|XAG|XAU|XPD|XPT|ZAR)"
)
_PAIR = re.compile(_CURRENCY * 2)


@dataclass
class SymbolNames:
    """What callers of one terminal call the broker's symbols."""

    monotonic_s: Callable[[], float] = time.monotonic
    _learned: dict[tuple[int, str, str], tuple[str, float]] = field(default_factory=dict)

    async def find(self, terminal: GuardedTerminal, name: str) -> SymbolInfo:
        """Return the symbol that a name stands for, selected in Market Watch.

        Raises:
            SymbolNotFound: the broker has none that fits; ``data.did_you_mean`` names the nearest.
            AmbiguousSymbol: it has several; ``data.candidates`` names them.

        """
        hello = terminal.hello
        key = (0, "", name) if hello is None else (hello.login, hello.server, name)
        learned, until_s = self._learned.get(key, ("", 0.0))
        if self.monotonic_s() < until_s:
            try:
                return await terminal.symbol(learned)
            except SymbolNotFound:
                self._learned.pop(key, None)  # the broker has renamed it
        try:
            return await terminal.symbol(name)
        except SymbolNotFound:
            listed = await terminal.request(commands.SYMBOLS_GET, commands.SymbolsParams())
            found = candidates(name, [one.name for one in listed])
            if not found:
                raise
        if len(found) > 1:
            raise AmbiguousSymbol(symbol=name, candidates=found[:MAX_CANDIDATES])
        info = await terminal.symbol(found[0])
        if len(self._learned) >= MAX_LEARNED:
            self._learned.clear()
        self._learned[key] = (info.name, self.monotonic_s() + LEARNED_S)
        return info


def candidates(name: str, listed: Iterable[str]) -> list[str]:
    """Return the names that may be meant by one that is not listed.

    The same letters in another case come before names with an affix of the broker's.
    """
    names = list(listed)
    wanted = name.casefold()
    same = [one for one in names if one.casefold() == wanted]
    if same:
        return same
    dressed = {(before + name + after).casefold() for before, after in affixes(names)}
    return [one for one in names if one.casefold() in dressed]


def affixes(names: Iterable[str]) -> set[tuple[str, str]]:
    """Return what the broker writes before and after its pairs of currencies."""
    found = set()
    for name in names:
        pair = _PAIR.search(name)
        if pair is None:
            continue
        before, after = name[: pair.start()], name[pair.end() :]
        if (before or after) and len(before) <= MAX_AFFIX and len(after) <= MAX_AFFIX:
            found.add((before, after))
    return found
