"""What the scripted terminal knows and says unless a test says otherwise."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from ea_bridge import commands, model
from ea_bridge.errors import CommandFailed

NOW_MS = 1_780_000_000_000
"""2026-05-28T20:26:40Z, a Thursday; the broker is three hours ahead."""
OFFSET_MS = 3 * 3_600_000
BROKER_NOW_S = (NOW_MS + OFFSET_MS) // 1000

EURUSD = model.SymbolInfo(
    name="EURUSD",
    description="Euro vs US Dollar",
    path="Forex\\Majors\\EURUSD",
    custom=False,
    chart_mode=0,
    select=True,
    visible=True,
    time=BROKER_NOW_S,
    digits=5,
    spread=12,
    spread_float=True,
    ticks_bookdepth=10,
    trade_calc_mode=0,
    trade_mode=4,
    trade_stops_level=10,
    trade_exemode=2,
    swap_mode=1,
    swap_rollover3days=3,
    margin_hedged_use_leg=False,
    expiration_mode=15,
    filling_mode=3,
    order_mode=127,
    order_gtc_mode=0,
    bid=1.08542,
    bidhigh=1.08911,
    bidlow=1.08230,
    ask=1.08554,
    askhigh=1.08923,
    asklow=1.08241,
    point=0.00001,
    trade_tick_value=1.0,
    trade_tick_value_profit=1.0,
    trade_tick_value_loss=1.0,
    trade_tick_size=0.00001,
    trade_contract_size=100000.0,
    volume_min=0.01,
    volume_max=50.0,
    volume_step=0.01,
    volume_limit=0.0,
    swap_long=-7.2,
    swap_short=3.1,
    session_open=1.08377,
    session_close=1.08365,
    margin_hedged=100000.0,
    currency_base="EUR",
    currency_profit="USD",
    currency_margin="EUR",
)
ACCOUNT = model.Account(
    login=12345678,
    trade_mode=0,
    leverage=100,
    limit_orders=200,
    margin_so_mode=0,
    trade_allowed=True,
    trade_expert=True,
    margin_mode=2,
    currency_digits=2,
    fifo_close=False,
    balance=10000.0,
    profit=12.4,
    equity=10012.4,
    margin=108.55,
    margin_free=9903.85,
    margin_level=9223.77,
    margin_so_call=100.0,
    margin_so_so=50.0,
    margin_initial=0.0,
    margin_maintenance=0.0,
    assets=0.0,
    liabilities=0.0,
    commission_blocked=0.0,
    name="Demo Trader",
    server="Broker-Demo",
    currency="USD",
    company="Broker Ltd",
)
POSITION = model.Position(
    ticket=9123456789,
    time=BROKER_NOW_S - 3600,
    time_msc=(BROKER_NOW_S - 3600) * 1000 + 188,
    time_update=BROKER_NOW_S - 3600,
    time_update_msc=(BROKER_NOW_S - 3600) * 1000 + 188,
    type=0,
    magic=7,
    identifier=9123456789,
    reason=3,
    volume=0.1,
    price_open=1.08418,
    sl=1.08,
    price_current=1.08542,
    profit=12.4,
    symbol="EURUSD",
    comment="gABCDEFGHI grid",
)
ORDER = model.Order(
    ticket=9123456790,
    time_setup=BROKER_NOW_S - 600,
    time_setup_msc=(BROKER_NOW_S - 600) * 1000 + 42,
    type=2,
    type_filling=2,
    state=1,
    magic=7,
    reason=3,
    volume_initial=0.2,
    volume_current=0.2,
    price_open=1.08,
    sl=1.075,
    tp=1.09,
    price_current=1.08554,
    symbol="EURUSD",
)
DEAL = model.Deal(
    ticket=8123456701,
    order=9123456789,
    time=BROKER_NOW_S - 3600,
    time_msc=(BROKER_NOW_S - 3600) * 1000 + 188,
    type=0,
    entry=0,
    magic=7,
    position_id=9123456789,
    reason=3,
    volume=0.1,
    price=1.08418,
    commission=-0.35,
    symbol="EURUSD",
)
DONE = model.TradeResult(
    retcode=10009,
    deal=8123456702,
    order=9123456791,
    volume=0.1,
    price=1.08554,
    bid=1.08542,
    ask=1.08554,
    comment="Request executed",
    request_id=5,
    position=9123456791,
)


def _done(request: model.TradeRequest) -> model.TradeResult:
    """The whole of a request is filled."""
    return replace(DONE, volume=request.volume or DONE.volume)


def minute_bar(index: int) -> model.Bar:
    """Bar number ``index`` back from the forming one."""
    return model.Bar(
        time=BROKER_NOW_S // 60 * 60 - 60 * index,
        open=1.0851,
        high=1.0856,
        low=1.085,
        close=1.08542,
        tick_volume=120 - index,
        spread=12,
    )


def default_answers() -> dict[str, Any]:
    """What the terminal says unless a test says otherwise."""
    return {
        "account_get": ACCOUNT,
        "terminal_get": model.Terminal(
            connected=True,
            trade_allowed=True,
            tradeapi_disabled=False,
            notifications_enabled=False,
            mqid=False,
            build=5200,
            maxbars=100000,
            codepage=0,
            ping_last=38210,
            community_balance=0.0,
            retransmission=0.0,
            company="Broker Ltd",
            name="MetaTrader 5",
            language="English",
            path="C:\\MT5",
            data_path="C:\\MT5",
            commondata_path="C:\\Common",
        ),
        "clock_get": model.Clock(
            tcur=BROKER_NOW_S - 1,
            tgmt=NOW_MS // 1000,
            tlocal=NOW_MS // 1000 + 7200,
            tsrv=BROKER_NOW_S,
        ),
        "symbols_get": [
            model.SymbolName(name="EURUSD", path="Forex\\Majors\\EURUSD", select=True),
            model.SymbolName(name="GBPUSD", path="Forex\\Majors\\GBPUSD", select=True),
            model.SymbolName(name="XAUUSD", path="Metals\\XAUUSD"),
        ],
        "symbol_get": _symbol,
        "symbol_select": lambda p: commands.Selected(symbol=p.symbol, select=p.enable),
        "sessions_get": [
            model.TradeSession(day=day, from_s=0, to_s=86_400 if day < 5 else 86_220)
            for day in range(1, 6)
        ],
        "tick_get": model.Tick(BROKER_NOW_S * 1000 + 123, 1.08542, 1.08554, 0.0, 0, 6),
        "book_get": [
            model.BookEntry(1, 1.08554, 5.0),
            model.BookEntry(1, 1.08556, 12.5),
            model.BookEntry(2, 1.08542, 4.0),
        ],
        "rates_get": lambda p: model.History(
            rows=[minute_bar(i) for i in range(p.count or 3)][::-1]
        ),
        "ticks_get": model.History(
            rows=[
                model.Tick(BROKER_NOW_S * 1000 + 123, 1.08542, 1.08554, 0.0, 0, 6),
                model.Tick(BROKER_NOW_S * 1000 + 123, 1.08543, 1.08554, 0.0, 0, 2),
            ]
        ),
        "positions_get": lambda p: _filtered([POSITION], p),
        "orders_get": lambda p: _filtered([ORDER], p),
        "history_orders_get": [],
        "history_deals_get": [],
        "order_send": _done,
        "order_check": model.CheckResult(
            retcode=0,
            balance=10000.0,
            equity=10012.4,
            profit=12.4,
            margin=217.11,
            margin_free=9795.29,
            margin_level=4611.67,
            comment="Done",
        ),
        "order_calc_margin": commands.CalculatedAmount(value=108.55),
        "order_calc_profit": commands.CalculatedAmount(value=50.0),
        "watch": lambda p: commands.Watched(sym=1, symbol=p.symbol, digits=5),
        "trail_set": lambda p: model.Trail(
            symbol="EURUSD", **{name: getattr(p, name) for name in p.__struct_fields__}
        ),
        "trails_get": [],
    }


def _symbol(params: commands.SymbolParams) -> Any:
    if params.symbol != "EURUSD":
        return CommandFailed("symbol_get", 4301)
    return EURUSD


def _filtered(nouns: list[Any], params: commands.FilterParams) -> list[Any]:
    return [
        noun
        for noun in nouns
        if params.ticket in (None, noun.ticket) and params.symbol in (None, noun.symbol)
    ]


def mt4_answers() -> dict[str, Any]:
    """What a MetaTrader 4 says differently."""
    nothing = dict.fromkeys(
        (
            "limit_orders",
            "margin_mode",
            "currency_digits",
            "fifo_close",
            "margin_initial",
            "margin_maintenance",
            "assets",
            "liabilities",
            "commission_blocked",
        )
    )
    symbol = dict.fromkeys(
        (
            "custom",
            "chart_mode",
            "ticks_bookdepth",
            "trade_calc_mode",
            "margin_hedged_use_leg",
            "expiration_mode",
            "filling_mode",
            "order_mode",
            "order_gtc_mode",
            "trade_tick_value_profit",
            "trade_tick_value_loss",
            "volume_limit",
        )
    )
    return {
        "account_get": replace(ACCOUNT, **nothing),
        "terminal_get": model.Terminal(connected=True, trade_allowed=True, build=1440),
        "symbol_get": replace(EURUSD, **symbol),
        "clock_get": model.Clock(
            tcur=BROKER_NOW_S - 1, tgmt=NOW_MS // 1000, tlocal=NOW_MS // 1000 + 7200
        ),
        "order_send": replace(DONE, deal=0, request_id=0),
    }
