"""The drop-in has every name of the MetaTrader5 package, in the same form.

``tests/data/mt5_api.json`` lists what the package 5.0.6231 has.
"""

from __future__ import annotations

import inspect
import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from gateway.client import mt5

API: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "mt5_api.json").read_text("utf-8")
)


def test_all_constants_have_the_same_value() -> None:
    """And there are no others."""
    ours = {name: value for name, value in vars(mt5).items() if name in mt5.__all__}
    assert {name: value for name, value in ours.items() if name.isupper()} == API["constants"]
    assert len(API["constants"]) == 223


@pytest.mark.parametrize("name", API["records"])
def test_results_have_the_same_fields(name: str) -> None:
    """In the same order and of the same types, and the tuple can all that the original's can."""
    kind = getattr(mt5, name)
    fields = API["records"][name]
    assert list(kind._fields) == [field for field, _ in fields]
    values = list(range(len(fields)))
    made = kind(values)
    assert made == kind(*values) == tuple(values)
    assert kind.n_fields == kind.n_sequence_fields == len(fields)
    assert list(made._asdict().items()) == list(zip(kind._fields, values, strict=True))
    shown = ", ".join(f"{field}={value}" for value, (field, _) in enumerate(fields))
    assert repr(made) == f"{name}({shown})"
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 (our own bytes)
    assert isinstance(made, getattr(mt5, name))


@pytest.mark.parametrize("name", API["functions"])
def test_functions_are_called_the_same_way(name: str) -> None:
    """With the same kinds of arguments; and as an attribute of a class they stay functions."""
    function = getattr(mt5, name)
    assert (function.__name__, name in function.__doc__) == (name, True)
    holder = type("Holder", (), {"function": function})
    assert holder().function is function, "it must not turn into a method"
    assert pickle.loads(pickle.dumps(function)) is function  # noqa: S301 (our own bytes)
    assert callable(inspect.unwrap(function))
    arguments = API["functions"][name]["arguments"]
    if arguments != "any":
        with pytest.raises(TypeError, match="takes no"):
            function(unknown=1)
    if arguments == "none":
        with pytest.raises(TypeError, match="takes no arguments"):
            function(1)


def test_a_star_import_brings_the_same_names() -> None:
    """The types and functions, those in Python, and the constants."""
    names: dict[str, Any] = {}
    exec("from gateway.client.mt5 import *", names)  # noqa: S102 (a star is allowed there)
    wanted = {*API["exports"], *API["constants"], *API["functions"], "Buy", "Sell", "Close"}
    assert names.keys() - {"__builtins__"} == wanted
    assert (mt5.__version__, mt5.__author__) == (API["version"], API["author"])
    assert callable(mt5._RawOrder)
    assert mt5._core.account_info is mt5.account_info
