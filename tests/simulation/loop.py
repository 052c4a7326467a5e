"""Event loop on simulated time: nothing waits, and lives of programs can end at any step.

It is asyncio's own loop for selectors, with its own transports and servers. What is simulated
stands below: the clock, the sockets (see ``network.py``), and the order among those sockets that
are ready, which the real world leaves open.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import itertools
import socket
from asyncio import selector_events
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from .handles import LIFE, Handle, Timer
from .owned_tasks import OwnedTasks

BEGIN_S = 1000.0
"""The loop's time when it begins."""
MIN_CANCELLED = 200
"""Cancelled timers, before the heap is cleared of them."""
THREAD_S = (1e-5, 5e-4)
"""How long what is done in a thread takes to begin, and again to be told of."""
TURN_S = 3e-5
"""The longest that a turn of the loop takes, but for those that are held up."""
HELD_UP_SHARE, HELD_UP_S = 0.0005, 0.03
"""Of the turns so many take up to so long: the machine had other things to do."""


class Stuck(Exception):
    """Nothing will ever happen any more, and what was waited for has not."""


class Killed(BaseException):
    """The life that runs has just been killed: nothing of it may go on."""


class Sockets(Protocol):
    """What the loop asks and tells where sockets are."""

    on_write: Callable[[Any, bytes], None] | None
    """Told of all that a program writes, before it is on its way."""
    due_s: float
    """When something happens next; a time that has passed if somebody can read."""

    def poll(self) -> list[Handle]:
        """Let happen what is due; return the callbacks of those that can read or write."""

    def watch(self, fd: int, reader: Handle | None, is_reader: bool) -> Handle | None:
        """Call this one when a socket can be read, or written; return the one before."""

    def socket(self, family: int) -> Any:
        """Return a new socket."""


class _NumberedTask(asyncio.Task[Any]):
    """A task that is hashed by its number: a set of tasks has one order in every process.

    Tasks are hashed by their place in memory otherwise, which is another one in each process; a
    set of them that is ended one after the other made two traces of one seed. Sets of futures
    still go by memory.
    """

    def __init__(
        self, number: int, coro: Any, loop: asyncio.AbstractEventLoop, name: Any, context: Any
    ) -> None:
        self._number = number
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(selector_events.BaseSelectorEventLoop):
    """A loop whose time goes on when nothing is left to do now, and a little with every turn.

    Args:
        threads: draw how long what would be done in threads takes.
        turns: draw how long the turns take.

    """

    _stopping: bool  # its base's

    def __init__(self, threads: Random, turns: Random) -> None:
        super().__init__(selector=_NoSelector())  # type: ignore[arg-type]  # never asked
        self.now = BEGIN_S
        """Seconds by a clock that never goes back."""
        self._numbers = itertools.count()
        self.slept_s = 0.0
        """How much of that passed in sleep."""
        self.steps = 0
        """Callbacks that were run."""
        self.sockets: Sockets
        self.tasks = OwnedTasks()
        self.on_error: Callable[[int, dict[str, Any]], None] | None = None
        """Told of each exception that nobody has taken, and whose life that was."""
        self._threads, self._turns = threads, turns
        self._ready: deque[Handle] = deque()
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0
        self._dead: set[int] = set()
        self._is_purge_due = False
        self._graves: list[Any] = []

    def time(self) -> float:
        """Return the simulated time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let all machines sleep, and wake: what was to happen meanwhile is due."""
        self.now += seconds
        self.slept_s += seconds

    # --- what is to be run ---------------------------------------------------------------------

    def call_soon(  # type: ignore[override]  # a handle with nothing that costs
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Run a callback after those that are to be run already."""
        handle = Handle(self, callback, args, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]  # there is one thread

    def call_at(  # type: ignore[override]  # a handle with nothing that costs
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Run a callback at a moment."""
        timer = Timer(self, callback, args, context, when)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        return timer

    def call_later(  # type: ignore[override]  # a handle with nothing that costs
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Timer:
        """Run a callback after a time."""
        return self.call_at(self.now + delay, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]  # what it returns can be waited for as well
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run it at once some time later, and tell of it some time after that."""
        future = self.create_future()

        def work() -> None:
            try:
                told = (future.set_result, func(*args))
            except Exception as error:
                told = (future.set_exception, error)
            self.call_later(self._threads.uniform(*THREAD_S), tell, *told)

        def tell(say: Callable[[Any], None], what: Any) -> None:
            if not future.done():
                say(what)

        self.call_later(self._threads.uniform(*THREAD_S), work)
        return future

    def note_cancelled_timer(self) -> None:
        """Clear the heap of those that were cancelled, when they are many."""
        self._cancelled += 1
        if self._cancelled > MIN_CANCELLED and self._cancelled > len(self._heap) // 2:
            self._keep_timers(lambda _: True)

    def _keep_timers(self, is_kept: Callable[[Timer], bool]) -> None:
        self._heap = [one for one in self._heap if not one[2].is_cancelled and is_kept(one[2])]
        heapq.heapify(self._heap)
        self._cancelled = 0

    def _run_once(self) -> None:
        ready, sockets = self._ready, self.sockets
        if not (ready or self._stopping):
            self._wait()
        # always a little: whoever looks at the clock again and again is to see it move
        drawn = self._turns.random()
        self.now += drawn * TURN_S
        if drawn > 1 - HELD_UP_SHARE:
            self.now += self._turns.random() * HELD_UP_S
        if sockets.due_s <= self.now:
            ready.extend(sockets.poll())
        now, heap = self.now, self._heap
        while heap and heap[0][0] <= now:
            timer = heapq.heappop(heap)[2]
            if timer.is_cancelled:
                self._cancelled -= 1
            else:
                timer.is_due = True
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.is_cancelled:
                continue
            self.steps += 1
            try:
                handle.context.run(handle.callback, *handle.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._note(handle, error)
            if self._is_purge_due:
                self._purge()
                return

    def _wait(self) -> None:
        """Let the time go on until something happens."""
        heap = self._heap
        while heap and heap[0][2].is_cancelled:
            heapq.heappop(heap)
            self._cancelled -= 1
        due_s = self.sockets.due_s
        if heap:
            due_s = min(due_s, heap[0][0])
        if due_s == float("inf"):
            raise Stuck("nothing will ever happen any more")
        self.now = max(self.now, due_s)

    def _note(self, handle: Handle, error: BaseException) -> None:
        context = {"message": "a callback has failed", "exception": error, "handle": handle}
        handle.context.run(self.call_exception_handler, context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell of an exception that nobody has taken."""
        life = LIFE.get()
        if self.on_error is not None and life not in self._dead:
            self.on_error(life, context)

    # --- sockets -------------------------------------------------------------------------------

    def _add_reader(self, fd: int, callback: Any, *args: Any) -> Handle:
        handle = Handle(self, callback, args, None)
        before = self.sockets.watch(fd, handle, True)
        if before is not None:
            before.cancel()
        return handle

    def _remove_reader(self, fd: int) -> bool:
        return _is_cancelled(self.sockets.watch(fd, None, True))

    def _add_writer(self, fd: int, callback: Any, *args: Any) -> Handle:
        handle = Handle(self, callback, args, None)
        before = self.sockets.watch(fd, handle, False)
        if before is not None:
            before.cancel()
        return handle

    def _remove_writer(self, fd: int) -> bool:
        return _is_cancelled(self.sockets.watch(fd, None, False))

    async def _connect_sock(self, exceptions: Any, addr_info: Any, *_: Any) -> Any:
        sock = self.sockets.socket(addr_info[0])
        try:
            await self.sock_connect(sock, addr_info[4])
        except BaseException as error:
            sock.close()
            if isinstance(error, OSError):
                exceptions.append([error])
            raise
        return sock

    async def create_server(  # type: ignore[override]  # with sockets that are simulated
        self, factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **options: Any
    ) -> asyncio.Server:
        """Listen, at a socket or an address."""
        if sock is None:
            ((family, *_, address), *_) = await self.getaddrinfo(host, port)
            sock = self.sockets.socket(family)
            sock.bind(address)
        return await super().create_server(factory, sock=sock, **options)

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Return the one address of a name."""
        family = socket.AF_INET6 if host == "::1" else socket.AF_INET
        name = "::1" if host == "::1" else "127.0.0.1"
        return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (name, port))]

    def _make_socket_transport(self, sock: Any, *args: Any, **options: Any) -> Transport:  # type: ignore[override]  # a name of asyncio's
        return Transport(self, sock, *args, **options)

    def _make_self_pipe(self) -> None:
        """Nothing: there is one thread."""

    def _close_self_pipe(self) -> None:
        """Nothing."""

    def _process_events(self, event_list: Any) -> None:
        """Nothing: there is no selector."""

    def __del__(self) -> None:
        """Nothing: a world ends without being taken apart."""

    # --- lives ---------------------------------------------------------------------------------

    def is_dead(self, life: int) -> bool:
        """Whether a life was killed."""
        return life in self._dead

    def kill(self, life: int) -> None:
        """End a life here and now: nothing of it runs any more, no ``finally`` either."""
        self._dead.add(life)
        self._is_purge_due = True
        self._graves.append(self.tasks.take(life))

    def tasks_of(self, life: int) -> list[asyncio.Task[Any]]:
        """Return the tasks of a life that have not ended."""
        return [one for one in self.tasks.of(life) if one is not None and not one.done()]

    def _purge(self) -> None:
        """Take out what is dead, and keep it: were it freed its ``finally`` would run."""
        self._is_purge_due = False
        dead = [handle for handle in self._ready if handle.life in self._dead]
        for handle in dead:
            handle.is_cancelled = True
        dead += [one[2] for one in self._heap if one[2].life in self._dead]
        self._keep_timers(lambda timer: timer.life not in self._dead)
        self._graves.append(dead)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        """Make a task, and remember whose it is."""
        task = _NumberedTask(next(self._numbers), coro, self, name, context)
        life = LIFE.get() if context is None else context.get(LIFE, 0)
        if life:
            self.tasks.add(task, life)
        return task

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        self.tasks.own(agen, LIFE.get())

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        # of a dead life no ``finally`` runs
        if self.tasks.owner(agen) not in self._dead and not self.is_closed():
            self.call_soon(self.create_task, agen.aclose())


class Transport(selector_events._SelectorSocketTransport):  # type: ignore[name-defined]  # it is private
    """asyncio's own; those that a world leaves open when it ends are nobody's to close."""

    def write(self, data: Any) -> None:
        """Send it; whoever looks on sees it as it was written."""
        on_write = self._loop.sockets.on_write  # type: ignore[attr-defined]  # a simulated loop
        if on_write is not None and not self._conn_lost:  # type: ignore[attr-defined]  # asyncio's
            on_write(self._sock, data)  # type: ignore[attr-defined]  # asyncio's
        super().write(data)

    def __del__(self) -> None:
        """Nothing."""


class _NoSelector:
    """What asyncio is given instead of a selector."""

    def get_key(self, _: Any) -> Any:
        """Say that it does not know a socket.

        Raises:
            KeyError: always.

        """
        raise KeyError

    def close(self) -> None:
        """Nothing."""


def _is_cancelled(handle: Handle | None) -> bool:
    if handle is not None:
        handle.cancel()
    return handle is not None
