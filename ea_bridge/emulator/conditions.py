"""Conditions of an emulated terminal: its account, its broker's terms, its files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

OWN_PASSWORD = "emulator"  # noqa: S105 - of an account that does not exist
"""Of the account that the terminal itself is logged in to, unless it is given another."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Account and the broker's terms; what is ``None`` is as the specifications have it."""

    netting: bool = False
    """One position a symbol, instead of hedging."""
    live: bool = False
    """The account says that its money is real."""
    login: int | None = None
    password: str = field(default=OWN_PASSWORD, repr=False)
    balance: float = 10_000.0
    """Of a new account."""
    leverage: int | None = None
    stops_level: int | None = None
    """Points that stops and pending orders must lie away from the market."""
    freeze_level: int | None = None
    """Points around the market in which nothing can be changed."""
    execution: Literal["market", "instant"] | None = None
    """``instant``: at the price of the request, or a requote."""
    requotes: int = 0
    """So many of the next requests are requoted."""
    most_lots: float | None = None
    """Most that the market offers to one fill."""


@dataclass(frozen=True, kw_only=True)
class TerminalFiles:
    """Files in which a terminal keeps its state between runs."""

    folder: Path
    name: str
    """Of the terminal; another one has other files."""

    @property
    def device(self) -> Path:
        """Daemon that it belongs to."""
        return self._file("device.txt")

    @property
    def results(self) -> Path:
        """Results of its last trades."""
        return self._file("results.txt")

    @property
    def trails(self) -> Path:
        """The stops that follow the market."""
        return self._file("trails.json")

    @property
    def books(self) -> Path:
        """The account at the broker."""
        return self._file("books.db")

    def _file(self, what: str) -> Path:
        return self.folder / f"{self.name}-{what}"
