"""Bodies of the console: read whole before anybody looks at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from aiohttp import web

from gateway.http.body import read_body as read_bounded
from gateway.http.guard import FORM, Refusal

from .problem import ConsoleProblem

MAX_BODY_BYTES: Final = 65_536
BODY_S: Final = 10.0
MAX_FIELDS: Final = 100


_BODY: Final = web.RequestKey("body", bytes)


async def read_body(request: web.Request) -> bytes:
    """Return the body; asked again, the request has it at hand.

    Raises:
        ConsoleProblem: it is too large, too slow, or encoded.

    """
    if _BODY not in request:
        request[_BODY] = await _read(request)
    return request[_BODY]


async def _read(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ConsoleProblem(415, "encoded", "Send the body without Content-Encoding.")
    try:
        # aiohttp's router has answered Expect: 100-continue by now
        return await read_bounded(request, MAX_BODY_BYTES, within_s=BODY_S, is_invited=True)
    except Refusal as refusal:
        if refusal.status == 413:
            raise _too_large() from None
        raise _closing(408, "too_slow", "The request did not arrive in time.") from None
    except web.RequestPayloadError:
        raise _closing(400, "bad_body", "The body could not be read.") from None


def expect(request: web.Request, media_type: str) -> None:
    """Check what the body says that it is.

    Raises:
        ConsoleProblem: it is something else.

    """
    if request.content_type != media_type:
        raise ConsoleProblem(415, "media_type", f"Send a body of type {media_type}.")


async def form_of(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a form; of several with one name, joined by commas.

    Raises:
        ConsoleProblem: the body is no form.

    """
    expect(request, FORM)
    try:
        text = (await read_body(request)).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise ConsoleProblem(400, "bad_form", "The form could not be read.") from None
    fields: dict[str, str] = {}
    for name, value in pairs:
        fields[name] = f"{fields[name]},{value}" if name in fields else value
    if "\0" in "".join(fields.values()):
        raise ConsoleProblem(400, "bad_form", "The form could not be read.")
    return fields


def _too_large() -> ConsoleProblem:
    return _closing(413, "too_large", f"The request is larger than {MAX_BODY_BYTES} bytes.")


def _closing(status: int, error: str, message: str) -> ConsoleProblem:
    """Return a problem that ends the connection: the rest of the body is still on its way."""
    return ConsoleProblem(status, error, message, headers={"Connection": "close"})
