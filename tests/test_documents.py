"""Documents for those who carry the project on say what the code says."""

from __future__ import annotations

import ast
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
    words = set(re.findall(r"\w+", text))
    missing = [
        name
        for _, name in TERMS
        if name not in words
        and not (ROOT / name).exists()
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


def names_of_the_product() -> set[str]:
    """Return the full names of all modules, and of what stands in them and in their classes."""
    names = set()
    for room in ("gateway", "ea_bridge"):
        for path in (ROOT / room).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(
                ".__init__"
            )
            names.add(module)
            for node in ast.parse(path.read_text("utf-8")).body:
                names |= {f"{module}.{name}" for name in defined_by(node)}
    return names


def defined_by(node: ast.stmt) -> set[str]:
    """Return the names that a statement of a module defines or imports; with those of a class."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            return {node.name}
        case ast.ClassDef():
            inner = {name for statement in ast.walk(node) for name in assigned_by(statement)}
            inner |= {name for statement in node.body for name in defined_by(statement)}
            return {node.name} | {f"{node.name}.{name}" for name in inner}
        case ast.ImportFrom():
            return {alias.asname or alias.name for alias in node.names}
    return assigned_by(node)


def assigned_by(node: ast.AST) -> set[str]:
    """Return the names, and the attributes of ``self``, that an assignment gives values."""
    match node:
        case ast.Assign(targets=targets):
            pass
        case ast.AnnAssign(target=target):
            targets = [target]
        case _:
            return set()
    targets = [inner for target in targets for inner in getattr(target, "elts", [target])]
    return {getattr(target, "attr", "") or getattr(target, "id", "") for target in targets} - {""}


def test_docstrings_refer_to_what_is_there() -> None:
    """By a full name, or by the end of one after a dot; a rename takes its references with it."""
    names = names_of_the_product()
    ends = {name[at:] for name in names for at, char in enumerate(name) if char == "."}
    dead = [
        f"{path.relative_to(ROOT)}: {told}"
        for room in ("gateway", "ea_bridge")
        for path in sorted((ROOT / room).rglob("*.py"))
        for told in re.findall(
            r":(?:mod|class|func|meth|data|attr|exc):`~?([\w.]+)`", path.read_text("utf-8")
        )
        if (told.startswith(".") and told not in ends)
        or (told.startswith(("gateway.", "ea_bridge.")) and told not in names)
    ]
    assert dead == []
