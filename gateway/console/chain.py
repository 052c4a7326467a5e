"""Whether one home asks or two: each question names the answer that its home has stored last.

A daemon asks one question at a time, each with a fresh nonce; the answer is signed with it
(:class:`~gateway.credentials.event.State`), and the next question carries the newest answer that
is on the daemon's disk. So the questions of one home are a chain, and of two homes with one key
the chain forks. The rule, for the nonce in what a question carries:

* It is the *base*, what the home was known to have, or one of those *given* in answer to that:
  the home itself. One of those given becomes the base, and the others can never come: of two
  answers on the same base a home has stored one.
* It was the base until :data:`LATE_S` ago: a question that was given up and arrives late. Nobody
  waits for the answer, so it has no leases, and whoever comes back with it is a copy.
* The home has nothing yet, or its answer was signed after the last one that we remember giving
  (we were restored from a backup): the chain begins anew with it. If that was the copy, it shows
  once the home itself asks.
* Anything else is a fork: two homes, or one that was set back to an earlier day. It is told once;
  from then on both branches are known, and what they may do is for the device's owners to say.

So no loss, delay or order of answers, no restart of either side and no kill between answer and
disk forks the chain.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import BaseModel

LATE_S = 120
"""Twice what a device's clock may differ: a question that is older is not let in any more."""
MAX_GIVEN = 16
"""Answers on one base that were all lost; only the newest can have been stored."""
MAX_LEFT = 64
MAX_BRANCHES = 4

Step = Literal["known", "late", "forked"]


class Kept(NamedTuple):
    """What a question carries of the answer before it."""

    nonce: str
    """Empty for a home that has none."""
    iat: int


class Branch(BaseModel):
    """One home."""

    base: str
    given: list[str]
    """The oldest first."""
    ip: str
    """Where it asked from last."""


class Chain(BaseModel):
    """What is known of one device's homes."""

    at: int = 0
    """No answer that we remember was signed later; seconds since 1970."""
    branches: list[Branch] = []
    """The one that asked last stands last."""
    left: list[tuple[str, int]] = []
    """What was a base, and until when."""

    def follow(self, kept: Kept | None, nonce: str, ip: str, now_s: int) -> Step:
        """Take a question; see the module's docstring.

        Args:
            kept: what it carries; ``None`` if that is not of our making.
            nonce: its own.
            ip: where it comes from.
            now_s: seconds since 1970.

        """
        self.left = [one for one in self.left if abs(now_s - one[1]) <= LATE_S][-MAX_LEFT:]
        memory_s, self.at = self.at, now_s + 1  # signed a moment after this
        if kept is None:
            return self._fork(nonce, nonce, ip)
        branch = self._branch(kept.nonce)
        if branch is not None:
            self._go_on(branch, kept.nonce, nonce, now_s)
            branch.ip = ip
            return "known"
        if any(kept.nonce == left for left, _ in self.left):
            return "late"
        if not kept.nonce or not self.branches or kept.iat > memory_s:
            self.branches = [Branch(base=kept.nonce, given=[nonce], ip=ip)]
            return "known"
        return self._fork(kept.nonce, nonce, ip)

    def _branch(self, kept: str) -> Branch | None:
        found = (one for one in self.branches if kept in (one.base, *one.given))
        return next(found, None)

    def _go_on(self, branch: Branch, kept: str, nonce: str, now_s: int) -> None:
        if kept != branch.base:
            self.left.append((branch.base, now_s))
            branch.base, branch.given = kept, []
        branch.given = [*branch.given, nonce][-MAX_GIVEN:]
        self.branches.remove(branch)
        self.branches.append(branch)

    def _fork(self, kept: str, nonce: str, ip: str) -> Step:
        branch = Branch(base=kept, given=[nonce], ip=ip)
        self.branches = [*self.branches, branch][-MAX_BRANCHES:]
        return "forked"
