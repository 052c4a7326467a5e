"""What errors of the manager are by HTTP, and what the operations declare of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ea_bridge.mt4_manager.model import ReturnCode
from gateway.mt4_manager import (
    ChangeUnknown,
    KeyReused,
    LoginRefused,
    ManagerError,
    PeerOffline,
    PeerRefused,
    PeerSilent,
    RateExceeded,
)
from gateway.mt4_manager.api import OPERATIONS, problem_of
from gateway.mt4_manager.api.operation import DOCUMENT_INFO
from gateway.mt4_manager.api.reference import EXAMPLES

STATUS = {
    2: 502,
    3: 422,
    6: 503,
    7: 403,
    8: 429,
    64: 403,
    65: 404,
    128: 504,
    129: 422,
    130: 422,
    131: 422,
    134: 409,
    136: 503,
    137: 503,
    138: 503,
    141: 429,
    145: 409,
    149: 409,
    150: 409,
    9999: 502,
}
"""As the reference maps return codes."""


@pytest.mark.parametrize(("retcode", "status"), STATUS.items())
def test_return_codes(retcode: int, status: int) -> None:
    """Each has a status and its own name in the words; who may come again is told when."""
    problem = problem_of(PeerRefused("users_request", retcode))
    assert problem.status == status
    words = problem.detail if isinstance(problem.detail, str) else problem.detail[0]["msg"]
    assert str(retcode) in words
    assert ("Retry-After" in problem.headers) == (status in (429, 503))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PeerOffline(), 503),
        (PeerSilent(), 504),
        (ChangeUnknown("my-key"), 504),
        (ChangeUnknown("my-key", is_lost=True), 504),
        (KeyReused(), 422),
        (RateExceeded(1.2), 429),
        (LoginRefused(), 401),
        (LoginRefused(1.2), 429),
        (ManagerError("it is as it is"), 502),
    ],
)
def test_other_errors(error: ManagerError, status: int) -> None:
    """Each says what to do."""
    problem = problem_of(error)
    assert problem.status == status
    assert status == 422 or problem.detail == str(error)
    if isinstance(error, RateExceeded):
        assert problem.headers == {"Retry-After": "2"}


def test_every_status_is_documented() -> None:
    """Any return code may meet any operation; of those that are not anytime's, changes have 409,
    and 404 has whatever names something.
    """
    statuses = {problem_of(PeerRefused("op", int(code))).status for code in ReturnCode}
    assert statuses - {404, 409} <= DOCUMENT_INFO.anytime
    assert statuses <= DOCUMENT_INFO.status_descriptions.keys()
    for one in OPERATIONS:
        if one.is_change:
            assert 409 in one.errors, one.name
            assert 404 in one.errors or one.path_names, one.name


def test_each_body_has_its_example() -> None:
    """And it is one that the operation takes."""
    assert {
        one.name for one in OPERATIONS if one.request_model and not one.is_form
    } == EXAMPLES.keys()
    for one in OPERATIONS:
        if one.name in EXAMPLES:
            assert one.request_model is not None
            one.request_model.model_validate(EXAMPLES[one.name])


def test_nothing_but_changes_has_a_key() -> None:
    """Whatever sends a command that changes something takes an Idempotency-Key."""
    rooms = Path(__file__).parents[3] / "gateway" / "mt4_manager" / "api"
    handlers = {
        name
        for file in rooms.glob("*.py")
        for name, body in re.findall(
            r"async def (_\w+)\(call: ManagerCall.*?\n(.*?)(?=\n\n\n)",
            file.read_text("utf-8"),
            re.DOTALL,
        )
        if "call.change(" in body or "_book(call" in body
    } - {"_book"}
    assert {one.handle.__name__ for one in OPERATIONS if one.is_change} == handlers
