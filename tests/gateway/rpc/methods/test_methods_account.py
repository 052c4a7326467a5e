"""The account, the terminal, its clock and its EA; symbols."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from scripted_answers import ACCOUNT, EURUSD, NOW_MS, OFFSET_MS
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed, CommandTimeout, NotSent, TerminalBusy
from ea_bridge.model import Clock
from gateway import errors
from gateway.auth.caller import Scope


async def test_account_info_speaks_in_words(scene: Scene) -> None:
    """Enumerations are words, money is as the terminal says, nothing is unavailable on MT5."""
    info = await scene.ask("get_account_info")
    assert (info["trade_mode"], info["margin_mode"]) == ("demo", "hedging")
    assert (info["balance"], info["equity"]) == (10000.0, 10012.4)
    assert info["unavailable"] == []


async def test_account_without_positions_has_no_margin_level(scene: Scene) -> None:
    """MetaTrader's 0 means that there is none."""
    scene.script.answers["account_get"] = replace(ACCOUNT, margin=0.0, margin_level=0.0)
    assert (await scene.ask("get_account_info"))["margin_level"] is None
    assert (await scene.ask("get_account_balance"))["margin_level"] is None


async def test_mt4_account_says_what_it_does_not_know(mt4: Scene) -> None:
    """A null that the platform is to with_outcome for is listed, never guessed."""
    info = await mt4.ask("get_account_info")
    assert info["margin_mode"] is None
    assert {"margin_mode", "fifo_close", "assets"} <= set(info["unavailable"])
    assert all(info[name] is None for name in info["unavailable"])


async def test_mt4_terminal_and_symbol_say_what_they_do_not_know(mt4: Scene) -> None:
    """The same of the other objects."""
    terminal = await mt4.ask("get_terminal_info")
    symbol = await mt4.ask("get_symbol_info", symbol="EURUSD")
    for told in (terminal, symbol):
        assert told["unavailable"]
        assert all(told[name] is None for name in told["unavailable"])
    assert terminal["platform"] == "mt4"


async def test_server_time_is_utc_beside_the_brokers_clock(scene: Scene) -> None:
    """`time` is UTC, `broker_time` the broker's wall clock, and the offset is told."""
    now = await scene.ask("get_server_time")
    assert now["time"] == NOW_MS
    assert now["broker_time"] == NOW_MS + OFFSET_MS
    assert now["utc_offset_seconds"] == 10800
    assert now["last_quote_time"] == NOW_MS - 1000
    assert now["local_offset_seconds"] == 7200
    assert now["offset"]["source"] == "ticks"


@pytest.mark.parametrize(("hours", "offset"), [(-0.5, 10_800), (0.5, 7200)])
async def test_server_time_in_the_hour_that_a_clock_shows_twice(
    scene: Scene, hours: float, offset: int
) -> None:
    """Half past eight is told apart by the PC's clock: it does not go back with the broker's."""
    now_s = int(datetime(2027, 11, 7, 6, tzinfo=UTC).timestamp() + hours * 3600)
    scene.clock.observe(now_s + offset - 1, now_s)
    told = Clock(tcur=now_s + offset - 1, tgmt=now_s, tlocal=now_s, tsrv=now_s + offset)
    scene.script.answers["clock_get"] = told
    now = await scene.ask("get_server_time")
    assert (now["time"], now["broker_time"]) == (now_s * 1000, (now_s + offset) * 1000)
    assert now["utc_offset_seconds"] == now["offset"]["broker_utc_offset_s"] == offset


async def test_mt4_has_no_trade_server_time(mt4: Scene) -> None:
    """There the time is the PC's, put into broker time, and the answer says so."""
    now = await mt4.ask("get_server_time")
    assert now["broker_time"] == NOW_MS + OFFSET_MS
    assert now["unavailable"] == ["trade_server_time"]


async def test_ea_status_works_offline(scene: Scene) -> None:
    """The gateway answers by itself: what was known last stays, the link's figures are null."""
    online = await scene.ask("get_ea_status")
    assert (online["connected"], online["state"], online["rtt_ms"]) == (True, "ready", 4.0)
    assert online["last_heartbeat"] == NOW_MS - 310
    assert online["capabilities"] == sorted(scene.hello.caps.split(","))
    scene.disconnect()
    offline = await scene.ask("get_ea_status")
    assert (offline["connected"], offline["state"]) == (False, "disconnected")
    assert offline["login"] == 12345678
    assert offline["last_heartbeat"] is None


async def test_ea_status_before_the_first_contact(scene: Scene) -> None:
    """A terminal that was never here is null throughout, not an error."""
    scene.disconnect()
    scene.known = False
    status = await scene.ask("get_ea_status")
    assert (status["platform"], status["login"], status["state_since"]) == (None, None, None)


async def test_offline_terminal_is_named(scene: Scene) -> None:
    """A read without a terminal says which one is offline, and since when."""
    scene.disconnect()
    with pytest.raises(errors.TerminalDisconnected) as refused:
        await scene.ask("get_account_info")
    assert refused.value.data == {"terminal": "mt5-a", "since": NOW_MS - 60_000}


@pytest.mark.parametrize(
    ("raised", "seen"),
    [
        (NotSent("gone"), errors.TerminalDisconnected),
        (TerminalBusy("64 in flight"), errors.TerminalBusy),
        (CommandTimeout("account_get", 10), errors.Timeout),
        (CommandFailed("account_get", 4401), errors.HistoryLoading),
        (CommandFailed("account_get", 4003), errors.InvalidParams),
        (CommandFailed("account_get", 4014), errors.MethodNotSupported),
        (CommandFailed("account_get", 4024, msg="secret"), errors.InternalError),
        (CommandFailed("account_get", 9999, msg="secret"), errors.InternalError),
    ],
)
async def test_the_bridges_errors_become_the_callers(
    scene: Scene, raised: Exception, seen: type[errors.GatewayError]
) -> None:
    """Every error of the bridge leaves as one of ours, and never with the EA's words."""
    scene.script.answers["account_get"] = raised
    with pytest.raises(seen) as refused:
        await scene.ask("get_account_info")
    assert "secret" not in str(refused.value.as_dict())


async def test_a_read_token_reads_and_does_not_trade(scene: Scene) -> None:
    """Scopes are checked before anything is asked."""
    await scene.ask("get_positions", scope=Scope.READ)
    with pytest.raises(errors.Forbidden):
        await scene.ask("place_order", scope=Scope.READ, symbol="EURUSD", side="buy", volume=1)
    assert scene.script.sent == []


async def test_symbols_are_names(scene: Scene) -> None:
    """The list holds names, and the mask goes to the terminal as it is."""
    assert await scene.ask("get_symbols", group="*USD*,!XAU*") == ["EURUSD", "GBPUSD", "XAUUSD"]
    assert scene.script.asked_for("symbols_get")[0].group == "*USD*,!XAU*"


async def test_unknown_symbol_suggests_the_nearest(scene: Scene) -> None:
    """In any case of letters, and without asking for more than the list."""
    with pytest.raises(errors.SymbolNotFound) as refused:
        await scene.ask("get_symbol_info", symbol="eurusdd")
    assert refused.value.data == {"symbol": "eurusdd", "did_you_mean": ["EURUSD"]}


async def test_symbol_outside_market_watch_is_selected_first(scene: Scene) -> None:
    """Otherwise it has no prices (quirk 6)."""
    seen = []

    def symbol_get(params: object) -> object:
        seen.append(params)
        return replace(EURUSD, select=len(seen) > 1)

    scene.script.answers["symbol_get"] = symbol_get
    info = await scene.ask("get_symbol_info", symbol="EURUSD")
    assert info["select"] is True
    assert scene.script.ops() == ["symbol_get", "symbol_select", "symbol_get"]


async def test_flags_become_lists_of_words(scene: Scene) -> None:
    """Bit masks are lists; a bit that nobody knows yet is told by its number."""
    scene.script.answers["symbol_get"] = replace(EURUSD, filling_mode=3 | 64, trade_mode=99)
    info = await scene.ask("get_symbol_info", symbol="EURUSD")
    assert info["filling_mode"] == ["fok", "ioc", "other_64"]
    assert info["trade_mode"] == "other_99"
    assert info["last"] is None


async def test_symbol_select(scene: Scene) -> None:
    """It tells what is so afterwards."""
    told = await scene.ask("symbol_select", symbol="EURUSD", enable=False)
    assert told == {"symbol": "EURUSD", "select": False}


@pytest.mark.parametrize("symbol", ["EURUSD.r", "#AAPL", "US 30", "A:B", "Ünïcode"])
async def test_symbols_are_verbatim(scene: Scene, symbol: str) -> None:
    """Dots, spaces, signs and colons go to the terminal unchanged."""
    scene.script.answers["symbol_get"] = lambda p: replace(EURUSD, name=p.symbol)
    assert (await scene.ask("get_symbol_info", symbol=symbol))["name"] == symbol


@pytest.mark.parametrize("symbol", ["", "x" * 65, "EUR\x00USD", "EUR\nUSD", 7, None])
async def test_what_is_no_symbol_is_refused(scene: Scene, symbol: object) -> None:
    """Control characters and foreign types do not reach the terminal."""
    with pytest.raises(errors.InvalidParams):
        await scene.ask("get_symbol_info", symbol=symbol)
    assert scene.script.asked == []
