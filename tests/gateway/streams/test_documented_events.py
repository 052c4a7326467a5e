"""The messages of the AsyncAPI document beside calls are what is really told."""

from __future__ import annotations

import orjson
from documented_events import EXAMPLES, messages


async def test_examples_are_what_is_told() -> None:
    """Nothing in the document is made up."""
    assert orjson.loads(EXAMPLES.read_bytes()) == orjson.loads(orjson.dumps(await messages()))
