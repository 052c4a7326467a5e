"""``openrpc`` and ``asyncapi``: the document on the screen, in a file, or one line why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from shell import Done

Run = Callable[..., Done]


def test_the_document_is_the_same_on_the_screen_and_in_a_file(run: Run, tmp_path: Path) -> None:
    """It has every method by its name."""
    out = tmp_path / "openrpc.json"
    assert run("openrpc", "--out", str(out)) == (0, "", "")
    document = json.loads(out.read_text())
    assert "get_account_info" in {method["name"] for method in document["methods"]}
    assert json.loads(run("openrpc").out) == document


def test_asyncapi_is_printed_like_it(run: Run, tmp_path: Path) -> None:
    """It has every channel by its address."""
    out = tmp_path / "asyncapi.json"
    assert run("asyncapi", "--out", str(out)) == (0, "", "")
    document = json.loads(out.read_text())
    assert "tick:{symbol}" in {one["address"] for one in document["channels"].values()}
    assert json.loads(run("asyncapi").out) == document


def test_a_file_that_cannot_be_written_is_explained(run: Run, tmp_path: Path) -> None:
    """One line, with its name."""
    out = tmp_path / "none" / "openrpc.json"
    assert run("openrpc", "--out", str(out)).complaint == f"{out}: No such file or directory"
