"""The EA's headers say what the Python side says."""

from __future__ import annotations

import pytest
from headers import HEADERS, INCLUDE, REMEDIES

from ea_bridge.protocol.messages import DENIALS


@pytest.mark.parametrize("name", HEADERS)
def test_a_generated_header_is_what_would_be_generated(name: str) -> None:
    """After a change of commands, enumerations or limits: ``python tests/mql/headers.py``."""
    assert (INCLUDE / name).read_text(encoding="ascii") == HEADERS[name]()


def test_each_denial_has_its_remedy() -> None:
    """A person at the terminal is told what to do about every refusal."""
    assert REMEDIES.keys() == DENIALS.keys()
