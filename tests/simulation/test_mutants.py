"""The mutants are true to the code: each replaces a text that is there, and can be imported."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest

from . import plugins
from .mutants import FAULTS, MUTANTS, PAST, Late, Mutant, Stale, install
from .mutants.hunt import Run, control, hunt, hunt_all, row
from .mutants.mutation import ROOT, Change, mutated

ALL_MUTANTS = list(MUTANTS.values())


@pytest.mark.parametrize("mutant", ALL_MUTANTS, ids=lambda one: one.name)
def test_a_mutant_is_true_to_the_code(mutant: Mutant):
    """Each text that it replaces is in its module exactly once, and what comes out compiles."""
    changes = defaultdict(list)
    for change in mutant.changes:
        changes[change.path].append(change)
    for path, some in changes.items():
        source = path.read_text("utf-8")
        changed = mutated(source, some)
        compile(changed, str(path), "exec", dont_inherit=True)
        assert changed != source


def test_there_are_enough_of_them():
    """Twenty in the money path, ten of the past, each with a name of its own and a sentence."""
    assert len(MUTANTS) == len(FAULTS) + len(PAST)
    assert len(FAULTS) >= 20
    assert len(PAST) >= 10
    assert all(one.broken.endswith(".") for one in MUTANTS.values())
    assert all(one.commit for one in PAST)


def test_a_stale_mutant_says_so():
    """A text that is there twice, or not at all, is an error and no silent success."""
    for old in ("a", "c"):
        with pytest.raises(Stale):
            mutated("a = 1\nb = a\n", [Change("some.module", old, "d")])


def test_a_module_that_was_imported_before_cannot_be_changed():
    """Whoever comes too late is told, rather than shown a product without any fault."""
    mutant = Mutant("late", "It comes late.", (Change(__name__, "a", "b"),))

    with pytest.raises(Late, match=__name__):
        install(mutant)


def test_a_product_is_imported_with_its_fault_and_leaves_nothing_behind():
    """The changed text runs, under its own name and file; the file and its byte code stay."""
    mutant = MUTANTS["outbox-unbounded"]
    path = mutant.changes[0].path
    cache = path.parent / "__pycache__"
    before = {one: one.stat().st_mtime_ns for one in (path, *cache.glob("outbox.*"))}
    program = (
        "from tests.simulation.mutants import MUTANTS, install\n"
        f"finder = install(MUTANTS[{mutant.name!r}])\n"
        "import gateway.streams.outbox as outbox\n"
        "assert not finder.missing\n"
        "assert outbox.Outbox(1, 1).put_answer(b'too large', 0.0)\n"
        "print(outbox.__file__)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.strip() == str(path), done.stderr
    after = {one: one.stat().st_mtime_ns for one in (path, *cache.glob("outbox.*"))}
    assert after == before


def test_a_hunt_ends_with_the_first_run_that_fails():
    """Orders of the runs before are counted; what the last one failed by is told."""
    asked = []

    def run(words: Sequence[str]) -> Run:
        asked.append(words)
        doubled = len(asked) == 2
        said = "doubled: a-1 twice\nbroken: a rule: seen\n{}" if doubled else "{}"
        return Run(int(doubled), {"orders": 300}, said)

    catch = hunt(MUTANTS["no-turns"], orders=300, seeds=(5, 6, 7), run=run)

    assert (catch.by, catch.orders, catch.seed) == ("doubled, a rule", 600, 6)
    assert catch.told == "doubled: a-1 twice"
    assert [words[-3] for words in asked] == ["5", "6"]


def test_every_second_run_is_led_to_where_a_mutant_shows():
    """By faults that there are; the others are drawn from the seed."""
    plugins.discover()
    leading = {fault for one in ALL_MUTANTS for fault in one.led_by}
    asked = []

    def run(words: Sequence[str]) -> Run:
        asked.append(words)
        return Run(0, {"orders": 300}, "")

    hunt(MUTANTS["part-counts-as-whole"], orders=300, seeds=(5, 6, 7), run=run)

    assert leading <= plugins.FAULTS.keys()
    assert {one.lone for one in ALL_MUTANTS} <= {"", *plugins.lone_terminals()}
    assert ["--faults" in words for words in asked] == [False, True, False]
    assert asked[1][2:4] == ("--faults", "thin_at_sweep")


def test_what_nobody_catches_has_survived():
    """A run without anything wrong catches nothing, and neither does the product as it is."""

    def run(words: Sequence[str]) -> Run:
        return Run(0, {"orders": 300}, "")

    catch = hunt(MUTANTS["no-turns"], orders=300, seeds=(5, 6), run=run)

    assert (catch.by, catch.orders) == ("", 600)
    assert control(orders=300, seeds=(1,), run=run) == ""
    assert "SURVIVED" in row(catch)


def test_a_simulation_that_breaks_catches_nothing():
    """What it cannot say is no judgement."""

    def run(words: Sequence[str]) -> Run:
        return Run(1, {}, "Traceback\nImportError: no such module")

    catch = hunt(MUTANTS["no-turns"], orders=300, seeds=(5, 6), run=run)

    assert (catch.by, catch.told) == ("", "it did not end in order: ImportError: no such module")


def test_a_product_that_fails_by_itself_is_told():
    """What fails without a mutant is no mutant's merit."""

    def run(words: Sequence[str]) -> Run:
        return Run(1, {}, "Traceback\nValueError: it is broken")

    assert control(orders=300, seeds=(1,), run=run) == (
        "seed 1 without any mutant: it did not end in order: ValueError: it is broken"
    )


@pytest.mark.long
@pytest.mark.timeout(14_400)
def test_every_fault_is_caught(record_testsuite_property: Callable[[str, object], None]):
    """The simulation finds each deliberate fault of the money path, and four past mistakes."""
    caught = {
        one.mutant.name: one for one in hunt_all(ALL_MUTANTS, orders=500, seeds=range(1, 41))
    }
    for name, catch in caught.items():
        record_testsuite_property(f"mutant {name}", row(catch))

    assert [one.name for one in FAULTS if not caught[one.name].by] == []
    assert sum(bool(caught[one.name].by) for one in PAST) >= 4
