"""A scene whose terminal is entered in a real registry, as the bridge's server does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from scripted_terminal import Scene, ScriptedTerminal

from ea_bridge.protocol.messages import Hello
from ea_bridge.registry import TerminalRegistry
from gateway.credentials.lease import Tier
from gateway.trading.state import TradingState
from gateway.trading.terminal import GuardedTerminal

NAME = "mt5-a"


class LinkedTerminal(ScriptedTerminal):
    """A scripted session with what the registry looks at."""

    def __init__(self, hello: Hello) -> None:
        super().__init__(hello)
        self.terminal = NAME
        self.last_q = 0
        self.end_reason = ""
        self.lease_ms = 0

    def take_in(self) -> None:
        """Do nothing: no tick waits for its turn here."""

    def close(self, reason: str) -> None:
        """Give way to a newer link."""
        self.end_reason = reason


class LinkedScene:
    """A scene, a registry, and the maker of the way to its terminal.

    Each way is made of the rights that it is asked for with: what may not be done is refused as
    in the product.
    """

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.registry = TerminalRegistry(lambda: scene.now_ms)
        self.made: list[tuple[str, str | None]] = []
        """The name and the token that each way was made for."""

    def link(self, **changes: Any) -> LinkedTerminal:
        """Have the terminal dial in, or dial in anew: with another login, for example."""
        scene = self.scene
        scene.hello = replace(scene.hello, **changes)
        session = LinkedTerminal(scene.hello)
        session.answers = scene.script.answers
        session.asked = scene.script.asked
        session.id = f"s-{int(scene.script.id[2:]) + 1}"
        scene.session = scene.script = session
        self.registry.join(session)  # type: ignore[arg-type]  # quacks like one
        return session

    def terminal(
        self,
        name: str,
        recheck: Callable[[Tier], None],
        tid: str | None = None,
        paper: bool | None = None,
    ) -> GuardedTerminal:
        """Make the way to it."""
        self.made.append((name, tid))
        scene = self.scene
        return GuardedTerminal(
            name,
            session=lambda: scene.session,
            facts=lambda: self.registry.facts(name),
            clock=scene.clock,
            journal=scene.guarded.journal,
            switch=scene.guarded.switch,
            recheck=recheck,
            limits=lambda: scene.limits,
            now_ms=lambda: scene.now_ms,
        )

    def state_of(self, terminal: GuardedTerminal) -> TradingState:
        """Return its state."""
        return self.scene.state

    def is_on_paper(self, name: str) -> bool:
        """Return that it trades at the market."""
        return False
