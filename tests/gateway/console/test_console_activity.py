"""The log forgets: what anybody can write into it, sooner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
from console_fixtures import IP, Clock, person
from sqlalchemy import select

import gateway.console
from gateway.console.activity import KEEP_S, KEEP_STRANGERS_S
from gateway.console.database.model import Activity
from gateway.console.errors import SignInRefused
from gateway.console.pages.views import _EVENTS
from gateway.console.service import Console
from gateway.credentials.event import EventType


def test_every_act_of_the_log_has_words_for_people() -> None:
    """Each name of an event in the sources, but those that daemons are told."""
    kinds = "|".join({name.partition(".")[0] for name in _EVENTS})
    names = re.compile(rf'"((?:{kinds})\.[a-z_]+)"')
    noted = {
        name
        for source in Path(gateway.console.__file__).parent.rglob("*.py")
        if source.name != "views.py"
        for name in names.findall(source.read_text("utf-8"))
    }
    assert len(noted) > 30
    assert noted - set(get_args(EventType)) <= _EVENTS.keys()


async def test_what_strangers_tried_is_forgotten_after_a_month(console: Console, clock: Clock):
    """What concerns somebody's account is kept for more than a year."""
    ann = await person(console)

    async def kept() -> list[tuple[str, str | None]]:
        async with console.db.session() as session:
            rows = await session.scalars(select(Activity).order_by(Activity.id))
            return [(row.event, row.user_id) for row in rows]

    for email in ("nobody@example.com", ann.email):
        with pytest.raises(SignInRefused):
            await console.users.authenticate(email, "wrong", IP)
    clock.forward(KEEP_STRANGERS_S)
    await console.cleanup()
    assert await kept() == [("user.created", ann.id), ("login", None), ("login", ann.id)]
    clock.forward(1)
    await console.cleanup()
    assert await kept() == [("user.created", ann.id), ("login", ann.id)]
    clock.forward(KEEP_S - KEEP_STRANGERS_S)
    await console.cleanup()
    assert await kept() == []
