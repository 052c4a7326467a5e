"""Each question names the newest answer that is on the disk: so a copied home shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from link_fixtures import House, until
from scripted_console import ScriptedConsole, Signer

from gateway.console_link.http import ConsoleUntrusted
from gateway.home.home import Home


async def test_each_question_names_the_answer_before(
    house: House, console: ScriptedConsole
) -> None:
    """The first one none; after a restart it is what was stored, whatever was under way."""
    before = ""
    for _ in range(3):
        first = len(console.syncs)
        async with house.running() as uplink:
            await until(lambda: uplink.status().connected)
            await uplink.sync()
            await uplink.sync()
            asked = [sync.after for sync in console.syncs[first:]]
            assert asked == [before, *console.states[first : first + len(asked) - 1]]
        before = house.console.offers.state
    assert before in console.states


async def test_an_answer_that_is_not_kept_is_not_named(
    house: House, console: ScriptedConsole
) -> None:
    """What was stored before it is."""
    async with house.running() as uplink:
        await until(lambda: uplink.status().connected)
        await uplink.sync()
        own, console.root = console.root, Signer().root  # its answers are another console's now
        with pytest.raises(ConsoleUntrusted):
            await uplink.sync()
        kept, refused = house.console.offers.state, len(console.syncs)
        for _ in range(2):
            with pytest.raises(ConsoleUntrusted):
                await uplink.sync()
        assert {sync.after for sync in console.syncs[refused:]} == {kept}
        console.root = own
        await uplink.sync()
        assert house.console.offers.state != kept


async def test_another_console_is_told_nothing_of_it(
    house: House, console: ScriptedConsole, tmp_path: Path
) -> None:
    """It has signed none of that."""
    async with house.running() as uplink:
        await until(lambda: uplink.status().connected)
    kept = house.console.offers.state
    assert kept in console.states
    house.home.close()
    home = Home(tmp_path / "home")
    assert home.console(Signer().root_text).offers.state == ""
    assert home.console(console.root_text).offers.state == kept
    home.close()
