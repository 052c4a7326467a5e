"""Composition root: the only room that knows every part.

What is asked of it by name is imported then, so that a terminal or a console that runs by itself
does not wait for the whole daemon to be loaded.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .catalogue import build_catalogue, openrpc_document
    from .daemon import Gateway
    from .emulator import run_emulator
    from .manager_emulator import run_manager_emulator
    from .runs import run_serve
else:
    ROOMS = {
        "Gateway": ".daemon",
        "build_catalogue": ".catalogue",
        "openrpc_document": ".catalogue",
        "run_emulator": ".emulator",
        "run_manager_emulator": ".manager_emulator",
        "run_serve": ".runs",
    }

    def __getattr__(name: str) -> object:
        if name not in ROOMS:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(ROOMS[name], __name__), name)


__all__ = [
    "Gateway",
    "build_catalogue",
    "openrpc_document",
    "run_emulator",
    "run_manager_emulator",
    "run_serve",
]
