"""The emulated terminal without its wire: commands, cursors, events that can be told again."""

from __future__ import annotations

import pytest
from terminal_bench import EURUSD, Bench, rows, trades

from ea_bridge import commands
from ea_bridge.emulator.command_handler import in_group
from ea_bridge.endpoint.results import MAX_PART_BYTES
from ea_bridge.model import Bar, Timeframe, TradeRetcode
from ea_bridge.protocol import messages as m
from ea_bridge.simulation.faults import EmulatedFaults, UnknownFault


@pytest.fixture
def bench() -> Bench:
    return Bench()


def errors(answer: list[m.Res]) -> list[int]:
    return [part.err for part in answer if not part.ok]


# --- commands ------------------------------------------------------------------------------


def test_every_command_of_the_table_is_answered(bench: Bench):
    """What the daemon can ask, the terminal can answer, with the shape that the table gives."""
    params = {
        "rates_get": {"symbol": EURUSD, "timeframe": int(Timeframe.M1), "count": 3},
        "order_calc_margin": {"type": 0, "symbol": EURUSD, "volume": 0.1, "price": 1.1},
        "order_calc_profit": {
            "type": 0,
            "symbol": EURUSD,
            "volume": 0.1,
            "price_open": 1.1,
            "price_close": 1.2,
        },
        "ticks_get": {"symbol": EURUSD, "count": 5},
        "login_check": {
            "login": 12345678,
            "password": "MyMT5Password",
            "server": "MetaQuotes-Demo",
        },
        "trail_set": {"ticket": bench.buy().position, "distance": 100},
        "results_get": {"ids": "1,2"},
        "lease_set": {"lease_ms": 5000},
    }
    trading = {name: getattr(bench.buy_request(), name) for name in ("action", "symbol", "volume")}
    for op, command in commands.COMMANDS.items():
        needs_symbol = "symbol" in command.params.__struct_fields__
        given = params.get(op, {"symbol": EURUSD} if needs_symbol else {})
        if op in ("order_send", "order_check"):
            given = trading | {"type_filling": 1}
        bench.result(command, **given)


def test_an_unknown_command_and_malformed_params_have_their_own_errors(bench: Bench):
    """4014 and 4003, so that the daemon can tell an old EA from its own mistake."""
    unknown = bench.terminal.execute(m.Cmd(id=1, op="fly"))
    malformed = bench.terminal.execute(m.Cmd(id=2, op="tick_get"))

    assert (errors(unknown), errors(malformed)) == ([4014], [4003])


@pytest.mark.parametrize(
    ("command", "params", "error"),
    [
        (commands.TICK_GET, {"symbol": "NOPE"}, 4301),
        (commands.BOOK_GET, {"symbol": "GBPUSD"}, 4901),
        (commands.RATES_GET, {"symbol": EURUSD, "timeframe": 7}, 4003),
        (commands.WATCH, {"symbol": EURUSD, "bars": "1,7"}, 4003),
        (commands.ORDER_CALC_MARGIN, {"type": 5, "symbol": EURUSD, "volume": 1, "price": 1}, 4003),
    ],
)
def test_what_cannot_be_answered_says_why(bench: Bench, command, params, error):
    """With MetaTrader's run-time errors."""
    assert errors(bench.ask(command, **params)) == [error]


def test_a_symbol_outside_market_watch_must_be_selected_first(bench: Bench):
    """Quirk 6: no prices of it until then; one with positions cannot be taken out."""
    bench.result(commands.SYMBOL_SELECT, symbol="GBPUSD", enable=False)
    refused = errors(bench.ask(commands.TICK_GET, symbol="AUDUSD"))
    bench.result(commands.SYMBOL_SELECT, symbol="AUDUSD")

    assert refused == [4302]
    assert bench.result(commands.TICK_GET, symbol="AUDUSD").bid > 0
    pending = bench.result(commands.SYMBOL_GET, symbol="GBPUSD")
    assert pending.select, "the demo has pending orders in it"


def test_a_long_answer_comes_in_parts(bench: Bench):
    """Parts count from 0, all but the last say that more follows, and together they are whole."""
    asked = {"symbol": EURUSD, "timeframe": int(Timeframe.M1), "count": 8000}
    answer = bench.ask(commands.RATES_GET, **asked)

    assert [part.part for part in answer] == list(range(len(answer)))
    assert [part.last for part in answer] == [False] * (len(answer) - 1) + [True]
    assert max(len(part.d) for part in answer) <= MAX_PART_BYTES + len('{"rows":[],"missing":""}')
    bars: list[Bar] = bench.result(commands.RATES_GET, **asked).rows
    assert (len(bars), len(answer) > 1) == (8000, True)
    assert sorted(bar.time for bar in bars) == [bar.time for bar in bars]


@pytest.mark.parametrize(
    ("group", "name", "found"),
    [
        (None, "EURUSD", True),
        ("*USD*", "EURUSD", True),
        ("*USD*,!EUR*", "EURUSD", False),
        ("*USD*, !*JPY", "USDJPY", False),
        ("!*USD*", "EURUSD", False),
        ("EUR*,GBP*", "GBPUSD", True),
    ],
)
def test_groups_read_as_in_the_package(group, name, found):
    """Conditions in their order; an exclamation mark takes out again."""
    assert in_group(name, group) is found


def test_a_command_finds_the_market_as_it_is_now(bench: Bench):
    """Not as it was at the last pulse: a fill after a pause is at the present price."""
    bench.pulse(1)
    bench.now_msc += 300_000
    result = bench.buy()

    tick = bench.market.ticks(EURUSD, count=1)[0]
    assert bench.now_msc - tick.time_msc < 60_000
    assert result.price == tick.ask


# --- trades and their events -----------------------------------------------------------------


def test_a_trade_is_executed_once_however_often_it_is_asked(bench: Bench):
    """A command id that comes again gets the stored answer."""
    request = bench.buy_request()
    params = {name: getattr(request, name) for name in request.__struct_fields__}
    first = bench.again(77, commands.ORDER_SEND, **params)
    second = bench.again(77, commands.ORDER_SEND, **params)

    assert first == second
    assert len(bench.broker.positions()) == 1


def test_a_fill_is_told_in_metatraders_order_and_counted(bench: Bench):
    """Order, deal, position, order gone; each event is the last plus 1."""
    bench.pulse(1)
    assert bench.buy().retcode == TradeRetcode.DONE
    events = trades(bench.pulse())

    kinds = ["order" if e.order else "deal" if e.deal else "position" for e in events]
    assert kinds == ["order", "deal", "position", "order"]
    assert [e.op for e in events] == ["add", "add", "add", "remove"]
    assert [e.q for e in events] == list(range(1, len(events) + 1))


def test_after_a_reconnect_it_tells_again_what_was_not_acknowledged(bench: Bench):
    """And no more than that; what was forgotten by then is announced as lost."""
    bench.buy()
    told = trades(bench.pulse())
    bench.terminal.link_lost()

    assert trades(bench.terminal.link_ready(ack=told[1].q)) == told[2:]
    bench.terminal.acknowledged(told[-1].q)
    assert bench.terminal.link_ready(ack=told[-1].q) == []
    [lost] = bench.terminal.link_ready(ack=1)
    assert lost == m.Lost(start=2)


def test_a_switch_that_is_turned_is_told(bench: Bench):
    """AutoTrading off: an event, the heartbeat says so, and orders are refused with 10027."""
    bench.pulse(1)
    bench.broker.switches.autotrading = False
    [state] = [one for one in bench.pulse(1) if isinstance(one, m.StateEvent)]

    assert state.autotrading is False
    assert not bench.terminal.heartbeat(1, 0).autotrading
    assert bench.buy().retcode == TradeRetcode.CLIENT_DISABLES_AT


# --- prices ------------------------------------------------------------------------------------


def watch(bench: Bench, **params: object) -> commands.Watched:
    result: commands.Watched = bench.result(commands.WATCH, symbol=EURUSD, **params)
    return result


def test_ticks_are_told_from_the_watch_on(bench: Bench):
    """Nothing before it, every one after it, as text with the symbol's digits."""
    bench.terminal.link_ready(ack=0)
    assert rows(bench.pulse(60)) == []
    started = bench.now_msc
    assert watch(bench, ticks=True).digits == 5
    told = rows(bench.pulse(120))

    expected = bench.market.ticks(EURUSD, from_msc=started + 1, to_msc=bench.now_msc)
    assert [row[1] for row in told] == [tick.time_msc for tick in expected]
    assert {len(row[2].partition(".")[2]) for row in told} == {5}


def test_a_cursor_continues_a_stream_exactly(bench: Bench):
    """Ticks that were told while nobody listened come first, none twice, none left out."""
    bench.terminal.link_ready(ack=0)
    watch(bench, ticks=True)
    before = rows(bench.pulse(60))
    bench.terminal.link_lost()
    bench.pulse(300)
    bench.terminal.link_ready(ack=0)
    last = before[-1][1]
    same = sum(row[1] == last for row in before)
    watch(bench, ticks=True, last_msc=last, n_same_msc=same)
    after = rows(bench.pulse(30))

    expected = bench.market.ticks(EURUSD, from_msc=before[0][1], to_msc=bench.now_msc)
    assert [row[1] for row in before + after] == [tick.time_msc for tick in expected]


def test_no_ticks_without_a_link_or_a_watch(bench: Bench):
    """A new link starts without watches."""
    bench.terminal.link_ready(ack=0)
    watch(bench, ticks=True)
    bench.terminal.link_lost()
    assert rows(bench.pulse(60)) == []
    bench.terminal.link_ready(ack=0)
    assert rows(bench.pulse(60)) == []


def test_a_recording_flat_out_waits_for_a_listener_and_is_told_whole():
    """All 10,000 packaged ticks, in order, once; then prices stand still."""
    bench = Bench(flat_out=True)
    bench.terminal.link_ready(ack=0)
    assert rows(bench.pulse()) == []
    watch(bench, ticks=True)
    told: list[tuple[object, ...]] = []
    while fresh := rows(bench.pulse()):
        told += fresh

    assert len(told) == 10_000
    assert [row[1] for row in told] == sorted(row[1] for row in told)
    assert rows(bench.pulse()) == []


def test_bars_follow_the_ticks(bench: Bench):
    """The forming bar with each pulse, and each bar that closed, as history has it afterwards."""
    bench.terminal.link_ready(ack=0)
    watch(bench, bars=f"{int(Timeframe.M1)},{int(Timeframe.M5)}")
    events = [one for _ in range(60) for one in bench.pulse(7) if isinstance(one, m.BarEvent)]
    closed = [e.d for e in events if e.closed and e.timeframe == Timeframe.M1]

    assert len(closed) >= 5
    first, last = closed[0].time, closed[-1].time
    assert closed == bench.market.bars(EURUSD, Timeframe.M1, from_s=first, to_s=last)


def closed_minutes(messages: list[m.Message]) -> list[Bar]:
    """The bars of a minute that closed."""
    return [
        one.d
        for one in messages
        if isinstance(one, m.BarEvent) and one.closed and one.timeframe == Timeframe.M1
    ]


def test_a_bar_counts_each_tick_once(bench: Bench):
    """A watch comes between two pulses: what a command has moved the market on by already is in
    the bar that it begins with."""
    bench.terminal.link_ready(ack=0)
    bench.pulse()
    bench.now_msc += 30_000
    watch(bench, bars=f"{int(Timeframe.M1)}")
    closed = closed_minutes(bench.pulse(60))

    [bar] = bench.market.bars(EURUSD, Timeframe.M1, from_s=closed[0].time, to_s=closed[0].time)
    assert closed == [bar]


def test_a_further_watch_loses_no_bar(bench: Bench):
    """A bar that ends while more is asked for of its symbol is told like any other."""
    bench.terminal.link_ready(ack=0)
    watch(bench, bars=f"{int(Timeframe.M1)}")
    closed = closed_minutes(bench.pulse(1))
    for _ in range(5):
        bench.now_msc += 60_000
        watch(bench, bars=f"{int(Timeframe.M1)},{int(Timeframe.M5)}")
        closed += closed_minutes(bench.pulse())

    first, last = closed[0].time, closed[-1].time
    assert len(closed) >= 4
    assert closed == bench.market.bars(EURUSD, Timeframe.M1, from_s=first, to_s=last)


def test_the_book_comes_with_the_prices(bench: Bench):
    """Whole, with the present best prices."""
    bench.terminal.link_ready(ack=0)
    watch(bench, book=True)
    books = [one for one in bench.pulse(60) if isinstance(one, m.Book)]

    tick = bench.market.tick(EURUSD)
    assert tick is not None
    assert {entry.price for entry in books[-1].d} >= {tick.bid, tick.ask}


def test_a_book_that_is_not_there(bench: Bench):
    """Refused when it is asked for, and nothing of that watch is carried out."""
    bench.terminal.link_ready(ack=0)
    [refused] = bench.ask(commands.WATCH, symbol="GBPUSD", ticks=True, book=True)

    assert (refused.ok, refused.err) == (False, 4901)
    assert [one for one in bench.pulse(60) if isinstance(one, (m.Book, m.Ticks))] == []


def test_account_and_floating_profit_follow_the_prices(bench: Bench):
    """Told when they change, not with every tick."""
    bench.terminal.link_ready(ack=0)
    bench.pulse(1)
    bench.buy()
    messages = bench.pulse(30)

    [account] = [one for one in messages if isinstance(one, m.AccountEvent)]
    [pnl] = [one for one in messages if isinstance(one, m.Pnl)]
    assert account.d.profit == pytest.approx(sum(row[3] for row in pnl.d))
    assert not any(isinstance(one, m.AccountEvent) for one in bench.pulse())


# --- MetaTrader 4, faults ------------------------------------------------------------------------


def test_metatrader_4_says_what_it_cannot_do():
    """Fewer capabilities, fewer timeframes, fewer facts; refusals instead of guesses."""
    bench = Bench("mt4")
    hello = bench.terminal.hello("A1b2C3d4E5f6", "0" * 64)

    assert hello.platform == "mt4"
    assert not {"ticks", "book", "deals", "check"} & set(hello.caps.split(","))
    assert errors(bench.ask(commands.TICKS_GET, symbol=EURUSD)) == [4014]
    m2 = {"symbol": EURUSD, "timeframe": int(Timeframe.M2), "count": 1}
    assert errors(bench.ask(commands.RATES_GET, **m2)) == [4003]
    assert bench.result(commands.ACCOUNT_GET).margin_mode is None
    assert bench.result(commands.SYMBOL_GET, symbol=EURUSD).filling_mode is None
    assert bench.result(commands.CLOCK_GET).tsrv is None


def test_metatrader_4_tells_what_a_closed_trade_brought():
    """It has no deals: the money of its past is in the closed trades, to the cent."""
    bench = Bench("mt4")
    past = bench.result(commands.HISTORY_ORDERS_GET, from_s=0, to_s=bench.now_msc // 1000)
    closed = [order for order in past if order.profit is not None]
    brought = sum(order.profit + order.swap + order.commission for order in closed)
    assert closed
    assert round(10_000 + brought, 2) == bench.result(commands.ACCOUNT_GET).balance


def test_faults_happen_as_often_as_asked():
    """And unknown ones are refused, with the names that there are."""
    faults = EmulatedFaults.parse(["cut_after_ack=2", "mute=1"])

    assert [faults.take("cut_after_ack") for _ in range(3)] == [True, True, False]
    with pytest.raises(UnknownFault, match="cut_before_ack"):
        EmulatedFaults.parse(["cut=1"])
    with pytest.raises(UnknownFault):
        EmulatedFaults.parse(["mute=x"])


def test_a_deal_may_lag_behind_its_fill(bench: Bench):
    """Quirk 1: history that is asked right after a fill does not have it yet."""
    bench.faults.deals_lag = 1
    order = bench.buy().order

    assert bench.result(commands.HISTORY_DEALS_GET, ticket=order) == []
    assert len(bench.result(commands.HISTORY_DEALS_GET, ticket=order)) == 1


def test_the_first_tick_may_have_no_prices(bench: Bench):
    """Quirk 2."""
    bench.faults.zero_first_tick = 1
    bench.terminal.link_ready(ack=0)
    watch(bench, ticks=True)
    first, second, *_ = rows(bench.pulse(120))

    assert float(first[2]) == float(first[3]) == 0
    assert float(second[2]) > 1
