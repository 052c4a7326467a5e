"""The broker's arithmetic against real records: every deal of two strategy tester reports.

Each deal is sent to the broker at its recorded time, with the quote at its recorded price. The
broker must answer with the recorded profit, swap and balance, to the cent.

Checked from nothing but prices: all profits in EURUSD, AUDUSD and USDCAD; all swaps of EURUSD
and AUDUSD, from one pair of rates each for the whole report. The reports do not record:

* USDCAD when a EURCAD deal was closed. It is found from the profits: one quote in five digits
  must give them all, and it must be near the recorded USDCAD deals.
* USDCAD at the midnights when EURCAD and USDCAD positions paid swap: swaps as recorded.
* margin: here only that each recorded trade was affordable.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path

import pytest
from broker_bench import ACCOUNT, DAY, Bench, Market, deal, pair
from msgspec.structs import replace

from ea_bridge.model import OrderType, SymbolSwapMode, TradeRetcode
from ea_bridge.simulation.broker.prices import rounded

HISTORY = Path(__file__).parents[3] / "data" / "history"
LOT = 100_000
HOLIDAYS = {datetime(year, 12, 25, tzinfo=UTC).date() for year in range(2019, 2024)}
"""No ticks at Christmas, so the tester's midnight work waited for the next day."""


@dataclass
class Row:
    """A line of a report's table of deals."""

    line: dict[str, str]

    def __getattr__(self, name: str) -> str:
        return self.line[name]

    @property
    def msc(self) -> int:
        when = datetime.strptime(self.time, "%Y.%m.%d %H:%M:%S").replace(tzinfo=UTC)
        return int(when.timestamp()) * 1000

    @property
    def kind(self) -> OrderType:
        return OrderType.BUY if self.type == "buy" else OrderType.SELL


def read(name: str) -> list[Row]:
    with (HISTORY / f"mt5_tester_{name}_deals.csv").open(newline="") as file:
        return [Row(line) for line in csv.DictReader(file)]


def gross(opened: Row, closed: Row) -> D:
    """Return the profit in the profit currency, by this test's own arithmetic."""
    move = D(closed.price) - D(opened.price)
    return (move if opened.type == "buy" else -move) * D(closed.volume) * LOT


def closed_by(row: Row, held: list[Row]) -> Row:
    """Return the position that a deal closes: the reports do not say it, the sums do."""
    fitting = [
        one
        for one in held
        if (one.symbol, one.volume) == (row.symbol, row.volume) and one.type != row.type
    ]
    if row.symbol[3:6] == "USD":
        profit = D(row.profit)
        fitting = [one for one in fitting if abs(gross(one, row) - profit) < D("0.01")]
    return fitting[0]


def pairs(rows: list[Row]) -> dict[str, Row]:
    """Return the opening deal of each closing deal, by number."""
    held: list[Row] = []
    found = {}
    for row in rows:
        if row.direction == "in":
            held.append(row)
        elif row.direction == "out":
            found[row.deal] = closed_by(row, held)
            held.remove(found[row.deal])
    return found


def moments_of(rows: list[Row]) -> dict[tuple[str, str], list[Row]]:
    """Return the closing EURCAD deals by the moment and direction that they share."""
    moments: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row.symbol == "EURCAD_i" and row.direction == "out":
            moments[row.time, row.type].append(row)
    return moments


def usdcad_rates(rows: list[Row], opened: dict[str, Row]) -> dict[tuple[str, str], D]:
    """Return the USDCAD quote, in five digits, at which the EURCAD deals of each moment were
    converted: one that gives all of them their profit. A moment without any is left out.
    """
    rates = {}
    for moment, group in moments_of(rows).items():
        sums = [(gross(opened[row.deal], row), D(row.profit)) for row in group]
        cad, usd = max(sums, key=lambda one: abs(one[1]))
        near = round(cad / usd, 5) if usd else D("1.3")
        step = D("0.00001")
        for rate in (near + step * away for away in (0, 1, -1, 2, -2)):
            if all(rounded(cad / rate, 2) == usd for cad, usd in sums):
                rates[moment] = rate
                break
    return rates


def market_of(rows: list[Row], swaps: dict[str, tuple[float, float]]) -> Market:
    symbols = []
    for name in {row.symbol for row in rows if row.symbol}:
        long, short = swaps.get(name, (0.0, 0.0))
        mode = SymbolSwapMode.POINTS if name in swaps else SymbolSwapMode.DISABLED
        symbols.append(pair(name, swap_mode=mode, swap_long=long, swap_short=short))
    return Market(*symbols)


REPORTS = {
    "2MAAOS": (200, {"EURUSD_i": (-7.51, 1.26)}),
    "3MACD": (100, {"AUDUSD.std": (-2.965, -1.212)}),
}


class Replay:
    """A report sent through a broker, deal by deal."""

    def __init__(self, name: str) -> None:
        leverage, self.swaps = REPORTS[name]
        self.rows = read(name)
        self.opened = pairs(self.rows)
        self.rates = usdcad_rates(self.rows, self.opened)
        self.market = market_of(self.rows, self.swaps)
        account = replace(ACCOUNT, leverage=leverage)
        self.broker = Bench(market=self.market, account=account, funds=0).broker
        self.tickets: dict[str, int] = {}
        self.day = self.rows[0].msc // DAY

    def midnights_until(self, msc: int) -> None:
        while self.day < msc // DAY:
            self.day += 1
            date = datetime.fromtimestamp(self.day * 86_400, UTC).date()
            if date.weekday() < 5 and date not in HOLIDAYS:
                self.broker.on_time(self.day * DAY)

    def send(self, row: Row) -> None:
        self.midnights_until(row.msc)
        price = float(row.price)
        self.market.quote(row.symbol, price, price, row.msc)
        if row.symbol == "EURCAD_i":
            rate = float(self.rates.get((row.time, row.type), D("1.3")))
            self.market.quote("USDCAD_i", rate, rate, row.msc)
        position = 0
        if row.direction == "out":
            position = self.tickets.pop(self.opened[row.deal].deal)
            if row.symbol not in self.swaps:
                self.broker.set_swap(position, float(row.swap), row.msc)
        request = deal(row.kind, float(row.volume), symbol=row.symbol, position=position)
        result = self.broker.send(request, row.msc)
        assert result.retcode == TradeRetcode.DONE, (row.line, result)
        if row.direction == "in":
            self.tickets[row.deal] = result.position


@pytest.mark.parametrize("name", REPORTS)
def test_every_deal_has_the_recorded_profit_swap_and_balance(name: str) -> None:
    """Profit, swap and balance of each row of the report, to the cent."""
    replay = Replay(name)
    checked = 0
    for row in replay.rows:
        if row.type == "balance":
            replay.broker.deposit(float(row.profit), row.msc)
        else:
            replay.send(row)
        made = replay.broker.history_deals()[-1]
        sums = (made.profit, made.swap, made.commission, float(replay.broker.balance))
        recorded = (row.profit, row.swap, row.commission, row.balance)
        assert sums == tuple(map(float, recorded)), row.line
        checked += 1
    assert checked == len(replay.rows)


def test_simultaneous_deals_convert_at_one_rate_whether_they_won_or_lost() -> None:
    """EURCAD deals closed in one moment: profits and losses follow from a single USDCAD quote,
    so the side of a conversion depends on the deal's direction and not on its sign.
    """
    rows = read("2MAAOS")
    moments, rates = moments_of(rows), usdcad_rates(rows, pairs(rows))
    mixed = [
        moment
        for moment, group in moments.items()
        if {D(row.profit) > 0 for row in group} == {True, False}
    ]
    assert len(mixed) == 18
    assert set(rates) == set(moments)


def test_the_rates_found_for_eurcad_lie_near_recorded_usdcad_deals() -> None:
    """No rate that was found is farther than 3 % from the USDCAD deals before and after."""
    rows = read("2MAAOS")
    known = [(row.msc, float(row.price)) for row in rows if row.symbol == "USDCAD_i"]
    stamp = {(row.time, row.type): row.msc for row in rows if row.symbol == "EURCAD_i"}
    for moment, rate in usdcad_rates(rows, pairs(rows)).items():
        _, nearest = min(known, key=lambda one: abs(one[0] - stamp[moment]))
        assert float(rate) == pytest.approx(nearest, rel=0.03)


@pytest.mark.parametrize("name", REPORTS)
def test_orders_of_the_reports_are_those_of_the_deals(name: str) -> None:
    """The second table names the order of each deal, filled whole, with the deal's volume."""
    with (HISTORY / f"mt5_tester_{name}_orders.csv").open(newline="") as file:
        orders = {line["order"]: line for line in csv.DictReader(file)}
    for row in read(name)[1:]:
        order = orders[row.order]
        assert order["state"] == "filled"
        assert order["volume"] == f"{row.volume} / {row.volume}"
        assert order["type"] == row.type
