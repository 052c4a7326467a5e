"""The rule by which a copied home shows; see :mod:`gateway.console.clone_detector`."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.clone_detector import (
    LATE_S,
    MAX_BRANCHES,
    MAX_GIVEN,
    MAX_LEFT,
    Chain,
    Step,
    StoredAnswer,
)

NOW = 1_800_000_000
NOTHING = StoredAnswer("", 0)
NUMBERS = count()


@dataclass
class Console:
    """Answers, and remembers the chain as text between two questions."""

    now_s: int = NOW
    memory: str = field(default_factory=lambda: Chain().model_dump_json())

    def answer(self, kept: StoredAnswer | None, nonce: str) -> Step:
        chain = Chain.model_validate_json(self.memory)
        step = chain.follow(kept, nonce, "203.0.113.7", self.now_s)
        self.memory = chain.model_dump_json()
        return step


@dataclass
class Home:
    """What one daemon has on its disk."""

    console: Console
    kept: StoredAnswer = NOTHING

    def ask(self) -> tuple[StoredAnswer, str]:
        """Sign a question."""
        return self.kept, f"n{next(NUMBERS)}"

    def sync(self, *, stored: bool = True) -> Step:
        """Ask, and store the answer."""
        kept, nonce = self.ask()
        step = self.console.answer(kept, nonce)
        if stored:
            self.kept = StoredAnswer(nonce, self.console.now_s)
        return step

    def copy(self) -> Home:
        """Steal it."""
        return Home(self.console, self.kept)


# --- one home ------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["stored", "lost", "late", "arrives", "waits", "backup", "restore"]))
)
def test_nothing_that_happens_to_one_home_is_a_fork(happens: list[str]) -> None:
    """Answers are lost, questions that were given up arrive later ones in any order, time passes,
    and the console is restored from a backup."""
    console = Console()
    home, late = Home(console), list[tuple[int, tuple[StoredAnswer, str]]]()
    backup = console.memory
    for step in happens:
        if step in ("stored", "lost"):
            assert home.sync(stored=step == "stored") == "known"
            console.now_s += 2
        elif step == "late" and len(late) < MAX_GIVEN - 1:
            late.append((console.now_s, home.ask()))
        elif step == "arrives" and late:
            sent_s, question = late.pop()
            if console.now_s - sent_s <= LATE_S:  # else its signature is too old
                assert console.answer(*question) in ("known", "late")
        elif step == "waits":
            console.now_s += 40
        elif step == "backup":
            backup = console.memory
            console.now_s += 2
        elif step == "restore":
            late.clear()  # it takes longer than that
            console.now_s += LATE_S + 1
            console.memory = backup
    assert home.sync() == "known"


def test_a_home_that_forgets_what_it_has_begins_anew() -> None:
    """It has believed another console in between."""
    console = Console()
    home = Home(console)
    for _ in range(3):
        home.sync()
    console.now_s += LATE_S + 1
    home.kept = NOTHING
    for _ in range(3):
        assert home.sync() == "known"


def test_a_home_of_before_begins_the_chain() -> None:
    """With what it has."""
    assert Home(Console(), StoredAnswer("of-before", 3)).sync() == "known"


def test_the_memory_is_bounded() -> None:
    """However much is asked."""
    console = Console()
    home = Home(console)
    for _ in range(200):
        home.sync()
    for _ in range(200):
        home.sync(stored=False)
    for _ in range(9):
        console.answer(None, "x")
    chain = Chain.model_validate_json(console.memory)
    assert len(chain.left) <= MAX_LEFT
    assert len(chain.branches) == MAX_BRANCHES
    assert max(len(branch.given) for branch in chain.branches) <= MAX_GIVEN


# --- two homes -----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    before=st.integers(0, 3),
    turns=st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(1, 400)), max_size=20),
)
def test_two_homes_show_once_both_have_gone_on(
    before: int, turns: list[tuple[bool, bool, int]]
) -> None:
    """Whoever asks when, whatever is lost, and though the copy hides what it has."""
    console = Console()
    home = Home(console)
    for _ in range(before + 1):
        home.sync()
    both, steps = (home, home.copy()), list[Step]()
    for is_copy, hides, seconds in turns:
        console.now_s += seconds
        one = both[is_copy]
        if is_copy and hides:
            one.kept = NOTHING
        steps.append(one.sync())
    for side in both * 2:
        console.now_s += LATE_S + 1
        steps.append(side.sync())
    assert "forked" in steps


def test_a_copy_that_asks_right_after_the_home_gets_nothing_and_shows_when_it_comes_back() -> None:
    """It looks like a question that arrives late."""
    console = Console()
    home = Home(console)
    home.sync()
    copy = home.copy()
    home.sync()
    home.sync()
    assert copy.sync() == "late"
    assert copy.sync() == "forked"


def test_a_copy_that_pretends_to_be_late_shows_after_a_while() -> None:
    """It gets nothing meanwhile."""
    console = Console()
    home = Home(console)
    home.sync()
    copy = home.copy()
    home.sync()
    home.sync()
    for _ in range(3):
        assert copy.sync(stored=False) == "late"
    console.now_s += LATE_S + 1
    assert copy.sync(stored=False) == "forked"


def test_a_fork_is_told_once() -> None:
    """Then both are known; a third home is news again."""
    console = Console()
    home = Home(console)
    home.sync()
    second, third = home.copy(), home.copy()
    for _ in range(2):
        home.sync()
    console.now_s += LATE_S + 1
    assert second.sync() == "forked"
    for side in (home, second) * 3:
        assert side.sync() == "known"
    console.now_s += LATE_S + 1
    assert third.sync() == "forked"


def test_what_does_not_verify_is_a_fork() -> None:
    """Nobody but us has signed what a home has."""
    console = Console()
    home = Home(console)
    home.sync()
    assert console.answer(None, "n") == "forked"
    assert home.sync() == "known"


def test_a_copy_of_before_the_backup_shows_once_the_home_asks() -> None:
    """A console that was restored knows the copy's answer better than the home's."""
    console = Console()
    home = Home(console)
    home.sync()
    copy, backup = home.copy(), console.memory
    for _ in range(3):
        console.now_s += 30
        home.sync()
    console.memory = backup
    console.now_s += 30
    assert copy.sync() == "known"
    assert copy.sync() == "known"
    assert home.sync() == "forked"
