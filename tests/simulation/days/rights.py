"""Rights of tokens: as the console has given and taken them, against what was served.

Two bounds. What must be refused: anything after the end of what the newest lease allows, and all
of a token that has ended as soon as the daemon has heard the console since. What must be allowed:
all of a good token while console and daemon have been of one mind for a while, and what the lease
says while the console is away. In between either may be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from gateway.auth.console_snapshot import ConsoleSnapshot
from gateway.console.records import LeaseIssuer
from gateway.credentials.lease import Tier

if TYPE_CHECKING:
    from .world import DaysWorld

GRACE_S = 180.0
"""After everything runs again all must be as it was: the daemon asks each minute at least."""
MARGIN_S = 60.0
"""Around the end of what a lease allows, where nobody minds: clocks differ, answers take time."""
OFFLINE_S = {Tier.FULL: 0.0, Tier.REDUCE: 3600.0, Tier.READ: 14_400.0}
"""How long each tier outlasts a lease, as documented."""


@dataclass
class TokenLife:
    """Life of a token, as the console and the daemon have it.

    Attributes:
        good_s: since when it may be used where it is approved; ``None``: it may not.
        ended_s: when it lost its rights; of the last time.
        expires_s: when its time is over.
        granted_s: the end of the newest lease that the console has made.
        held_s: the same of what the daemon has taken over.

    """

    tid: str
    good_s: float | None = None
    ended_s: float | None = None
    expires_s: float | None = None
    granted_s: float = 0.0
    held_s: float = 0.0


class Rights:
    """The rights of all tokens of a world; all times are the true one."""

    def __init__(self, world: DaysWorld) -> None:
        self._world = world
        self.begun_s = world.true_s()
        self.tokens: dict[str, TokenLife] = {}
        self._calm_s: float | None = None
        """Since when console and daemon run, and reach each other."""
        self._cut_s: float | None = None
        """Since when the console is away."""
        self._daemon_s = 0.0
        """Since when the daemon runs, and is awake."""
        self.synced_s = 0.0
        """When the daemon has last taken over what the console said."""
        self.renewed = 0
        """How many leases the console has made where there was one before."""
        self.reasons: Counter[str] = Counter()
        """Why calls were refused, and how often."""
        self.served = self.refused = 0
        """How many calls were judged that were served, or refused for want of a right."""

    # --- what happens ------------------------------------------------------------------------

    def of(self, tid: str) -> TokenLife:
        """Return the life of a token."""
        return self.tokens.setdefault(tid, TokenLife(tid))

    def interrupted(self) -> None:
        """Note that something stops, or fails: nothing has to be as it was, for a while."""
        self._calm_s = None

    def calm(self) -> None:
        """Note that all runs again."""
        self._calm_s, self._cut_s = self._world.true_s(), None

    def cut(self) -> None:
        """Note that the console is away from now on."""
        self._calm_s, self._cut_s = None, self._world.true_s()

    def daemon_began(self) -> None:
        """Note that the daemon begins, or wakes."""
        self._daemon_s = self._world.true_s()
        if self._calm_s is not None:
            self._calm_s = self._daemon_s

    def good(self, tid: str, lifetime_s: float | None = None) -> None:
        """Note that a token may be used from now on."""
        life, now_s = self.of(tid), self._world.true_s()
        life.good_s = now_s
        if lifetime_s is not None:
            life.expires_s = now_s + lifetime_s

    def ended(self, tid: str, after_s: float = 0.0) -> None:
        """Note that a token may not be used any more, or in a while."""
        life, now_s = self.of(tid), self._world.true_s()
        if after_s:
            life.expires_s = min(life.expires_s or now_s + after_s, now_s + after_s)
        else:
            life.good_s, life.ended_s = None, now_s

    def granted(self, tid: str, seconds: float) -> None:
        """Note that the console has made a lease."""
        life = self.of(tid)
        self.renewed += life.granted_s > 0
        life.granted_s = max(life.granted_s, self._world.true_s() + seconds)

    def synced(self) -> None:
        """Note that the daemon has taken over what the console said."""
        self.synced_s = self._world.true_s()
        for life in self.tokens.values():
            life.held_s = life.granted_s

    # --- what must be ------------------------------------------------------------------------

    def must_refuse(self, tid: str, need: Tier, at_s: float) -> str:
        """Return why a token had no right to something; empty where it may have had."""
        life = self.of(tid)
        if at_s > life.granted_s + OFFLINE_S[need] + MARGIN_S:
            return f"its lease ended {at_s - life.granted_s:.0f} s before"
        if life.expires_s is not None and at_s > life.expires_s + MARGIN_S:
            return f"it had expired {at_s - life.expires_s:.0f} s before"
        if life.ended_s is not None and life.good_s is None:
            known_s = self.synced_s if self.synced_s > life.ended_s + 1 else None
            if known_s is not None and at_s > known_s + 1:
                return f"it was ended {at_s - life.ended_s:.0f} s before, and the daemon knew"
        return ""

    def must_allow(self, tid: str, need: Tier, at_s: float) -> str:
        """Return why a token had the right to something; empty where it may have had none."""
        life = self.of(tid)
        if life.good_s is None or at_s - life.good_s < GRACE_S:
            return ""
        if life.expires_s is not None and at_s > life.expires_s - MARGIN_S:
            return ""
        if self._calm_s is not None:
            is_so = at_s - max(self._calm_s, self._daemon_s) > GRACE_S
            return f"all runs for {at_s - self._calm_s:.0f} s" if is_so else ""
        if self._cut_s is not None and at_s - max(self._cut_s, self._daemon_s) > MARGIN_S:
            left_s = life.held_s + OFFLINE_S[need] - MARGIN_S - at_s
            return f"its lease lets it for {left_s:.0f} s more" if left_s > 0 else ""
        return ""

    def judge(self, tid: str, need: Tier, asked_s: float, reason: str | None) -> None:
        """Judge an answer.

        Args:
            need: what it takes to be served.
            asked_s: when it was asked for.
            reason: why the right to it was refused; ``None``: it was served.

        """
        if reason is None:
            self.served += 1
            if why := self.must_refuse(tid, need, asked_s):
                self._world.accuse(f"token {tid} was served {need.name}, though {why}")
        else:
            self.refused += 1
            self.reasons[reason] += 1
            if why := self.must_allow(tid, need, asked_s):
                said = f"token {tid} was refused {need.name} ({reason}), though {why}"
                self._world.accuse(said)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See each lease that the console makes, and each word of it that the daemon takes."""
        make_for, accept = LeaseIssuer.make_for, ConsoleSnapshot.accept

        def made(leases: LeaseIssuer, standing: Any, signer: Any) -> str | None:
            lease = make_for(leases, standing, signer)
            if lease is not None:
                self.granted(standing.token.tid, standing.link.lease_exp - leases._now_s())
            return lease

        def accepted(offers: ConsoleSnapshot, *what: Any) -> None:
            accept(offers, *what)
            self.synced()
            self._world.signed_records.took_over(offers, what[0])

        with (
            patch.object(LeaseIssuer, "make_for", made),
            patch.object(ConsoleSnapshot, "accept", accepted),
        ):
            yield
