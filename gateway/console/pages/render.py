"""Templates, and the files that they name."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final

import jinja2
from aiohttp import web

from gateway.console.web.security import FORM_REFERRER

MEDIA_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
FOREVER: Final = "public, max-age=31536000, immutable"
_HASH_CHARACTERS: Final = 16


class StaticFiles:
    """The style sheet, the script and the icon; each URL has the hash of its content in it."""

    def __init__(self) -> None:
        self._url: dict[str, str] = {}
        self._content: dict[str, tuple[bytes, str]] = {}
        for file in (files(__package__) / "static").iterdir():
            stem, _, suffix = file.name.rpartition(".")
            content = file.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode()
            name = f"{stem}.{digest[:_HASH_CHARACTERS]}.{suffix}"
            self._url[file.name] = f"/static/{name}"
            self._content[name] = (content, MEDIA_TYPES[suffix])

    def url(self, name: str) -> str:
        """Return where a file is; it may be cached for ever there."""
        return self._url[name]

    def routes(self) -> list[web.RouteDef]:
        """Return the route of the files."""
        return [web.get("/static/{name}", self._give)]

    async def _give(self, request: web.Request) -> web.StreamResponse:
        found = self._content.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        content, media_type = found
        return web.Response(
            body=content,
            content_type=media_type,
            charset="utf-8",
            headers={"Cache-Control": FOREVER},
        )


class Templates:
    """Renders the pages. What is put into one is escaped."""

    def __init__(self, static: StaticFiles) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(_source),
            autoescape=True,
            undefined=jinja2.ChainableUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {"iso": iso, "utc": utc}
        self._environment.globals["static"] = static.url

    def render(self, template: str, values: Mapping[str, Any], status: int = 200) -> web.Response:
        """Return a page."""
        text = self._environment.get_template(template).render(values)
        return web.Response(
            text=text,
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={"Referrer-Policy": FORM_REFERRER},
        )


def _source(name: str) -> str | None:
    file = files(__package__) / "templates" / name
    return file.read_text("utf-8") if file.is_file() else None


def iso(at: float) -> str:
    """Return a time for programs."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def utc(at: float, exact: bool = False) -> str:
    """Return a time for people whose browser runs no script."""
    form = "%d %b %Y, %H:%M:%S UTC" if exact else "%d %b %Y, %H:%M UTC"
    return datetime.fromtimestamp(at, UTC).strftime(form).lstrip("0")
