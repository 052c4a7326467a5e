"""The packaged symbols and the account template."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from ea_bridge.model import AccountTradeMode, FillingFlag, MarginMode, SymbolInfo
from ea_bridge.simulation.specs import default_account, load_listings, load_specs, unlisted

CAPTURED = {"EURUSD", "XAUUSD", "BTCUSD"}
EXPECTED = [
    "EURUSD",
    "GBPUSD",
    "USDCHF",
    "USDJPY",
    "USDCNH",
    "USDCAD",
    "AUDUSD",
    "EURJPY",
    "EURCAD",
    "EURAUD",
    "EURGBP",
    "GBPJPY",
    "AUDCAD",
    "NZDUSD",
    "XAUUSD",
    "BTCUSD",
    "ETHUSD",
    "USTEC",
]


@pytest.mark.parametrize("spec", load_specs().values(), ids=lambda spec: spec.name)
def test_a_specification_agrees_with_itself(spec: SymbolInfo) -> None:
    assert spec.point == round(10.0**-spec.digits, spec.digits) == spec.trade_tick_size
    assert round((spec.ask - spec.bid) / spec.point) == spec.spread > 0
    assert 0 < spec.volume_min <= spec.volume_max
    assert spec.currency_profit
    assert spec.description
    assert spec.select == spec.visible


def test_the_symbols_that_programs_expect_are_there() -> None:
    assert set(EXPECTED) <= set(load_specs())


def test_names_may_hold_dots_signs_spaces_and_colons() -> None:
    assert {"EURUSD.r", "#US 30:cash"} <= set(load_specs())


def test_every_file_says_whether_it_is_a_capture() -> None:
    for entry in (files("ea_bridge.simulation") / "data" / "specs").iterdir():
        text = json.loads(entry.read_bytes())
        assert text["note"].startswith(
            "Captured" if text["info"]["name"] in CAPTURED else ("Modelled on", "EURUSD under")
        )


def test_filling_modes_differ_so_that_10030_can_be_met() -> None:
    specs = load_specs()
    assert specs["EURUSD"].filling_mode == FillingFlag.FOK | FillingFlag.IOC
    assert specs["GBPUSD"].filling_mode == FillingFlag.IOC
    assert specs["USDJPY"].filling_mode == FillingFlag.FOK


def test_eurusd_has_depth() -> None:
    assert {name for name, spec in load_specs().items() if spec.ticks_bookdepth} == {"EURUSD"}


def test_a_cross_names_symbols_that_exist() -> None:
    listings = load_listings()
    for listing in listings.values():
        for side in ("left", "right", "symbol"):
            assert getattr(listing.prices, side, "EURUSD") in listings


def test_an_unlisted_symbol_is_modelled_on_eurusd() -> None:
    info = unlisted("ACME.x", 3).info
    assert (info.name, info.digits, info.point) == ("ACME.x", 3, 0.001)
    assert info.trade_contract_size == load_specs()["EURUSD"].trade_contract_size


def test_the_account_is_a_hedging_demo_that_may_trade() -> None:
    account = default_account()
    assert account.trade_mode == AccountTradeMode.DEMO
    assert account.margin_mode == MarginMode.RETAIL_HEDGING
    assert account.trade_allowed
    assert account.trade_expert
    assert (account.leverage, account.currency, account.balance) == (500, "USD", 10_000.0)
    assert (account.margin_so_call, account.margin_so_so) == (100.0, 50.0)
