"""The pages for people: HTML that works without a script."""

from __future__ import annotations

from aiohttp import web

from .account import AccountPages
from .approvals import ApprovalPages
from .context import PageContext
from .devices import DevicePages
from .history import HistoryPages
from .overview import Overview
from .render import StaticFiles, Templates
from .sign_in import SigningIn
from .tokens import TokenPages
from .users import UserPages

__all__ = ["PageContext", "StaticFiles", "Templates", "page_routes"]


def page_routes(context: PageContext) -> list[web.RouteDef]:
    """Return the routes of all pages."""
    pages = (
        *(SigningIn, Overview, TokenPages, DevicePages, ApprovalPages),
        *(HistoryPages, AccountPages, UserPages),
    )
    return [route for page in pages for route in page(context).routes()]
