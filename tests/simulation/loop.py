"""Event loop on simulated time: nothing waits, everything is drawn, and lives can end anywhere."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import weakref
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

LIFE: contextvars.ContextVar[int] = contextvars.ContextVar("life", default=0)
"""Which life of a daemon something belongs to; 0 is all that outlives them."""
MIN_CANCELLED = 200
"""Cancelled timers, before the heap is cleared of them."""


class Stuck(Exception):
    """Nothing will ever happen any more, and what was waited for has not."""


class Killed(BaseException):
    """The life that runs has just been killed: nothing of it may go on."""


class Handle:
    """A callback to be run; as :class:`asyncio.Handle`, with nothing that costs."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context", "_loop")

    def __init__(
        self,
        loop: SimulatedLoop,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context,
    ) -> None:
        self._loop = loop
        self._callback: Any = callback
        self._args: Any = args
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        """Don't run it."""
        self._cancelled = True
        self._callback = self._args = None

    def cancelled(self) -> bool:
        """Whether it will not be run for that."""
        return self._cancelled

    @property
    def life(self) -> int:
        """Return the life that it belongs to."""
        return self._context.get(LIFE, 0)


class Timer(Handle):
    """A callback to be run later."""

    __slots__ = ("_when",)

    def cancel(self) -> None:
        """Don't run it."""
        if not self._cancelled:
            self._loop.note_cancelled_timer()
            super().cancel()

    def when(self) -> float:
        """Return when it is due, by the loop's time."""
        return self._when


class SimulatedLoop(asyncio.BaseEventLoop):
    """A loop whose time goes on when nothing is left to do now.

    Args:
        dice: draw how long what would be done in threads takes.

    """

    def __init__(self, dice: Random) -> None:
        super().__init__()
        self.now = 1000.0
        """Seconds by a clock that never goes back."""
        self.steps = 0
        """Callbacks that were run."""
        self.on_error: Callable[[int, dict[str, Any]], None] | None = None
        """Told of each exception that nobody has taken, and whose life that was."""
        self._dice = dice
        self._ready: deque[Handle] = deque()
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0
        self._dead: set[int] = set()
        self._is_purge_due = False
        self._tasks: dict[int, dict[int, weakref.ref[asyncio.Task[Any]]]] = {}
        self._graves: list[Any] = []
        self._owners: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def time(self) -> float:
        """Return the simulated time."""
        return self.now

    # --- what is to be run ---------------------------------------------------------------------

    def call_soon(  # type: ignore[override]  # a handle with nothing that costs
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Run a callback after those that are to be run already."""
        handle = Handle(self, callback, args, _given(context))
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
        timer = Timer(self, callback, args, _given(context))
        timer._when = when
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
            self.call_later(self._dice.uniform(1e-5, 5e-4), tell, *told)

        def tell(say: Callable[[Any], None], what: Any) -> None:
            if not future.done():
                say(what)

        self.call_later(self._dice.uniform(1e-5, 5e-4), work)
        return future

    def note_cancelled_timer(self) -> None:
        """Clear the heap of those that were cancelled, when they are many."""
        self._cancelled += 1
        if self._cancelled > MIN_CANCELLED and self._cancelled > len(self._heap) // 2:
            self._heap = [one for one in self._heap if not one[2]._cancelled]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def _run_once(self) -> None:
        ready, heap = self._ready, self._heap
        if not ready and not self._stopping:
            while heap and heap[0][2]._cancelled:
                heapq.heappop(heap)
                self._cancelled -= 1
            if not heap:
                raise Stuck("nothing will ever happen any more")
            self.now = max(self.now, heap[0][0])
        while heap and heap[0][0] <= self.now:
            timer = heapq.heappop(heap)[2]
            if timer._cancelled:
                self._cancelled -= 1
            else:
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            self.steps += 1
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._note(handle, error)
            if self._is_purge_due:
                self._purge()
                return

    def _note(self, handle: Handle, error: BaseException) -> None:
        context = {"message": "a callback has failed", "exception": error, "handle": handle}
        handle._context.run(self.call_exception_handler, context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Tell of an exception that nobody has taken."""
        life = LIFE.get()
        if self.on_error is not None and life not in self._dead:
            self.on_error(life, context)

    # --- lives ---------------------------------------------------------------------------------

    def is_dead(self, life: int) -> bool:
        """Whether a life was killed."""
        return life in self._dead

    def kill(self, life: int) -> None:
        """End a life here and now: nothing of it runs any more, no ``finally`` either."""
        self._dead.add(life)
        self._is_purge_due = True
        self._graves.append([found() for found in self._tasks.pop(life, {}).values()])

    def tasks_of(self, life: int) -> list[asyncio.Task[Any]]:
        """Return the tasks of a life that have not ended."""
        found = (made() for made in self._tasks.get(life, {}).values())
        return [one for one in found if one is not None and not one.done()]

    def _purge(self) -> None:
        """Take out what is dead, and keep it: were it freed its ``finally`` would run."""
        self._is_purge_due = False
        dead = [handle for handle in self._ready if handle.life in self._dead]
        for handle in dead:
            handle._cancelled = True
        kept = []
        for entry in self._heap:
            if entry[2].life in self._dead:
                dead.append(entry[2])
            elif not entry[2]._cancelled:
                kept.append(entry)
        heapq.heapify(kept)
        self._heap = kept
        self._cancelled = 0
        self._graves.append(dead)

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        """Make a task, and remember whose it is."""
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=name, context=context)
        life = LIFE.get() if context is None else context.get(LIFE, 0)
        if life:
            self._count += 1
            count, tasks = self._count, self._tasks.setdefault(life, {})
            tasks[count] = weakref.ref(task, lambda _: tasks.pop(count, None))
        return task

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        self._owners[agen] = LIFE.get()

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        # of a dead life no ``finally`` runs; that of another one must not run in this context
        if self._owners.get(agen, 0) not in self._dead and not self.is_closed():
            self.call_soon(self.create_task, agen.aclose())

    def _process_events(self, event_list: Any) -> None:
        """Nothing: there is no selector."""


def _given(context: contextvars.Context | None) -> contextvars.Context:
    # an empty one is false
    return contextvars.copy_context() if context is None else context
