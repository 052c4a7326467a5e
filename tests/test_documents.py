"""Documents for those who carry the project on say what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / ".github").rglob("*.md")),
)
GLOSSARY = ROOT / "docs" / "glossary.md"
TERMS = re.findall(r"^\| ([^|]+?) \| [^|]+ \| `([^`]+)` \|$", GLOSSARY.read_text("utf-8"), re.M)


def source() -> str:
    """All text of the product, in which the words of the glossary must stand."""
    files = (path for room in ("gateway", "ea_bridge") for path in (ROOT / room).rglob("*.py"))
    return "\n".join(path.read_text("utf-8") for path in files)


def test_the_glossary_has_each_word_once() -> None:
    """And every row of it can be read."""
    words = [word for word, _ in TERMS]
    rows = [line for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("| ")]
    headers = sum(line.startswith("| Word ") for line in rows)
    assert len(words) == len(rows) - headers
    assert len(words) == len(set(words))


def test_each_word_of_the_glossary_is_in_the_code() -> None:
    """As a name, or as a folder."""
    text = source()
    missing = [
        name
        for _, name in TERMS
        if not (ROOT / name).exists()
        and not name.startswith("mt-gateway ")
        and re.search(rf"\b{re.escape(name)}\b", text) is None
    ]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    """A file that moves takes its links with it."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text("utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_documents_name_files_that_are_there(document: Path) -> None:
    """Paths of the product and of its tests, in code marks."""
    paths = re.findall(
        r"`((?:gateway|ea_bridge|tests|docs)/[\w./-]*\w)`", document.read_text("utf-8")
    )
    assert [path for path in paths if not (ROOT / path).exists()] == []
