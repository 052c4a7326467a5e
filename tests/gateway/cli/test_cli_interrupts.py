"""Ctrl+C while a short command is still getting ready."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Coroutine
from types import ModuleType
from typing import Any

import pytest

from gateway import cli
from gateway.cli.target import run_async


class Unfinished(ModuleType):
    """A module in whose import the interrupt comes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise KeyboardInterrupt


def test_an_interrupt_while_commands_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as the shell expects, without a traceback."""
    monkeypatch.setitem(sys.modules, "gateway.cli.commands", Unfinished("gateway.cli.commands"))
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130


def test_an_interrupt_before_the_conversation_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python has nothing to warn of: the conversation is over, not forgotten."""

    async def converse() -> None:
        """Ask nobody."""

    def interrupted(_: Coroutine[Any, Any, None]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(asyncio, "run", interrupted)
    conversation = converse()
    with pytest.raises(KeyboardInterrupt):
        run_async(conversation)
    assert inspect.getcoroutinestate(conversation) == inspect.CORO_CLOSED
