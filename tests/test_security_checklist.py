"""The security checklist keeps its word: whatever it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROWS = re.findall(
    r"^\| (C\d+) \| (.+?) \| (.+) \| (.+?) \|$",
    (TESTS / "security_checklist.md").read_text("utf-8"),
    re.MULTILINE,
)
NAMES = {
    name
    for path in TESTS.rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
}
OTHERWISE = ("not built", "not verified", "deviation", "command:", "the table below")


def test_every_item_is_there_once() -> None:
    """In the order of the design, from 1 to 68; then what was built beyond it."""
    assert [name for name, *_ in ROWS] == [f"C{number}" for number in range(1, 74)]


@pytest.mark.parametrize(("item", "shown_by"), [(row[0], row[2]) for row in ROWS])
def test_what_shows_an_item_is_there(item: str, shown_by: str) -> None:
    """Its tests exist; one without any says why."""
    named = re.findall(r"`(test_\w+)`", shown_by)
    assert [name for name in named if name not in NAMES] == [], item
    assert named or any(word in shown_by for word in OTHERWISE), item


def test_the_files_of_the_table_are_there() -> None:
    """Each file with cryptography of ours."""
    text = (TESTS / "security_checklist.md").read_text("utf-8").partition("## Cryptography")[2]
    files = re.findall(r"`([\w/]+\.py)`", text)
    assert files
    assert [name for name in files if not (TESTS.parent / name).exists()] == []
