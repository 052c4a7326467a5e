"""Table of the last commands that an EA has taken, and its file."""

from __future__ import annotations

from pathlib import Path

from ea_orders import BOTH, BUY, buy, positions, stored
from linked_ea import Compile, LinkedEa, plain_config
from msgspec.structs import replace

from ea_bridge.commands import LEASE_GET, ORDER_SEND, SURE_ABSENT, NoParams


def table_of(folder: Path) -> Path:
    """The file of the EA's results."""
    [table] = folder.rglob("*-results.jsonl")
    return table


def add_to(table: Path, text: bytes) -> None:
    with table.open("ab") as file:
        file.write(text)


def lose_end(table: Path, number: int) -> None:
    """Take away what was noted of a command, and all after it, as a power cut may."""
    notes = table.read_bytes().splitlines(keepends=True)
    taken = next(at for at, note in enumerate(notes) if str(number).encode() in note)
    table.write_bytes(b"".join(notes[:taken]))


@BOTH
async def test_a_table_that_is_damaged_knows_nothing_any_more(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """A torn last line was being written when the terminal died: only that is forgotten."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        await ea.ask(LEASE_GET, NoParams())
        number = session.new_command_id()
        result = await buy(ea, command_id=number)
        add_to(table_of(tmp_path), b'{"id":99')
        await restarted(ea)
        [known] = await stored(ea, number)
        assert known.result == result
        add_to(table_of(tmp_path), b"nonsense\n")
        await restarted(ea)
        [known] = await stored(ea, number)
        assert known.state == "forgotten"


@BOTH
async def test_what_was_never_taken_is_known_as_long_as_the_terminal_runs(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """Also when its EA begins anew. After a start of the terminal the end of the table may be
    missing, which a power cut takes with it: only what is in it counts."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        await ea.ask(LEASE_GET, NoParams())
        assert SURE_ABSENT in session.caps
        never, number = session.new_command_id(), session.new_command_id()
        await buy(ea, command_id=number)
        assert [one.state for one in await stored(ea, never, number)] == ["absent", "done"]
        await reloaded(ea)
        assert [one.state for one in await stored(ea, never, number)] == ["absent", "done"]
        await restarted(ea)
        assert [one.state for one in await stored(ea, never, number)] == ["forgotten", "done"]
        lose_end(table_of(tmp_path), number)
        await restarted(ea)
        assert [one.state for one in await stored(ea, number)] == ["forgotten"]
        assert len(await positions(ea)) == 1


@BOTH
async def test_a_horizon_of_an_earlier_run_of_the_terminal_is_never_believed_again(
    platform: str, tmp_path: Path, compile_ea: Compile
) -> None:
    """The EA begins anew twice before anybody asks: after a start of the terminal, and in it."""
    async with LinkedEa(compile_ea(platform), plain_config(tmp_path)) as ea:
        session = await ea.live()
        await ea.ask(LEASE_GET, NoParams())
        number = session.new_command_id()
        await buy(ea, command_id=number)
        lose_end(table_of(tmp_path), number)
        await restarted(ea)
        await reloaded(ea)
        assert [one.state for one in await stored(ea, number)] == ["forgotten"]
        assert len(await positions(ea)) == 1


async def reloaded(ea: LinkedEa) -> None:
    """Let the EA begin anew in the same terminal, as after another timeframe was chosen."""
    start = len(ea.terminal.said)
    await ea.terminal.do("reinit")
    await ea.terminal.heard(lambda line: "linked with" in line.get("text", ""), start)


async def restarted(ea: LinkedEa) -> None:
    """Kill the terminal and wait until its successor is linked."""
    start = len(ea.terminal.said)
    ea.terminal.tell(do="restart")
    await ea.terminal.heard(lambda line: "linked with" in line.get("text", ""), start)


async def test_the_table_reaches_back_256_commands(tmp_path: Path, compile_ea: Compile) -> None:
    """Its file is written anew now and then, and says the same."""
    async with LinkedEa(compile_ea("mt5"), plain_config(tmp_path)) as ea:
        session = await ea.live()
        first = session.new_command_id()
        refused = replace(BUY, volume=0.001)
        await ea.ask(LEASE_GET, NoParams())
        for _ in range(1100):
            await ea.ask(ORDER_SEND, refused)
        last = session.new_command_id()
        asked = (first, last - 257, last - 256, last - 1, last)
        states = ["forgotten", "forgotten", "done", "done", "absent"]
        assert [one.state for one in await stored(ea, *asked)] == states
        assert len(table_of(tmp_path).read_bytes().splitlines()) < 2200
        await restarted(ea)
        states[-1] = "forgotten"
        assert [one.state for one in await stored(ea, *asked)] == states
