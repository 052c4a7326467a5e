"""Tracer of one walk through the product: which files run because of it, and what they look up.

Daemon and console run in the event loop of whoever measures, as do the clients and the emulated
terminal, whose code is no part of the walk. They are told apart by a context variable, which
tasks, callbacks and sockets inherit: :func:`outside` marks what is not the product. What a timer
starts that was set before the walk is no part of it either: see :class:`TracedLoop`.
"""

from __future__ import annotations

import asyncio
import dis
import re
import socket
import sqlite3
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath
from types import CodeType, FrameType
from typing import Any, TypeVar, TypeVarTuple, Unpack
from unittest.mock import patch

from ea_bridge.registry import TerminalRegistry

ROOT = Path(__file__).parents[2]
APP = "gateway/app/"
"""The wiring: it builds the parts and calls them; a call into it is a climb."""
PACKAGES = ("gateway", "ea_bridge")
LOOKUPS = ("terminal", "get", "sessions", "facts", "all_facts", "pending")
"""Methods of the terminal registry that look something up."""
READ, WRITTEN = frozenset({"recv", "recv_into"}), frozenset({"send", "sendmsg"})
"""Methods of sockets."""
VERSION = re.compile(r"\s*PRAGMA\s+(\w+\.)?data_version\b", re.IGNORECASE)
"""What asks SQLite whether anything has changed."""

T = TypeVar("T")

_is_outside: ContextVar[bool] = ContextVar("_is_outside", default=False)


def outside() -> None:
    """Mark the caller, and all that it starts from now on, as no part of the product."""
    _is_outside.set(True)


@contextmanager
def inside() -> Iterator[None]:
    """Mark what the block calls as a part of the walk."""
    token = _is_outside.set(False)
    try:
        yield
    finally:
        _is_outside.reset(token)


@dataclass
class Walk:
    """Figures of one walk."""

    files: list[str] = field(default_factory=list)
    """Files of the product in which code ran, in the order of the first entry."""
    climbs: Counter[str] = field(default_factory=Counter)
    """Calls into the wiring from elsewhere, by caller and function."""
    registry_lookups: int = 0
    version_lookups: int = 0
    """Questions to SQLite whether anything has changed."""
    ever: set[str] = field(default_factory=set)
    """Files of any repetition."""

    @property
    def rooms(self) -> list[str]:
        """Packages of the files, in the order of the first entry."""
        return list(dict.fromkeys(str(PurePosixPath(file).parent) for file in self.files))

    def figures(self) -> dict[str, int]:
        """Return what is bounded."""
        return {
            "files": len(self.files),
            "rooms": len(self.rooms),
            "climbs": self.climbs.total(),
            "registry look-ups": self.registry_lookups,
            "version look-ups": self.version_lookups,
        }

    def restore(self, earlier: Walk) -> None:
        """Forget what was counted since a copy was made."""
        vars(self).update(vars(earlier))

    def copy(self) -> Walk:
        """Return what is counted so far."""
        return Walk(
            list(self.files), Counter(self.climbs), self.registry_lookups, self.version_lookups
        )


def common(walks: list[Walk]) -> Walk:
    """Return what all repetitions of a walk share.

    Heartbeats and ticks run into some of them; what the walk itself causes is in each.
    """
    first, *others = walks
    climbs = first.climbs
    for other in others:
        climbs = climbs & other.climbs
    return Walk(
        [file for file in first.files if all(file in other.files for other in others)],
        climbs,
        min(walk.registry_lookups for walk in walks),
        min(walk.version_lookups for walk in walks),
        {file for walk in walks for file in walk.files},
    )


@cache
def _file_of(code: CodeType) -> str | None:
    """Return the path of a file of the product, ``None`` for any other."""
    path = Path(code.co_filename)
    if not path.is_relative_to(ROOT):
        return None
    name = path.relative_to(ROOT).as_posix()
    return name if name.startswith(tuple(f"{package}/" for package in PACKAGES)) else None


@cache
def _start_of(code: CodeType) -> int:
    """Return the offset at which a call begins; a coroutine that goes on is further."""
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def _caller(frame: FrameType) -> FrameType | None:
    """Return the nearest frame of the product below, ``None`` if the event loop has called."""
    below = frame.f_back
    while below is not None and _file_of(below.f_code) is None:
        below = below.f_back
    return below


Ts = TypeVarTuple("Ts")


class _Run(threading.local):
    """State of what runs now in a thread."""

    is_elsewhere = False
    """It was begun by something else than the walk."""


class TracedLoop(asyncio.SelectorEventLoop):
    """Event loop that knows what has begun each callback.

    Services that look around every few milliseconds would add to a walk as often as they ran into
    it. Their timers were set before it, so what these start is left out. What is read from a
    socket counts: nobody can tell who caused it.
    """

    tracer: Tracer

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Call back in the next round, as a part of the same walk."""
        return super().call_soon(self.tracer.carried(callback), *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back later, as a part of the same walk."""
        return super().call_at(when, self.tracer.carried(callback), *args, context=context)


class Tracer:
    """Recorder of walks.

    A walk begins when the product has read from a socket of the port ``begin``, or at once. It
    ends when the product has written to one of the port ``end``, or with :meth:`stop`.

    Args:
        polled: the folder of databases whose version is looked up all the time, by the clock; such
            look-ups are none of a walk.

    """

    def __init__(self, polled: Path) -> None:
        self._polled = polled
        self._lookups = {getattr(TerminalRegistry, name).__code__ for name in LOOKUPS}
        self._walk = Walk()
        self._begin: int | None = None
        self._end: int | None = None
        self._is_armed = self._is_on = self._restarts = False
        self._run = _Run()

    def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in an event loop of its own, watched."""

        def new_loop() -> TracedLoop:
            loop = TracedLoop()
            loop.tracer = self
            return loop

        with self._installed(), asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(work())

    def carried(self, callback: Callable[[Unpack[Ts]], object]) -> Callable[[Unpack[Ts]], object]:
        """Return a callback that is a part of the walk in which it was made, and of no other."""
        walk = self._walk if self._is_on and not self._run.is_elsewhere else None

        def call(*arguments: *Ts) -> object:
            before, self._run.is_elsewhere = self._run.is_elsewhere, walk is not self._walk
            try:
                return callback(*arguments)
            finally:
                self._run.is_elsewhere = before

        return call

    @contextmanager
    def _installed(self) -> Iterator[None]:
        """Watch the threads and the databases that are opened in the block."""
        connect = sqlite3.connect

        def watched(database: Any, *arguments: Any, **more: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(database, *arguments, **more)
            if not Path(str(database)).is_relative_to(self._polled):
                connection.set_trace_callback(self._on_statement)
            return connection

        threading.setprofile(self._on_event)
        try:
            with patch.object(sqlite3, "connect", watched):
                yield
        finally:
            threading.setprofile(None)

    def start(self, begin: int, end: int | None = None, *, restarts: bool = False) -> None:
        """Await a walk.

        Args:
            begin: the port whose bytes begin it.
            end: the port whose bytes end it; without one :meth:`stop` does.
            restarts: it begins anew with all that is read before it ends.

        """
        self._walk, self._begin, self._end, self._restarts = Walk(), begin, end, restarts
        self._is_armed, self._is_on = True, False
        sys.setprofile(self._on_event)

    @property
    def has_ended(self) -> bool:
        """Whether the walk has come to its end: the port of the end was written to."""
        return not self._is_armed

    def stop(self) -> Walk:
        """End the walk and return it."""
        sys.setprofile(None)
        assert self._walk.files, "nothing of the product ran"
        assert self._end is None or not self._is_armed, (
            "nothing was written to the port of the end"
        )
        self._is_armed = self._is_on = False
        return self._walk

    def attempt(self, succeeds: Callable[[], bool]) -> bool:
        """Call what is a part of the walk if it succeeds, and no part of it otherwise."""
        before = self._walk.copy()
        elsewhere, self._run.is_elsewhere = self._run.is_elsewhere, False
        try:
            with inside():
                if succeeds():
                    return True
        finally:
            self._run.is_elsewhere = elsewhere
        self._walk.restore(before)
        return False

    def _on_event(self, frame: FrameType, event: str, argument: Any) -> None:
        if not self._is_armed or _is_outside.get():
            return
        if event == "c_return":
            self._on_socket(frame, argument)
        elif event == "call" and self._is_on and not self._run.is_elsewhere:
            self._on_call(frame)

    def _on_call(self, frame: FrameType) -> None:
        code = frame.f_code
        file = _file_of(code)
        if file is None:
            return
        walk = self._walk
        if file not in walk.files:
            walk.files.append(file)
        if frame.f_lasti > _start_of(code):
            return  # a coroutine goes on
        if code in self._lookups:
            walk.registry_lookups += 1
        if file.startswith(APP):
            caller = _caller(frame)
            above = None if caller is None else _file_of(caller.f_code)
            if above is None or not above.startswith(APP):
                walk.climbs[f"{above or 'event loop'} -> {file}: {code.co_qualname}"] += 1

    def _on_socket(self, frame: FrameType, function: Any) -> None:
        name = function.__name__
        if name in READ and (self._restarts or not self._is_on):
            if self._port(function) == self._begin:
                self._walk, self._is_on = Walk(), True
                self._enter_callers(frame)
        elif (
            name in WRITTEN
            and self._is_on
            and self._end is not None
            and self._port(function) == self._end
        ):
            self._is_armed = self._is_on = False

    def _enter_callers(self, frame: FrameType | None) -> None:
        """Count the files that were waiting for what was read."""
        while frame is not None:
            file = _file_of(frame.f_code)
            if file is not None and file not in self._walk.files:
                self._walk.files.append(file)
            frame = frame.f_back

    def _on_statement(self, statement: str) -> None:
        if not self._is_on or self._run.is_elsewhere or _is_outside.get():
            return
        if VERSION.match(statement):
            self._walk.version_lookups += 1

    @staticmethod
    def _port(function: Any) -> int | None:
        """Return the port of our side of the socket whose method was called, if it has one."""
        connection = getattr(function, "__self__", None)
        if not isinstance(connection, socket.socket) or connection.fileno() < 0:
            return None
        name = connection.getsockname()
        return name[1] if isinstance(name, tuple) else None
