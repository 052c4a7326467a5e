"""A gateway that cannot read what its last run has left does not start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.app import Gateway
from gateway.config import Config
from gateway.home.home import Home
from gateway.storage.store import Store, StoreError

CONFIG = Config.model_validate({"api": {"port": 0}, "bridge": {"port": 0}})


@pytest.mark.parametrize("table", ["armed", "contingent", "orders"])
async def test_what_is_to_go_on_is_read_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """A dead man's switch, a linked order or an unknown one would be forgotten otherwise, and who
    relies on it would not know.
    """
    whole = Store.all

    def broken(store: Store, sql: str, *values: Any) -> list[Any]:
        if f"FROM {table}" in sql:
            raise StoreError("the disk reports errors")
        return whole(store, sql, *values)

    with Home(tmp_path, CONFIG.secrets.key_file) as home:
        async with Gateway(home, CONFIG).run():
            pass
        with monkeypatch.context() as patched:
            patched.setattr(Store, "all", broken)
            with pytest.raises(StoreError, match="the disk reports errors"):
                async with Gateway(home, CONFIG).run():
                    pass
        async with Gateway(home, CONFIG).run() as ready:
            assert ready.bridge
