"""Bodies: read whole, within bounds of size and time, before anybody looks at them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from .problem import Problem

MAX_BODY_BYTES: Final = 65_536
BODY_S: Final = 10.0
MAX_FIELDS: Final = 100
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"


async def read_body(request: web.Request) -> bytes:
    """Return the body; asked again, the request has it at hand.

    Raises:
        Problem: it is too large, too slow, or encoded.

    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem(415, "encoded", "Send the body without Content-Encoding.")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    try:
        async with asyncio.timeout(BODY_S):
            return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except web.RequestPayloadError:
        raise Problem(
            400, "bad_body", "The body could not be read.", headers={"Connection": "close"}
        ) from None
    except TimeoutError:
        raise Problem(
            408, "too_slow", "The request did not arrive in time.", headers={"Connection": "close"}
        ) from None


def expect(request: web.Request, media_type: str) -> None:
    """Check what the body says that it is.

    Raises:
        Problem: it is something else.

    """
    if request.content_type != media_type:
        raise Problem(415, "media_type", f"Send a body of type {media_type}.")


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a form; of several with one name, joined by commas.

    Raises:
        Problem: the body is no form.

    """
    expect(request, FORM)
    try:
        text = (await read_body(request)).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Problem(400, "bad_form", "The form could not be read.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    if "\0" in "".join(fields.values()):
        raise Problem(400, "bad_form", "The form could not be read.")
    return fields


def _too_large() -> Problem:
    return Problem(
        413,
        "too_large",
        f"The request is larger than {MAX_BODY_BYTES} bytes.",
        headers={"Connection": "close"},
    )
