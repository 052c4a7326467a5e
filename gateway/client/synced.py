"""Runs the async client in a thread of its own, for programs without ``async``."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from gateway.client.client import GatewayClient
from gateway.client.methods import Methods

P = ParamSpec("P")
R = TypeVar("R")


class Synced:
    """Owns the client, its event loop, and the thread in which both live.

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

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Run a coroutine in the client's thread and return its result.

        Ctrl+C while waiting cancels it.
        """
        if not self._thread.is_alive():
            work.close()
            raise RuntimeError("the client is closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close all connections and end the thread; may be called twice."""
        if self._thread.is_alive():
            try:
                self.run(self._client.aclose())
            finally:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._thread.join()
                self._loop.close()


def synced(
    method: Callable[Concatenate[Methods, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Synced, P], R]:
    """Return the method of :class:`Synced` that runs a method of the async client."""

    @functools.wraps(method)
    def run(self: Synced, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.run(method(self._client, *args, **kwargs))

    return run
