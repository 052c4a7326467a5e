"""The client's typed methods are those of the catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from gateway.app import build_catalogue
from gateway.auth.caller import Scope
from gateway.cli.stubs import CLIENT, FILE_OF_GROUP, stub_files, write_stubs
from gateway.client.reads import READS
from gateway.rpc.catalogue import Call, Method, method
from gateway.rpc.methods.params import ClientOrderId, Price, Time


def test_the_committed_files_are_up_to_date() -> None:
    """Run ``mt-gateway stubs`` when this fails."""
    files = dict(stub_files(build_catalogue()))
    committed = {f"methods/{path.name}" for path in (CLIENT / "methods").glob("*.py")}
    assert committed == set(files) - {"sync_methods.py", "reads.py"}
    for name, text in files.items():
        assert (CLIENT / name).read_text() == text, name


def test_reads_are_the_methods_that_change_nothing() -> None:
    """What the client may ask twice by itself is decided by the catalogue."""
    catalogue = build_catalogue()
    assert set(READS) == {name for name, one in catalogue.items() if not one.mutates}
    assert "place_order" not in READS


def test_groups_that_share_a_file_are_those_of_the_catalogue() -> None:
    """A group without a file of its own, or with one for nothing, would be a slip of the pen."""
    assert set(FILE_OF_GROUP) == {method.group for method in build_catalogue().values()}


@method(scope=Scope.TRADE, mutates=True)
async def place(
    call: Call,
    *,
    price: Price,
    from_: Annotated[Time | None, Field(alias="from")] = None,
    kind: Annotated[str, Field(pattern="a|b")] = "a",
    client_order_id: ClientOrderId | None = None,
) -> list[str]:
    """Place it.

    At once.
    """
    return []


@method(scope=Scope.READ, of_terminal=False)
async def look(call: Call, *, symbol: str, wanted: list[int] | None = None) -> None:
    """Look."""


def stub_of(*methods: Method) -> str:
    """Return the text of the stubs of one group."""
    files = dict(stub_files({one.name: one for one in methods}))
    return files[f"methods/{methods[0].group}.py"]


def test_what_trades_takes_its_params_by_name() -> None:
    """A volume in the place of a price costs money."""
    assert "        self,\n        *,\n        price: Number,\n" in stub_of(place)


def test_what_trades_has_an_order_id() -> None:
    """Made once, outside of any retry."""
    assert "client_order_id=order_id(client_order_id)" in stub_of(place)


def test_keywords_of_python_get_an_underscore() -> None:
    """Times take datetimes as well."""
    assert "from_: Time | Omitted | None = OMITTED" in stub_of(place)


def test_what_reads_takes_what_it_needs_by_position() -> None:
    """``get_symbol_info("EURUSD")``."""
    text = stub_of(look)
    assert "self, symbol: str, *, wanted: Sequence[int] | Omitted | None = OMITTED" in text


def test_the_documentation_comes_along() -> None:
    """Summary and description."""
    assert '"""Place it.\n\n        At once.\n        """' in stub_of(place)


def test_stale_files_go(tmp_path: Path) -> None:
    """The file of a group that is gone would lie."""
    stale = tmp_path / "methods" / "gone.py"
    stale.parent.mkdir()
    stale.touch()
    written = write_stubs({"look": look}, tmp_path)
    assert not stale.exists()
    assert all(path.exists() for path in written)


@pytest.mark.parametrize("name", ["hello", "subscribe", "unsubscribe"])
def test_what_has_another_meaning_in_the_client_is_left_out(name: str) -> None:
    """``hello`` is the connection's affair; ``subscribe`` the iterator's."""
    files = dict(stub_files(build_catalogue()))
    assert not any(f"async def {name}(" in text for text in files.values())
