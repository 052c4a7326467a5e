"""The emulated terminal on a machine that nobody has approved, and before another daemon."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from bridge_parts import TOKEN
from console_parts import CODE, URL, ConsoleBridge, ScriptedConsole, console_bridge
from terminal_bench import Bench

from ea_bridge.emulator.link import EmulatedLink, LinkRefused, WrongDevice
from ea_bridge.endpoint.conversation import DevicePin
from ea_bridge.protocol import messages as m
from ea_bridge.token import parse_token

WITHIN_S = 60
TID = parse_token(TOKEN)


class Emulated:
    """A terminal that dials a bridge, and what it was told of its approval."""

    def __init__(self, bridge: ConsoleBridge, bench: Bench | None = None) -> None:
        self.bench = bench or Bench()
        self.told: list[m.Pending] = []
        self._something = asyncio.Event()
        self.link = EmulatedLink(
            self.bench.terminal, "127.0.0.1", bridge.server.port, TOKEN, on_pending=self._hear
        )
        self.running = asyncio.create_task(self.link.run())

    def _hear(self, pending: m.Pending) -> None:
        self.told.append(pending)
        self._something.set()

    async def until_told(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN_S):
            while not condition():
                self._something.clear()
                await self._something.wait()

    async def until_ready(self) -> None:
        async with asyncio.timeout(WITHIN_S):
            await self.link.ready.wait()

    async def refused(self) -> LinkRefused:
        async with asyncio.timeout(WITHIN_S):
            with pytest.raises(LinkRefused) as refused:
                await self.running
        return refused.value

    async def stop(self) -> None:
        self.link.stop()
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError, LinkRefused):
            await self.running


@pytest.fixture
def console() -> ScriptedConsole:
    return ScriptedConsole(TOKEN)


@pytest.fixture
async def far(console: ScriptedConsole) -> AsyncIterator[ConsoleBridge]:
    async with console_bridge(console) as bridge:
        yield bridge


@pytest.fixture
async def emulated(far: ConsoleBridge) -> AsyncIterator[Emulated]:
    """A terminal that waits for its approval."""
    emulated = Emulated(far)
    await emulated.until_told(lambda: emulated.told)
    yield emulated
    await emulated.stop()


async def test_it_shows_what_a_person_needs(emulated, caplog):
    """To its owner's program, and in the log."""
    assert emulated.told == [m.Pending(user_code="BCDF-GHJK", url=URL, expires_s=600)]
    [logged] = [each.getMessage() for each in caplog.get_records("setup") if each.levelno > 20]
    assert "BCDF-GHJK" in logged
    assert URL in logged
    assert not emulated.link.ready.is_set()


async def test_it_links_by_itself_after_the_approval(emulated, far, console):
    """At once: it need not be started again."""
    console.approve()
    await emulated.until_ready()
    await far.heard.until(lambda: far.registry.get("demo") is not None)
    assert console.asked.count("fetch_challenge") == 1


async def test_a_code_that_is_typed_in_is_passed_on(emulated, far):
    """A wrong one is told with the tries that are left, the right one approves."""
    assert emulated.link.verify("00000000")
    await emulated.until_told(lambda: len(emulated.told) == 2)
    assert (emulated.told[-1].error, emulated.told[-1].tries_left) == ("wrong_code", 4)
    assert emulated.link.verify(CODE)
    await emulated.until_ready()
    assert not emulated.link.verify(CODE)


@pytest.mark.parametrize(
    "code", ["", "1234567", "123456789", "1234567x", "12345678\n", "١٢٣٤٥٦٧٨"]
)
async def test_what_is_no_code_is_not_sent(emulated, console, code):
    """A slip of the finger costs no try."""
    with pytest.raises(ValueError, match="8 digits"):
        emulated.link.verify(code)
    assert console.codes == []


async def test_a_person_who_says_no_ends_it(emulated, console):
    """As with any token that is not taken."""
    console.refuse()
    assert str(await emulated.refused()) == "no"


async def test_a_request_that_ran_out_does_not_end_it(emulated, console, caplog):
    """It asks again when it may."""
    conversation = emulated.link._conversation
    console.refuse("device_pending")
    async with asyncio.timeout(WITHIN_S):
        assert await asyncio.shield(conversation.over) == 300
    await asyncio.sleep(0)
    assert not emulated.running.done()
    assert "the next try is in 300 s" in caplog.text


async def test_it_keeps_the_link_alive_while_it_waits(emulated, far):
    """It answers the daemon's heartbeats, with nothing of the account in them."""
    [link] = far.server._links
    heard: list[m.Message] = []
    handle = link._enrollment.handle
    told = asyncio.Event()

    def listen(message: m.Message) -> None:
        heard.append(message)
        handle(message)
        told.set()

    link._enrollment.handle = listen
    async with asyncio.timeout(WITHIN_S):
        while not [each for each in heard if isinstance(each, m.Hb) and each.n]:
            told.clear()
            await told.wait()
    assert {type(each) for each in heard} == {m.Hb}
    assert all(each == m.Hb(n=each.n) for each in heard)


async def test_a_daemon_that_goes_away_meanwhile_is_dialled_again(emulated, far):
    """The wait begins anew."""
    far.server.close_token(TID, "shutdown")
    await emulated.until_told(lambda: len(emulated.told) == 2)


async def test_it_says_by_what_it_can_be_known_again(emulated, far):
    """The same each time it is started, another for another account."""
    [pending] = far.registry.pending()
    bench = Bench()
    assert pending.hello.fp == bench.terminal.hello(TID, "00" * 32).fp
    assert len(pending.hello.fp) == 64
    assert pending.hello.fp != Bench("mt4").terminal.hello(TID, "00" * 32).fp


# --- which daemon ------------------------------------------------------------------------


@pytest.fixture
async def squatter() -> AsyncIterator[ConsoleBridge]:
    """A program on the daemon's port that the console has approved as a device of its own."""
    console = ScriptedConsole(TOKEN, approved=True, device="squatter")
    async with console_bridge(console) as bridge:
        yield bridge


async def linked_once(far: ConsoleBridge, console: ScriptedConsole, bench: Bench) -> None:
    """Have the terminal let in by its daemon."""
    console.approved = True
    first = Emulated(far, bench)
    await first.until_ready()
    await first.stop()


async def test_a_squatter_gets_nothing_from_a_terminal_that_knows_its_daemon(
    far, console, squatter
):
    """Its proof is right, its device is another: the terminal stops, and says why."""
    bench = Bench()
    await linked_once(far, console, bench)
    refused = await Emulated(squatter, bench).refused()
    assert isinstance(refused, WrongDevice)
    assert "device squatter" in str(refused)
    assert "start this program anew" in str(refused)
    assert squatter.console.asked == ["fetch_challenge"]
    assert squatter.registry.sessions() == []


async def test_it_stops_though_it_was_linked_in_this_run(far, console, squatter):
    """A link that breaks while the squatter takes the port is just the moment."""
    console.approved = True
    emulated = Emulated(far)
    await emulated.until_ready()
    emulated.link.port = squatter.server.port
    emulated.link.cut()
    assert isinstance(await emulated.refused(), WrongDevice)
    assert squatter.console.asked == ["fetch_challenge"]


async def test_its_own_daemon_is_known_again(far, console):
    """The id is the same for the life of the daemon's home."""
    bench = Bench()
    await linked_once(far, console, bench)
    await linked_once(far, console, bench)


async def test_a_daemon_is_known_again_from_a_file(far, console, squatter, tmp_path: Path):
    """Written at the first welcome; the message says how to get rid of it."""
    path = tmp_path / "device"
    bench = Bench()
    bench.terminal.pin = DevicePin(path)
    await linked_once(far, console, bench)
    assert path.read_text() == "device-1\n"
    later = Bench()
    later.terminal.pin = DevicePin(path)
    refused = await Emulated(squatter, later).refused()
    assert f"delete {path}" in str(refused)
    path.unlink()
    anew = Bench()
    anew.terminal.pin = DevicePin(path)
    await linked_once(squatter, squatter.console, anew)
    assert path.read_text() == "squatter\n"


async def test_a_file_with_something_else_in_it_lets_no_daemon_in(far, console, tmp_path: Path):
    """Rather than to trust anew."""
    path = tmp_path / "device"
    path.write_text("")
    console.approved = True
    bench = Bench()
    bench.terminal.pin = DevicePin(path)
    emulated = Emulated(far, bench)
    assert isinstance(await emulated.refused(), WrongDevice)


async def test_a_file_that_cannot_be_written_is_no_reason_to_stop(
    far, console, tmp_path: Path, caplog
):
    """It is known for this run, and the log tells."""
    bench = Bench()
    bench.terminal.pin = DevicePin(tmp_path / "missing" / "device")
    await linked_once(far, console, bench)
    assert bench.terminal.pin.device == "device-1"
    assert "is not written" in caplog.text
