"""The catalogue: a method is written once, and nothing of it can be forgotten."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from published_shapes import VENDOR_METHODS
from scripted_terminal import CATALOGUE, Scene

from gateway.auth.caller import Scope
from gateway.errors import InvalidParams, MethodNotFound, TerminalNotFound, TradeError
from gateway.rpc.catalogue import MAX_FAULTS, Method

OURS = {
    "order_check",
    "order_calc_margin",
    "order_calc_profit",
    "close_by",
    "get_market_book",
    "symbol_select",
    "get_sessions",
    "ping",
    "hello",
    "get_server_info",
    "get_ws_ticket",
    "get_trading_enabled",
    "cancel_all_orders",
    "close_all_positions",
    "cancel_all_after",
    "set_cancel_on_disconnect",
    "get_cancel_on_disconnect",
    "logout",
    "set_trading_enabled",
    "set_trailing_stop",
    "remove_trailing_stop",
    "get_trailing_stops",
    "link_oco",
    "unlink_oco",
    "get_oco_links",
    "get_order",
    "settle_order",
    "get_native",
    "copy_rates",
    "copy_ticks",
}
SWITCHES = {
    "set_trading_enabled",
    "remove_trailing_stop",
    "cancel_all_after",
    "set_cancel_on_disconnect",
}
"""They decide what others may trade, and send nothing themselves."""
METHODS = list(CATALOGUE.values())


def test_all_methods_are_there() -> None:
    """The vendor's 21, and ours; whatever is added is added here too."""
    assert set(CATALOGUE) == VENDOR_METHODS | OURS


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
def test_every_method_is_documented(method: Method) -> None:
    """A summary in one sentence, in the first line of the docstring."""
    assert method.summary.endswith(".")
    assert len(method.summary) < 100


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
def test_whoever_trades_needs_the_scope_and_says_its_errors(method: Method) -> None:
    """What can change the account needs `trade`, and what changes Market Watch for everybody;
    what cannot raises no outcome of trades. What undoes the gateway's own doubts needs `admin`.
    """
    if method.mutates:
        assert method.scope is (Scope.ADMIN if method.name == "settle_order" else Scope.TRADE)
        trades = any(issubclass(error, TradeError) for error in method.raises)
        assert trades is (method.name not in SWITCHES)
    elif method.name == "symbol_select":
        assert method.scope is Scope.TRADE
    else:
        assert method.scope in (Scope.READ, None)


@pytest.mark.parametrize("method", METHODS, ids=lambda one: one.name)
async def test_unknown_params_are_refused(method: Method, scene: Scene) -> None:
    """A typing error in a name is told, with the name, and with those that there are."""
    with pytest.raises(InvalidParams) as refused:
        await method.answer(scene.call(scope=Scope.ADMIN), {"vollume": 1})
    reasons = {error["field"]: error["reason"] for error in refused.value.data["errors"]}
    assert reasons["vollume"].startswith("no such param; there are ")
    assert all(name in reasons["vollume"] for name in method.param_names)
    assert scene.script.asked == []


async def test_refusals_never_repeat_what_was_given(scene: Scene) -> None:
    """A secret in the wrong field must not come back or reach a log."""
    with pytest.raises(InvalidParams) as refused:
        await scene.ask("get_ohlc", symbol="EURUSD", timeframe="mgt_secret")
    assert "mgt_secret" not in str(refused.value.as_dict())


@pytest.mark.parametrize(
    ("method", "params", "fields"),
    [
        ("modify_order", {"ticket": 1, "sl": "x"}, {"sl"}),
        ("ping", {"t": 1.5}, {"t"}),
        ("hello", {"client": {"nam": 1}}, {"client.name", "client.nam"}),
        ("subscribe", {"channels": ["orders", {"chanel": 1}]}, {"channels.1.chanel"}),
        ("get_symbols", {"x" * 1000: 1}, {"x" * 64}),
        ("get_symbol_info", {}, {"symbol"}),
    ],
)
async def test_faults_are_named_in_the_callers_words(
    scene: Scene, method: str, params: dict[str, Any], fields: set[str]
) -> None:
    """By keys and indices of what was given, never in words of Python."""
    with pytest.raises(InvalidParams) as refused:
        await scene.ask_with(scene.call(transport="ws"), method, params)
    named = {error["field"] for error in refused.value.data["errors"]}
    assert fields <= named
    assert all("[" not in name and "Request" not in name for name in named)


@pytest.mark.parametrize(
    "channels",
    [
        {f"k{n}": 0 for n in range(1000)},
        [{f"k{n}": 0 for n in range(1000)}],
        [{f"k{n}": 0 for n in range(30)}] * 1000,
    ],
    ids=["one object", "a list of one", "a long list"],
)
async def test_an_error_is_short_however_much_is_wrong(scene: Scene, channels: Any) -> None:
    """A megabyte of nonsense is not answered with several."""
    with pytest.raises(InvalidParams) as refused:
        await scene.ask_with(scene.call(), "subscribe", {"channels": channels})
    assert 1 <= len(refused.value.data["errors"]) <= MAX_FAULTS


async def test_a_terminal_that_is_none_is_named_in_short(scene: Scene) -> None:
    """As every name that an error repeats."""
    with pytest.raises(TerminalNotFound) as refused:
        await scene.ask("get_account_info", terminal="x" * 100_000)
    assert refused.value.data["terminal"] == "x" * 64


def test_unknown_method_suggests_the_nearest() -> None:
    """By distance of letters."""
    with pytest.raises(MethodNotFound) as refused:
        CATALOGUE["get_acount_info"]
    assert refused.value.data["did_you_mean"][0] == "get_account_info"


def test_handlers_take_their_params_by_keyword_alone() -> None:
    """So that the signature is the schema: nothing is taken that the schema lacks."""
    for method in METHODS:
        kinds: dict[str, Any] = {
            name: one.kind for name, one in inspect.signature(method.handler).parameters.items()
        }
        kinds.pop("call")
        assert set(kinds.values()) <= {inspect.Parameter.KEYWORD_ONLY}, method.name
