"""``mt-gateway reference``: the pages of docs/reference are those of the code."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.reference import reference_pages

PLACE = Path(__file__).parents[3] / "docs" / "reference"


def test_the_reference_is_the_one_made_from_the_code() -> None:
    """Run ``mt-gateway reference`` when this fails."""
    made = reference_pages()
    written = {path.name: path.read_text("utf-8") for path in PLACE.iterdir()}

    assert [name for name in made if written.get(name) != made[name]] == []
    assert set(written) == set(made)
