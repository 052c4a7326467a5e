"""Trades whose link breaks, with the EAs: the suite of the emulated terminal.

What the emulated one does by itself is done to the wire here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import fields

import pytest
import pytest_asyncio
from ea_product import ea_product
from linked_ea import Compile
from product import Product
from test_link_faults import (  # noqa: F401 (fixtures and tests)
    clean,
    impatient,
    test_a_late_result_is_still_a_result,
    test_a_link_cut_after_the_ack,
    test_a_link_cut_before_the_ack,
    test_a_result_is_lost,
    test_a_result_that_comes_too_late_is_noted,
    test_nothing_is_sent_twice,
    test_strangers_on_the_bridge_disturb_nobody,
)

from ea_bridge.simulation.faults import EmulatedFaults

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("ea-faults")]

ON_THE_WIRE = EmulatedFaults()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    tmp_path_factory: pytest.TempPathFactory, compile_ea: Compile
) -> AsyncIterator[Product]:
    """A hedging account of MetaTrader 5, behind a wire that misbehaves when told to."""
    folder, program = tmp_path_factory.mktemp("ea-faults"), compile_ea("mt5")
    async with ea_product(folder, program, speed=10.0, faults=ON_THE_WIRE) as one:
        yield one


@pytest.fixture
def faults() -> Iterator[EmulatedFaults]:
    """What goes wrong; nothing any more at the end."""
    yield ON_THE_WIRE
    for field in fields(EmulatedFaults):
        setattr(ON_THE_WIRE, field.name, 0)
