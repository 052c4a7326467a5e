"""MT4 server of the simulated world: its books, its peer, its faults, and who may book there."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from ea_bridge.mt4_manager.emulator import (
    LOGIN,
    SERVER,
    EmulatedManager,
    FixedQuotes,
    ManagerLink,
    Population,
    build_manager,
)
from ea_bridge.mt4_manager.endpoint import CommandRefused
from ea_bridge.mt4_manager.model import ConnectParams, ReturnCode
from ea_bridge.simulation.faults import EmulatedFaults
from gateway.home.home import Home
from gateway.mt4_manager import Operator, OperatorRole
from gateway.mt4_manager.access import TokenBook
from gateway.mt4_manager.link import KeptConnection
from gateway.mt4_manager.service import TOKENS, own_secret

from .bookings import BookTruth
from .loop import SimulatedLoop

PEER = "mt4-server"
"""Name of the peer's token, as the configuration has it."""
PASSWORD = "the manager's at the server"
OPERATOR = Operator("ann", OperatorRole.ADMIN, 0)
LATE_S = 0.5
"""At most, until a booking is made that the server has timed out on."""


def furnish(home: Home) -> str:
    """Let a home know the peer, its server and an operator; return the peer's token."""
    params = ConnectParams(server=SERVER, login=LOGIN, password=PASSWORD)
    KeptConnection(home.store, home.box).keep(params)
    with home.store.transaction() as connection:
        row = (OPERATOR.name, OPERATOR.role.value)
        connection.execute("INSERT INTO manager_operators VALUES (?, ?, '-', 0)", row)
    return home.issuer.create(PEER)[0]


def log_in(home: Home) -> str:
    """Return a new access token of the operator; his password is not what is tried here."""
    return TokenBook(home.store, own_secret(home.store, home.box, TOKENS)).issue(OPERATOR)


class BrokerSide:
    """The server with its peer.

    Args:
        folder: where the peer keeps its results.
        token: of the peer.
        seed: of its jitter and of its users.
        loop: for what the server does late.

    """

    def __init__(self, folder: Path, token: str, seed: int, loop: SimulatedLoop) -> None:
        self.server: EmulatedManager = build_manager(
            password=PASSWORD,
            population=Population(users=12, positions=0.2),
            quotes=FixedQuotes(),
            seed=seed % 1_000_000,
            results_file=folder / PEER,
        )
        self.truth = BookTruth(self.server)
        self.link = ManagerLink(self.server, "127.0.0.1", 1, token, seed=seed)
        self._loop = loop
        self._timeouts: list[str] = []
        self._transact = self.server._answers["trade_transaction"]
        self.server._answers["trade_transaction"] = self._book

    def behave(self) -> None:
        """Fail no more."""
        self._timeouts.clear()
        for fault in fields(EmulatedFaults):
            setattr(self.server.faults, fault.name, fault.default)

    # --- what can fail ---------------------------------------------------------------------------

    def cut(self, dice: Random) -> None:
        """Break the link, now or around the next change."""
        kinds = ("cut_before_ack", "cut_unacked", "cut_after_ack", "cut_after_result")
        kind = dice.choice(("now", *kinds))
        if kind == "now":
            self.link.cut()
        else:
            self._add(kind)

    def crash(self, dice: Random) -> None:
        """Die over the next change, before or after it; perhaps the results are lost too."""
        self._add(dice.choice(("crash_before", "crash_after")))
        self.server.faults.lose_memory = dice.choice((0, 0, 1))

    def restart(self, dice: Random) -> None:
        """Start the peer anew, perhaps without its results."""
        self.server.restart(lose_results=dice.random() < 0.3)
        self.link.cut()

    def replace(self, dice: Random) -> None:
        """Let another machine take the peer's place, which has not seen what that one has done."""
        self.server.fingerprint = dice.randbytes(32).hex()
        self.server.restart(lose_results=True)
        self.link.cut()

    def be_late(self, dice: Random) -> None:
        """Answer late, begin late, or never answer the next change."""
        faults = self.server.faults
        kind = dice.choice(("lose_result", "delay_result_ms", "stall_ms", "none"))
        faults.delay_result_ms = faults.stall_ms = 0
        if kind == "lose_result":
            faults.lose_result += 1
        elif kind != "none":
            setattr(faults, kind, dice.choice((5, 100, 400, 700)))

    def time_out(self, dice: Random) -> None:
        """Time out on the next booking, which is made before, later or never."""
        self._timeouts.append(dice.choice(("before", "later", "never")))

    def lose_server(self, dice: Random) -> None:
        """Find the connection to the server lost with the next command; it takes seconds until
        that is noticed and mended."""
        if dice.random() < 0.25:
            self._add("lose_server")

    def _add(self, fault: str) -> None:
        faults = self.server.faults
        setattr(faults, fault, getattr(faults, fault) + 1)

    def _book(self, params: Any) -> Any:
        if not self._timeouts:
            return self._transact(params)
        match self._timeouts.pop(0):
            case "before":
                self._transact(params)
            case "later":
                self._loop.call_later(LATE_S, partial(self._book_late, params))
        raise CommandRefused("no answer in time", retcode=ReturnCode.TRADE_TIMEOUT)

    def _book_late(self, params: Any) -> None:
        try:
            self._transact(params)
        except CommandRefused:
            return  # there is not enough money
