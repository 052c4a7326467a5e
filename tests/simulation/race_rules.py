"""Rules of the race of linked orders: once one has ended, the others are cancelled in a while.

Time may leap, and nothing can be cancelled while the daemon, the terminal or its link is away. So
what counts is how often it was looked in calm, and one order of a link had ended while another one
still waited. Whoever does not get it done has to say so, which begins the count anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

MAX_LOOKS = 24
"""In calm, without a break: in 12 s. After a lost event the gateway looks every 5 s, and takes for
ended what is in no list of the terminal at a second look."""
MAX_ROUGH_LOOKS = 100
"""The same while terminals may fail, which can be held up for 20 s with their links intact."""

End = Callable[[int], str | None]
"""Return how an order has ended, by its ticket: empty while it waits; ``None``: nobody knows."""


class RaceRules:
    """The links of one account.

    Args:
        accuse: takes what is wrong.
        sometimes: told of what happens seldom.

    """

    def __init__(
        self, accuse: Callable[[str], None], sometimes: Callable[[str], None] = lambda _: None
    ) -> None:
        self._accuse = accuse
        self._sometimes = sometimes
        self.max_looks = MAX_LOOKS
        self._over: set[str] = set()
        """Links that are not looked at any more."""
        self._looks: dict[str, int] = {}
        """Looks in calm since one of a link's orders had ended, by the ids of the links."""

    def forget(self, link: str) -> None:
        """Take that somebody unlinks the orders, or may have done so."""
        self._over.add(link)
        self._looks.pop(link, None)

    def excuse(self, link: str) -> None:
        """Take that an order of a link could not be cancelled, and that this was told."""
        self._looks.pop(link, None)

    def excuse_all(self) -> None:
        """Take that something is faulted that all of them need."""
        self._looks.clear()

    def look(self, links: Iterable[tuple[str, tuple[int, ...]]], end: End) -> None:
        """Look once, in calm.

        Args:
            links: all that bots were told to be there: their ids, and the tickets of their orders.
            end: of an order.

        """
        for link, tickets in links:
            if link in self._over:
                continue
            ends = [end(one) for one in tickets]
            if None in ends or all(ends):
                if link in self._looks and None not in ends:
                    self._sometimes("contingent: race over in time")
                self.forget(link)
            elif any(ends):
                looks = self._looks[link] = self._looks.get(link, 0) + 1
                if looks > self.max_looks:
                    said = f"{tickets} have ended as {ends}, and that was seen {looks} times"
                    self._accuse(f"link {link}: {said}")
                    self.forget(link)
