"""Composition root: the only room that knows every part."""

from .catalogue import build_catalogue, openrpc_document
from .daemon import Gateway
from .runs import run_emulator, run_serve

__all__ = [
    "Gateway",
    "build_catalogue",
    "openrpc_document",
    "run_emulator",
    "run_serve",
]
