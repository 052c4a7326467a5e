"""Catalogue of all methods, and its documents."""

from __future__ import annotations

import orjson

from gateway.rpc import asyncapi, openrpc
from gateway.rpc.catalogue import Catalogue
from gateway.rpc.methods import (
    calculations,
    contingent,
    history,
    journal,
    market,
    native,
    orders,
    positions,
    safety,
    service,
    subscriptions,
    terminal,
)


def build_catalogue() -> Catalogue:
    """Return everything that a caller can ask, in the order of the reference."""
    return Catalogue(
        terminal,
        market,
        positions,
        orders,
        journal,
        contingent,
        calculations,
        history,
        native,
        safety,
        subscriptions,
        service,
    )


def openrpc_document() -> bytes:
    """Return the OpenRPC document of the default configuration, to be read by people."""
    return orjson.dumps(openrpc.openrpc_document(build_catalogue()), option=orjson.OPT_INDENT_2)


def asyncapi_document() -> bytes:
    """Return the AsyncAPI document of the default configuration, to be read by people."""
    return orjson.dumps(asyncapi.asyncapi_document(build_catalogue()), option=orjson.OPT_INDENT_2)
