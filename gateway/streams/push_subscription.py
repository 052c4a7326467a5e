"""Push subscription: what a terminal should push of one symbol, and what it does push.

Every subscription counts. When the sum changes, one ``watch`` command says what is wanted now;
while one is on its way further changes wait and go out together with the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ea_bridge.commands import WATCH, WatchParams
from gateway.errors import GatewayError, NoMarketDepth, SymbolNotFound

from .context import SingleFlight, TerminalQuery

Part = str | int
"""``"ticks"``, ``"book"``, or the code of a timeframe."""

TICKS = "ticks"
BOOK = "book"
NOTHING: frozenset[Part] = frozenset()


class PushSubscription:
    """Subscription at a terminal to what is wanted of one symbol.

    Args:
        cursor: ``last_msc`` and ``n_same_msc`` of the ticks had so far.
        on_asked: called with what the terminal is about to be asked for, where it is known what it
            pushes; else what is on its way may have a hole behind it.
        on_pushed: called with what is being pushed, each time the terminal is up to date.

    """

    def __init__(
        self,
        symbol: str,
        query: TerminalQuery,
        cursor: Callable[[], tuple[int, int]],
        on_asked: Callable[[frozenset[Part]], None],
        on_pushed: Callable[[frozenset[Part]], None],
    ) -> None:
        self.symbol = symbol
        self.refused: dict[Part, GatewayError] = {}
        """Parts that this link's terminal said it cannot push."""
        self.settle = SingleFlight(self._settle)
        """Brings the terminal to push what is wanted.

        Raises:
            GatewayError: the terminal could not be told.

        """
        self._query = query
        self._cursor = cursor
        self._on_asked = on_asked
        self._on_pushed = on_pushed
        self._wanted: Counter[Part] = Counter()
        self._pushed: frozenset[Part] | None = NOTHING
        self._pumping = False
        """This link pushes the ticks: the terminal knows better than we how far."""
        self._asked_from: tuple[int, int] | None = None
        """The cursor that this link was told, while it is not known to push the ticks."""
        self._links = 0

    @property
    def wanted(self) -> frozenset[Part]:
        """Parts that at least one subscription needs and the terminal has not refused."""
        return frozenset(self._wanted) - self.refused.keys()

    @property
    def pushed(self) -> frozenset[Part]:
        """Parts that the terminal is known to push."""
        return self._pushed or NOTHING

    @property
    def idle(self) -> bool:
        """Whether nothing is wanted."""
        return not self._wanted

    def want(self, part: Part) -> None:
        """Count one subscription more."""
        self._wanted[part] += 1

    def release(self, part: Part) -> None:
        """Count one subscription less."""
        self._wanted[part] -= 1
        if not self._wanted[part]:
            del self._wanted[part]
            self.refused.pop(part, None)

    def new_link(self) -> None:
        """Note a new link: the terminal starts without watches on every one."""
        self._links += 1
        self._note(NOTHING)
        self.refused.clear()

    async def _settle(self) -> None:
        while (target := self.wanted) != self._pushed:
            await self._send_watch(target)
        self._on_pushed(self.pushed)

    async def _send_watch(self, target: frozenset[Part]) -> None:
        link = self._links
        if self._pushed is not None:
            self._on_asked(target)
        try:
            await self._query(WATCH, self._params(target))
        except SymbolNotFound as error:
            self.refused |= dict.fromkeys(target, error)
            self._note(NOTHING)
        except NoMarketDepth as error:
            if BOOK not in target:
                raise
            self.refused[BOOK] = error
        except GatewayError:
            if link == self._links:
                # It may have been carried out or not: say it again the next time.
                self._note(None)
            raise
        else:
            self._note(target)
            self._on_pushed(target)

    def _note(self, pushed: frozenset[Part] | None) -> None:
        self._pushed = pushed
        if pushed is not None:
            self._pumping, self._asked_from = TICKS in pushed, None

    def _params(self, target: frozenset[Part]) -> WatchParams:
        last_msc, n_same_msc = (0, 0) if self._pumps() else self._cursor()
        return WatchParams(
            symbol=self.symbol,
            ticks=TICKS in target,
            book=BOOK in target,
            bars=",".join(str(part) for part in sorted(p for p in target if isinstance(p, int))),
            last_msc=last_msc,
            n_same_msc=n_same_msc,
        )

    def _pumps(self) -> bool:
        """Whether this link pushes the ticks: as it said, or as the ticks say that have come since
        it was asked, whatever became of its answer.
        """
        if not self._pumping:
            cursor = self._cursor()
            self._pumping = self._asked_from not in (None, cursor)
            self._asked_from = cursor
        return self._pumping
