"""What the OpenAPI document of the accounts API says beside its operations."""

from __future__ import annotations

from typing import Final

from gateway.http.rest.openapi import About, bearer

OPENAPI: Final = "/api/v1/openapi.json"
ABOUT: Final = About(
    title="mt-gateway accounts",
    description=(
        "Registered accounts: what they may do is enforced for every order of a terminal that is "
        "logged in to them. Send `Authorization: Bearer` with an auth_token of the scope `admin`."
    ),
    schemes=bearer("auth_token"),
    words={
        400: "The trade server refused login or password, or the request cannot be read",
        401: "The token is missing, or does not open this gateway",
        403: "The token lacks the scope admin, or a web page may not call",
        404: "There is none, or it was deleted",
        405: "Not with this method",
        408: "The body came too slowly",
        409: "The account is registered",
        413: "The body is too large",
        415: "The body is not JSON",
        421: "The Host header is not ours",
        422: "The request is not as described here",
        500: "The gateway failed; its log says why",
        502: "The terminal or the trade server did not answer as it should",
        503: "Nobody who could answer is linked, or not yet; try again later",
    },
    anytime=frozenset({400, 401, 403, 405, 413, 421, 422, 500, 503}),
)
