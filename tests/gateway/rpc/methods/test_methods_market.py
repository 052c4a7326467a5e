"""Bars, ticks, the order book."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from scripted_answers import BROKER_NOW_S, EURUSD, NOW_MS, OFFSET_MS, minute_bar
from scripted_terminal import Scene

from ea_bridge.errors import CommandFailed, CommandTimeout, ResultTooLarge
from ea_bridge.model import Bar, History, Tick, Timeframe
from gateway import errors

HOUR_MS = 3_600_000


def serve_bars(scene: Scene, bars: list[Bar]) -> None:
    """Answer ``rates_get`` for spans, as a terminal with these bars would."""

    def rates_get(params: Any) -> History[Bar]:
        if params.timeframe == Timeframe.MN1:
            months = [Bar(bars[0].time - 86_400, 1, 1, 1, 1, 1)] if bars else []
            return History(rows=months)
        return History(rows=[bar for bar in bars if params.from_s <= bar.time <= params.to_s])

    scene.script.answers["rates_get"] = rates_get


async def test_last_bars_end_with_the_forming_one(scene: Scene) -> None:
    """Oldest first; `time` is UTC, `broker_time` as MetaTrader has it."""
    told = await scene.ask("get_ohlc", symbol="EURUSD", timeframe="M1", count=3)
    assert len(told["bars"]) == 3
    last = told["bars"][-1]
    assert last["broker_time"] == minute_bar(0).time * 1000
    assert last["time"] == last["broker_time"] - OFFSET_MS
    assert scene.script.asked_for("rates_get")[0].start == 0


@pytest.mark.parametrize("given", ["H1", "h1", "PERIOD_H1", "TIMEFRAME_H1", 16385])
async def test_timeframes_in_metatraders_words(scene: Scene, given: object) -> None:
    """MetaTrader's names and numbers are read too; the answer has the short name."""
    told = await scene.ask("get_ohlc", symbol="EURUSD", timeframe=given, count=1)
    assert told["timeframe"] == "H1"
    assert scene.script.asked_for("rates_get")[0].timeframe == 16385


@pytest.mark.parametrize("given", ["M7", 7, True, None, ""])
async def test_no_such_timeframe(scene: Scene, given: object) -> None:
    """Anything else is refused by name of the field."""
    with pytest.raises(errors.InvalidParams) as refused:
        await scene.ask("get_ohlc", symbol="EURUSD", timeframe=given)
    assert refused.value.data["errors"][0]["field"].startswith("timeframe")


async def test_mt4_lacks_twelve_timeframes(mt4: Scene) -> None:
    """The error names those that it has."""
    with pytest.raises(errors.MethodNotSupported) as refused:
        await mt4.ask("get_ohlc", symbol="EURUSD", timeframe="M2")
    assert refused.value.data["platform"] == "mt4"
    assert refused.value.data["allowed"][:2] == ["M1", "M5"]


async def test_pages_of_bars_are_complete_and_without_repetition(scene: Scene) -> None:
    """Following the cursors over a gap gives every bar once, in order."""
    bars = [minute_bar(i) for i in [*range(100), *range(4000, 4150)]][::-1]
    serve_bars(scene, bars)
    params: dict[str, Any] = {
        "symbol": "EURUSD",
        "from": bars[0].time * 1000 - OFFSET_MS,
        "to": bars[-1].time * 1000 - OFFSET_MS,
        "limit": 40,
    }
    told, pages = [], 0
    while True:
        page = await scene.ask("get_history_prices", **params)
        told += [bar["broker_time"] // 1000 for bar in page["bars"]]
        assert len(page["bars"]) <= 40
        pages += 1
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert told == [bar.time for bar in bars]
    assert pages < 20


async def test_a_long_span_does_not_ask_for_all_at_once(scene: Scene) -> None:
    """Since 1970 in minutes: the months tell where the history begins."""
    bars = [minute_bar(i) for i in range(50)][::-1]
    serve_bars(scene, bars)
    page = await scene.ask("get_history_prices", symbol="EURUSD", from_=0, limit=10)
    assert [bar["broker_time"] // 1000 for bar in page["bars"]] == [b.time for b in bars[:10]]
    spans = [p.to_s - p.from_s for p in scene.script.asked_for("rates_get") if p.timeframe == 1]
    assert max(spans) <= 50_000 * 60
    assert len(spans) < 5


async def test_no_history_at_all_is_an_empty_page(scene: Scene) -> None:
    """An empty answer, at once, and no cursor."""
    serve_bars(scene, [])
    page = await scene.ask("get_history_prices", symbol="EURUSD", from_=0)
    assert (page["bars"], page["next_cursor"]) == ([], None)


async def test_a_span_that_ends_before_it_begins_is_empty(scene: Scene) -> None:
    """Nothing lies in it."""
    serve_bars(scene, [minute_bar(0)])
    page = await scene.ask("get_history_prices", symbol="EURUSD", from_=NOW_MS, to=NOW_MS - 1000)
    assert page["bars"] == []


async def test_last_ticks(scene: Scene) -> None:
    """Without `from` the last ones; ticks of one millisecond stay apart (quirk 2)."""
    told = await scene.ask("get_history_ticks", symbol="EURUSD", limit=2)
    assert [tick["bid"] for tick in told["ticks"]] == [1.08542, 1.08543]
    assert told["ticks"][0]["last"] is None
    assert told["ticks"][0]["time"] == NOW_MS + 123
    assert scene.script.asked_for("ticks_get")[0].count == 2


async def test_pages_of_ticks_neither_lose_nor_repeat(scene: Scene) -> None:
    """Also where many share one millisecond and a page ends among them."""
    start = BROKER_NOW_S * 1000
    ticks = [Tick(start + i // 7, 1.0 + i / 1000, 2.0) for i in range(50)]

    def ticks_get(params: Any) -> History[Tick]:
        within = [t for t in ticks if params.from_msc <= t.time_msc <= params.to_msc]
        return History(rows=within[: params.count])

    scene.script.answers["ticks_get"] = ticks_get
    params: dict[str, Any] = {
        "symbol": "EURUSD",
        "from": start - OFFSET_MS,
        "to": start - OFFSET_MS + 1000,
        "limit": 4,
    }
    told = []
    while True:
        page = await scene.ask("get_history_ticks", **params)
        told += [tick["bid"] for tick in page["ticks"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert told == [tick.bid for tick in ticks]


async def test_mt4_has_no_tick_history(mt4: Scene) -> None:
    """Said as the lack of a capability."""
    with pytest.raises(errors.MethodNotSupported) as refused:
        await mt4.ask("get_history_ticks", symbol="EURUSD")
    assert refused.value.data["capability"] == "ticks"


@pytest.mark.parametrize("cursor", ["", "x", "c1", "c1.2.3", "c-5.0", "c1.0", "c99999999999999.0"])
async def test_a_foreign_cursor_is_refused(scene: Scene, cursor: str) -> None:
    """One that we did not make, or that belongs to another span of time."""
    with pytest.raises(errors.InvalidParams):
        await scene.ask("get_history_ticks", symbol="EURUSD", from_=NOW_MS, cursor=cursor)


async def test_a_terminal_that_is_still_loading_is_asked_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For some seconds; what it has by then is told as what it is: not complete."""
    half, whole = History(rows=[minute_bar(0)], missing="loading"), History(rows=[minute_bar(0)])
    answers = [half, half, whole]
    scene.script.answers["rates_get"] = lambda p: answers.pop(0)
    monkeypatch.setattr("gateway.rpc.methods.market.FIRST_PAUSE_S", 0.01)
    told = await scene.ask("get_ohlc", symbol="EURUSD", count=2)
    assert (told["complete"], told["reason"]) == (True, None)
    assert answers == []
    monkeypatch.setattr("gateway.rpc.methods.market.LOADING_S", 0.1)
    scene.script.answers |= {"rates_get": half, "ticks_get": History(rows=[], missing="loading")}
    told = await scene.ask("get_ohlc", symbol="EURUSD", count=2)
    assert (len(told["bars"]), told["complete"], told["reason"]) == (1, False, "loading")
    spans: list[dict[str, Any]] = [{}, {"from_": NOW_MS - HOUR_MS}]
    for asked in spans:
        told = await scene.ask("get_history_ticks", symbol="EURUSD", **asked)
        assert (told["complete"], told["reason"]) == (False, "loading")


async def test_what_is_not_loaded_yet_is_no_gap_to_leap_over(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cursor of an empty page leads to where it begins, so that nothing is passed by."""
    monkeypatch.setattr("gateway.rpc.methods.market.LOADING_S", 0.0)
    scene.script.answers["rates_get"] = History(rows=[], missing="loading")
    params: dict[str, Any] = {"symbol": "EURUSD", "from_": NOW_MS - HOUR_MS, "limit": 10}
    page = await scene.ask("get_history_prices", **params)
    assert (page["bars"], page["complete"]) == ([], False)
    serve_bars(scene, [minute_bar(i) for i in range(60)][::-1])
    again = await scene.ask("get_history_prices", **params, cursor=page["next_cursor"])
    first = await scene.ask("get_history_prices", **params)
    assert again == first
    assert (first["complete"], len(first["bars"])) == (True, 10)


async def test_bars_that_the_terminal_does_not_keep_are_told_as_missing(scene: Scene) -> None:
    """At once: asking again would not help."""
    scene.script.answers["rates_get"] = History(rows=[minute_bar(0)], missing="max_bars")
    told = await scene.ask("get_ohlc", symbol="EURUSD", count=2)
    assert (told["complete"], told["reason"]) == (False, "max_bars")
    assert len(scene.script.asked_for("rates_get")) == 1


async def test_a_terminal_that_loads_for_longer_than_a_question_waits_says_so(
    scene: Scene,
) -> None:
    """The caller learns that asking again will help, not only that there was no answer."""
    scene.script.answers["ticks_get"] = CommandTimeout("ticks_get", 10, busy=True)
    with pytest.raises(errors.HistoryLoading) as loading:
        await scene.ask("get_history_ticks", symbol="EURUSD")
    assert loading.value.data["retry_after_ms"] > 0
    scene.script.answers["ticks_get"] = CommandTimeout("ticks_get", 10)
    with pytest.raises(errors.Timeout):
        await scene.ask("get_history_ticks", symbol="EURUSD")


async def test_to_and_cursor_need_from(scene: Scene) -> None:
    """There is no page of the last ticks."""
    with pytest.raises(errors.InvalidParams):
        await scene.ask("get_history_ticks", symbol="EURUSD", to=NOW_MS)


async def test_too_much_at_once_says_so(scene: Scene) -> None:
    """What the bridge cannot carry is a range that is too large."""
    scene.script.answers["rates_get"] = ResultTooLarge("rates_get", 8_388_608)
    with pytest.raises(errors.RangeTooLarge):
        await scene.ask("get_history_prices", symbol="EURUSD", from_=NOW_MS - HOUR_MS)


async def test_book_is_sorted(scene: Scene) -> None:
    """Highest price first, sells above buys."""
    book = await scene.ask("get_market_book", symbol="EURUSD")
    assert [(level["type"], level["price"]) for level in book["levels"]] == [
        ("sell", 1.08556),
        ("sell", 1.08554),
        ("buy", 1.08542),
    ]


async def test_no_book(scene: Scene, mt4: Scene) -> None:
    """A broker without one and a platform without any are told apart."""
    scene.script.answers["book_get"] = CommandFailed("book_get", 4901)
    with pytest.raises(errors.NoMarketDepth):
        await scene.ask("get_market_book", symbol="EURUSD")
    with pytest.raises(errors.MethodNotSupported):
        await mt4.ask("get_market_book", symbol="EURUSD")


async def test_an_empty_book_is_not_the_lack_of_one(scene: Scene) -> None:
    """A symbol that has a depth may have an empty book at night."""
    scene.script.answers["book_get"] = []
    assert (await scene.ask("get_market_book", symbol="EURUSD"))["levels"] == []
    scene.script.answers["symbol_get"] = replace(EURUSD, ticks_bookdepth=0)
    with pytest.raises(errors.NoMarketDepth):
        await scene.ask("get_market_book", symbol="EURUSD")


async def test_unselected_symbol_is_selected_and_asked_again(scene: Scene) -> None:
    """4302 from the terminal heals by itself, once."""
    answers: list[Any] = [CommandFailed("rates_get", 4302), History(rows=[minute_bar(0)])]
    scene.script.answers["rates_get"] = lambda p: answers.pop(0)
    told = await scene.ask("get_ohlc", symbol="EURUSD", count=1)
    assert len(told["bars"]) == 1
    asked = scene.script.ops()
    assert asked == ["symbol_get", "rates_get", "symbol_select", "rates_get"]
