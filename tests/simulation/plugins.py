"""Plug-ins of a simulated world: faults, watchers and traders, each registered where it is.

A module in ``faults``, ``watchers`` or ``traders`` is found by being there, in the order of the
names, so that whoever adds one touches no line of another. A world reads the registries once, when
it begins.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from logging import LogRecord

    from gateway.storage.ledger import Ledger

    from .terminals import TradedTerminal
    from .world import World

FOLDERS = ("faults", "traders", "watchers")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that can go wrong at a terminal, on its link, or anywhere."""

    name: str
    weight: int
    """How often it is drawn, against the others."""
    happen: Callable[[World, TradedTerminal, Random], None]


@dataclass(frozen=True, slots=True)
class Trader:
    """A kind of bot: how many of them there are at which terminals."""

    name: str
    count: int
    suits: Callable[[TradedTerminal], bool]
    """Asked of the terminals that bots of all kinds trade on."""
    alone_at: str
    """The name of a terminal that no other bots trade on; empty: it is for the others."""
    trade: Callable[[World, TradedTerminal, str, Random], Awaitable[Any]]


class Watcher:
    """Something that looks on and adds to the verdict; it overrides what it wants to see.

    What is not overridden costs nothing: the world calls only what a class has of its own.
    """

    def __init__(self, world: World) -> None:
        self.world = world

    def on_ledger(self, life: int, ledger: Ledger) -> None:
        """A life has opened its ledger, and written nothing to it yet."""

    def on_point(self, life: int, point: str) -> None:
        """A life has come to a point at which it could be killed."""

    def after_life_begins(self, life: int, ready: Any) -> None:
        """A daemon listens; ``ready`` is its ready line: ``rpc``, ``ws``, ``bridge``."""

    def after_life_ends(self, life: int, cause: str) -> None:
        """A daemon is dead; the cause is the name of a point, or ``from outside``."""

    def before_commit(self, life: int, group: list[Any]) -> None:
        """The ledger of a life is about to commit these writes."""

    def on_commit(self, life: int, group: list[Any]) -> None:
        """The ledger of a life has committed these writes: those of the group that could be."""

    def on_note(self, entry: Any) -> None:
        """An entry of the audit trail was committed."""

    def on_record(self, record: LogRecord) -> None:
        """Something was logged."""

    def on_frame_to_terminal(self, terminal: TradedTerminal, data: bytes) -> None:
        """The daemon has handed these bytes to its socket: they may be cut, or be several."""

    def on_bytes_to_bot(self, data: bytes) -> None:
        """The daemon has handed these bytes to the socket of a program that calls it, or of a
        manager's peer."""

    def on_command(self, terminal: TradedTerminal, command: Any) -> None:
        """A terminal is about to carry out a command."""

    def before_ask(self, terminal: TradedTerminal, message: Any, life: int) -> None:
        """A bot of a terminal is about to send a message, or a batch of them, to a life."""

    def on_answer(self, terminal: TradedTerminal, message: Any, answer: Any, life: int) -> None:
        """A bot of a terminal has the answer of the life that it has asked."""

    def on_revoked(self, tid: str) -> None:
        """Who has revoked a token was told that it is."""

    def on_peace(self) -> None:
        """Nothing shall fail any more."""

    async def rest(self) -> None:
        """Hear the last: nothing trades or fails any more, and the terminals are linked."""

    def at_end(self) -> None:
        """All has ended in peace and the daemon still runs; the verdict is to be completed."""


FAULTS: dict[str, Fault] = {}
TRADERS: dict[str, Trader] = {}
RIGHTS: dict[str, Callable[[Random], dict[str, Any]]] = {}
"""What :meth:`~gateway.credentials.issuer.Issuer.create` is given beside the name, drawn for a
lone terminal, by its name; for any other nothing."""
WATCHERS: dict[str, Callable[[World], Watcher]] = {}


def fault(name: str, *, weight: int = 1) -> Callable[[Any], Any]:
    """Register ``happen(world, terminal, dice)`` as a fault."""

    def register(happen: Any) -> Any:
        _add(FAULTS, name, Fault(name, weight, happen))
        return happen

    return register


def trader(
    name: str,
    *,
    count: int,
    suits: Callable[[TradedTerminal], bool] = lambda _: True,
    alone_at: str = "",
) -> Callable[[Any], Any]:
    """Register ``async trade(world, terminal, name, dice)``, run ``count`` times at each terminal
    that suits.

    Args:
        name: of the kind of bot.
        count: of them at a terminal.
        suits: which of the terminals that all trade on.
        alone_at: the name of another terminal, which they have for themselves in some runs. Its
            token is made as :data:`RIGHTS` has it.

    """

    def register(trade: Any) -> Any:
        _add(TRADERS, name, Trader(name, count, suits, alone_at, trade))
        return trade

    return register


def watcher(kind: type[Watcher]) -> type[Watcher]:
    """Register a class of watchers; each world has one of them."""
    _add(WATCHERS, kind.__name__, kind)
    return kind


def _add(registry: dict[str, Any], name: str, plugin: Any) -> None:
    assert name not in registry, f"two plug-ins are called {name}"
    registry[name] = plugin


def discover() -> None:
    """Import every plug-in."""
    for folder in FOLDERS:
        package = importlib.import_module(f".{folder}", __package__)
        for module in sorted(one.name for one in pkgutil.iter_modules(package.__path__)):
            if not module.startswith("test_"):
                importlib.import_module(f".{folder}.{module}", __package__)


def lone_terminals() -> list[str]:
    """Return the names of the terminals that bots of one kind have for themselves."""
    return sorted({one.alone_at for one in TRADERS.values() if one.alone_at})


def traders_at(name: str) -> list[Trader]:
    """Return the kinds of bots that may trade on a terminal."""
    where = name if name in lone_terminals() else ""
    return [one for one in TRADERS.values() if one.alone_at == where]
