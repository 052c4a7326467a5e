"""The pages for people: HTML that works without a script."""

from __future__ import annotations

from aiohttp import web

from .account import AccountPages, SignInPages, UserPages
from .accounts import RegisteredAccountPages
from .context import PageContext, Templates, page_files
from .devices import ApprovalPages, DevicePages
from .halts import HaltPages
from .hooks import HookPages
from .terminals import HistoryPages, OverviewPages
from .tokens import TokenPages

__all__ = ["PageContext", "Templates", "page_files", "page_routes"]


def page_routes(context: PageContext) -> list[web.RouteDef]:
    """Return the routes of all pages."""
    pages = (
        *(SignInPages, OverviewPages, TokenPages, DevicePages, ApprovalPages),
        *(HistoryPages, HookPages, HaltPages, RegisteredAccountPages),
        *(AccountPages, UserPages),
    )
    return [route for page in pages for route in page(context).routes()]
