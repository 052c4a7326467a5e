"""The requests of one WebSocket connection that are not answered yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gateway.errors import InvalidRequest

Id = int | str | float


@dataclass(slots=True)
class _Request:
    task: asyncio.Task[object] | None
    mutates: bool
    cancelled: bool = False


@dataclass(slots=True)
class InFlight:
    """Registry of requests in flight: tells two with one id apart, and finds the one to cancel.

    A message that can change the account is protected: neither ``cancel_request`` nor the end of
    the connection stops it half-way.
    """

    _requests: dict[Id, _Request] = field(default_factory=dict)
    _protected: set[asyncio.Task[object]] = field(default_factory=set)

    def enter(self, request_id: Id, *, mutates: bool) -> None:
        """Note that the current task begins to answer a request.

        Raises:
            InvalidRequest: another request with this id is being answered.

        """
        if request_id in self._requests:
            raise InvalidRequest(
                "Another request with this id is still being answered", reason="duplicate_id"
            )
        self._requests[request_id] = _Request(asyncio.current_task(), mutates)

    def leave(self, request_id: Id) -> None:
        """Note that the request is answered; its id is free again."""
        del self._requests[request_id]

    def cancel(self, request_id: Id) -> bool:
        """Stop a read; return whether there was one to stop."""
        request = self._requests.get(request_id)
        # never twice: a second cancel() would be left for the next item of the same batch
        if request is None or request.mutates or request.cancelled or request.task is None:
            return False
        request.cancelled = True
        return request.task.cancel()

    def took_cancellation(self, request_id: Id | None) -> bool:
        """Whether the CancelledError that the current task caught was meant for this request.

        If so the task is no longer being cancelled: it may go on with the rest of a batch.
        """
        request = None if request_id is None else self._requests.get(request_id)
        if request is None or not request.cancelled or request.task is None:
            return False
        # else the task would count as being cancelled, and its next timeout() would end wrongly
        request.task.uncancel()
        return True

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Let the current task come to the end of this block even when the connection is lost."""
        task = asyncio.current_task()
        assert task is not None
        self._protected.add(task)
        try:
            yield
        finally:
            self._protected.discard(task)

    def cancel_reads(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        """Stop those of the tasks that only read: nobody waits for them any more."""
        for task in tasks:
            if task not in self._protected:
                task.cancel()
