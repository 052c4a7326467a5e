"""Deliberate faults of the product: a source text that is another one when it is imported.

Nothing on the disk is changed, and no byte code of it is kept: a finder stands before Python's
own and hands the changed text to the compiler. So it has to be installed before the product is
imported, once a process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

ROOT = Path(__file__).parents[3]


class Stale(Exception):
    """The text that a mutant replaces is not in the product exactly once (any more)."""


class Late(Exception):
    """A module was imported before its mutant was installed."""


@dataclass(frozen=True, slots=True)
class Change:
    """One text in one module that is replaced by another.

    Attributes:
        module: its full name.
        old: must be there exactly once.
        new: what is there instead.

    """

    module: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """Return the file of the module."""
        path = ROOT.joinpath(*self.module.split("."))
        return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault.

    Attributes:
        name: words with hyphens between them.
        broken: what is wrong, in one sentence.
        changes: what that takes.
        commit: of the project's past that mended it, with its subject; empty where nobody ever
            made that mistake.
        led_by: faults of the simulation that lead to where it shows; empty where any may.
        lone: the terminal of bots of one kind that lead to it; empty where any may.
        is_faithful: the code is as it was before that commit, as far as today's code lets it be.

    """

    name: str
    broken: str
    changes: tuple[Change, ...]
    commit: str = ""
    is_faithful: bool = True
    led_by: tuple[str, ...] = ()
    lone: str = ""


def mutated(source: str, changes: Iterable[Change]) -> str:
    """Return a module's text with all the changes.

    Raises:
        Stale: a text that is to be replaced is not there exactly once.

    """
    for change in changes:
        found = source.count(change.old)
        if found != 1:
            raise Stale(f"{change.module} has {found} times:\n{change.old}")
        source = source.replace(change.old, change.new)
    return source


class MutantLoader(SourceFileLoader):
    """Loader of one module whose text is changed; it knows no byte code."""

    def __init__(self, name: str, path: str, changes: Sequence[Change]) -> None:
        super().__init__(name, path)
        self._changes = changes

    def get_code(self, fullname: str) -> CodeType:
        """Compile the changed text."""
        source = mutated(Path(self.path).read_text("utf-8"), self._changes)
        return compile(source, self.path, "exec", dont_inherit=True)


class MutantFinder(MetaPathFinder):
    """Finder of the modules of one mutant."""

    def __init__(self, mutant: Mutant) -> None:
        self._changes: dict[str, list[Change]] = {}
        for change in mutant.changes:
            self._changes.setdefault(change.module, []).append(change)
        self._missing = set(self._changes)

    @property
    def missing(self) -> frozenset[str]:
        """Return the names of those that nobody has imported yet."""
        return frozenset(self._missing)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module that is to be changed; ``None`` for any other."""
        changes = self._changes.get(fullname)
        spec = None if changes is None else PathFinder.find_spec(fullname, path, target)
        if changes is None or spec is None or spec.origin is None:
            return None
        self._missing.discard(fullname)
        spec.loader = MutantLoader(fullname, spec.origin, changes)
        spec.cached = None
        return spec


def install(mutant: Mutant) -> MutantFinder:
    """Have the product imported with a fault, in this process.

    Raises:
        Late: a module that is to be changed was imported already.

    """
    late = sorted({one.module for one in mutant.changes} & sys.modules.keys())
    if late:
        raise Late(f"imported before the mutant {mutant.name}: {', '.join(late)}")
    finder = MutantFinder(mutant)
    sys.meta_path.insert(0, finder)
    return finder
