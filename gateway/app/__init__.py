"""Composition root: the only room that knows every part.

What is asked of it by name is imported then, so that a terminal or a console that runs by itself
does not wait for the whole daemon to be loaded.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from gateway.lazy import names_of

if TYPE_CHECKING:
    from .agent import run_agent
    from .catalogue import asyncapi_document, build_catalogue, openrpc_document
    from .daemon import Gateway
    from .emulator import run_emulator, run_manager_emulator
    from .serve import run_serve
else:
    __getattr__ = names_of(
        __name__,
        agent="run_agent",
        daemon="Gateway",
        catalogue="asyncapi_document build_catalogue openrpc_document",
        emulator="run_emulator run_manager_emulator",
        serve="run_serve",
    )

__all__ = [
    "Gateway",
    "asyncapi_document",
    "build_catalogue",
    "freeze_gc",
    "openrpc_document",
    "run_agent",
    "run_emulator",
    "run_manager_emulator",
    "run_serve",
]


def freeze_gc() -> None:
    """Let the garbage collector never look again at what stands now.

    A start leaves some hundred thousand objects that live as long as the process: a full
    collection would walk through all of them, and every order would wait for it.
    """
    gc.collect()
    gc.freeze()
