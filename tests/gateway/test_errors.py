"""The error tree: one stable code and name a class."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import pytest

from gateway import errors
from gateway.errors import GatewayError, did_you_mean


def tree(error: type[GatewayError], depth: int = 0) -> Iterator[str]:
    """The classes below, as the docstring draws them."""
    code = f" {error.code}" if "code" in vars(error) and depth else ""
    yield f"{'    ' * depth}* {error.__name__}{code}"
    for below in error.__subclasses__():
        yield from tree(below, depth + 1)


def test_the_docstring_draws_the_real_tree() -> None:
    """Whoever adds a class adds it there."""
    drawn = re.findall(r"^ *\* \w+.*$", inspect.getdoc(errors) or "", re.MULTILINE)
    assert drawn == list(tree(GatewayError))


def leaves() -> list[type[GatewayError]]:
    """The classes that are raised."""
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    return [one for one in found if issubclass(one, GatewayError) and "code" in vars(one)]


def test_codes_and_names_are_unique() -> None:
    """A code never means two things."""
    raised = [one for one in leaves() if one is not GatewayError]
    assert len({one.code for one in raised}) == len(raised)
    assert len({one.name() for one in raised}) == len(raised)


@pytest.mark.parametrize("error", leaves(), ids=lambda one: one.__name__)
def test_every_error_tells_people_and_programs(error: type[GatewayError]) -> None:
    """A sentence, a stable name, whether to try again, and numbers beside them."""
    told = error(limit=5).as_dict()
    assert told["message"].endswith(".")
    assert "`" not in told["message"]
    assert told["data"]["name"] == error.name()
    assert told["data"]["retryable"] is error.retryable
    assert told["data"]["limit"] == 5


def test_suggestions_ignore_case() -> None:
    """What comes close is named as it is written there; nothing close, nothing said."""
    assert did_you_mean("eurusd", ["EURUSD", "BTCJPY"]) == {"did_you_mean": ["EURUSD"]}
    assert did_you_mean("zzz", ["EURUSD"]) == {}
