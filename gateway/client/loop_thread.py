"""Thread in which the async client runs, for programs without ``async``."""

from __future__ import annotations

import asyncio
import functools
import threading
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from gateway.client.client import GatewayClient
from gateway.client.methods import Methods

P = ParamSpec("P")
R = TypeVar("R")


class LoopThread:
    """Owner of the client, its event loop, and the thread in which both live.

    Args:
        make_client: called in that thread, inside the loop.

    """

    def __init__(self, make_client: Callable[[], GatewayClient]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="gateway-client", daemon=True
        )
        self._client = make_client()
        self._thread.start()
        # a program that never calls close(), or is left by an exception, ends in order as well
        self._end = weakref.finalize(self, _end, self._loop, self._thread, self._client)

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine in the client's thread and return its result.

        Ctrl+C while waiting cancels it.
        """
        if not self._thread.is_alive():
            work.close()  # or Python warns of a coroutine that was never awaited
            raise RuntimeError("the client is closed")
        # waited for in the caller's own thread: there Ctrl+C arrives, and not in the loop's
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close all connections and end the thread; may be called twice."""
        self._end()


def _end(loop: asyncio.AbstractEventLoop, thread: threading.Thread, client: GatewayClient) -> None:
    """Close the client, then its loop; nothing is left pending that Python would complain of."""
    if threading.current_thread() is thread:  # Python drops it there: nobody may wait
        loop.stop()
        return
    try:
        asyncio.run_coroutine_threadsafe(client.aclose(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def synced(
    method: Callable[Concatenate[Methods, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[LoopThread, P], R]:
    """Return the method of :class:`LoopThread` that runs a method of the async client."""

    @functools.wraps(method)
    def run(self: LoopThread, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(method(self._client, *args, **kwargs))

    return run
