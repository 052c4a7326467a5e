"""Every sealed column is known to the exchange of the key: what is not would be lost with it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.credentials.secrets import SealedColumn
from gateway.home.home import SEALED, Home

GATEWAY = Path(__file__).parents[3] / "gateway"
SOURCES = [
    path
    for path in GATEWAY.rglob("*.py")
    if path.relative_to(GATEWAY).parts[0] != "console"  # it has a database of its own
]


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    """Every call of a name in the daemon's sources."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and name in ast.unparse(node.func).split("."):
                yield path, node


def test_every_sealed_column_is_listed() -> None:
    """Whoever names one in the sources, beside whatever table, puts it into the list."""
    named = [
        SealedColumn(*(ast.literal_eval(one) for one in call.args))
        for _, call in calls("SealedColumn")
    ]
    assert len(named) == len(set(named))
    assert set(named) == set(SEALED)


def test_secrets_are_sealed_for_listed_columns_alone() -> None:
    """No place is made by hand, so that nothing is sealed for another table."""
    assert {path.name for path, _ in calls("Place")} == {"secrets.py"}


@pytest.mark.parametrize("one", SEALED, ids=lambda one: f"{one.table}.{one.column}")
def test_a_sealed_column_is_there_and_its_rows_have_names(
    one: SealedColumn, tmp_path: Path
) -> None:
    """Texts both; the key identifies a row by itself."""
    with Home(tmp_path / "home") as home:
        columns = {row["name"]: row for row in home.store.all(f"PRAGMA table_info({one.table})")}
        unique = [
            [part["name"] for part in home.store.all(f"PRAGMA index_info('{index['name']}')")]
            for index in home.store.all(f"PRAGMA index_list({one.table})")
            if index["unique"]
        ]
    assert columns[one.key]["type"] == columns[one.column]["type"] == "TEXT"
    assert [one.key] in unique
