"""A letter: what it says, and its two renderings, plain text and HTML.

Both come from the same parts, so that they cannot differ. What a program or a person said is
cleaned and stands in the body alone; subjects are constants of :mod:`.letters`.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

WIDTH = 72
MAX_SAID = 64

_ODD_IN_A_NAME = str.maketrans({":": " ", "/": " ", "\\": " ", "<": " ", ">": " ", "@": " "})
_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Button:
    """Something to do."""

    label: str
    url: str
    is_main: bool = True


@dataclass(frozen=True)
class Letter:
    """What a mail says. It may hold codes and links: it is sealed while it waits."""

    kind: str
    """Names the sort, such as ``new-device``; in lists and file names."""
    subject: str
    """A constant: nothing that somebody else could choose."""
    title: str
    lines: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    buttons: tuple[Button, ...] = ()
    code: str = ""
    code_hint: str = ""
    closing: tuple[str, ...] = ()

    def text(self) -> str:
        """Render as plain text."""
        return "\n\n".join(self._paragraphs()) + "\n"

    def html(self) -> str:
        """Render as HTML that loads nothing from anywhere."""
        return _PAGES.get_template("letter.html").render(letter=self)

    def _paragraphs(self) -> Iterator[str]:
        yield self.title
        yield from (textwrap.fill(line, WIDTH) for line in self.lines)
        if self.facts:
            wide = max(len(name) for name, _ in self.facts) + 2
            yield "\n".join(f"  {name:<{wide}}{value}" for name, value in self.facts)
        yield from (f"{button.label}:\n  {button.url}" for button in self.buttons)
        if self.code:
            yield f"{textwrap.fill(self.code_hint, WIDTH)}\n\n  {self.code}"
        yield from (textwrap.fill(line, WIDTH) for line in self.closing)


def said(text: str) -> str:
    """Return what a program says of itself, fit to be shown: short, one line, no link.

    Characters that control, hide or turn text around are dropped.
    """
    kept = "".join(" " if unicodedata.category(one)[0] in "CZ" else one for one in text)
    words = kept.translate(_ODD_IN_A_NAME).split()
    short = " ".join(words)[:MAX_SAID]
    return short or "(nothing said)"
