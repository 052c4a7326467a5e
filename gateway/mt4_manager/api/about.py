"""Facts that the OpenAPI document of the manager API tells beside its operations."""

from __future__ import annotations

from typing import Final

from gateway.http.rest.openapi import DocumentInfo, bearer

OPENAPI: Final = "/api/openapi.json"
REFERENCE: Final = "/api/reference"
SUCCESSOR: Final = "X-Access-Token"
REPLAYED: Final = "Idempotency-Replayed"
DOCUMENT_INFO: Final = DocumentInfo(
    title="mt-gateway MT4 manager",
    description=(
        "Users, money, trades, groups and symbols of an MT4 server, by its Manager API. Log in "
        "at `/api/auth/login` and send `Authorization: Bearer` with the access token. Names, "
        "units and integers are the Manager API's: volumes are lots times 100, times are seconds "
        "of the server's clock. Roles: `read` looks; `operator` makes and changes users, books "
        "money, sends mail; `admin` connects, changes and deletes trades, deletes users and sees "
        "the server's configuration."
    ),
    schemes=bearer("access_token"),
    status_descriptions={
        400: "The request cannot be read; of connect: the server refused login or password",
        401: "Name and password do not fit, or the access token is missing, wrong or has expired",
        403: "The operator's role, or the manager's login, does not allow it; or a web page calls",
        404: "There is none",
        405: "Not with this method",
        408: "The body came too slowly",
        409: "The MT4 server refuses it as things stand",
        413: "The body is too large",
        415: "The body is not of the media type described here",
        421: "The Host header is not ours",
        422: "The request is not as described here, the MT4 server refuses a value in it, or its "
        "Idempotency-Key was used for another request",
        429: "Too many requests, or too many tries of a password; see Retry-After",
        500: "The gateway failed; its log says why",
        502: "The MT4 server did not answer as it should",
        503: "The peer of the MT4 server is not linked, or not connected; try again later",
        504: "No answer in time. Of a change: its outcome is not known yet, and the same request "
        "with the same Idempotency-Key tells it",
    },
    anytime=frozenset({400, 401, 403, 405, 413, 421, 422, 429, 500, 502, 503, 504}),
    headers={
        SUCCESSOR: "In the last hour of an access token: the one to use from now on",
        REPLAYED: "true: it was done before, under this Idempotency-Key; this is that answer, or "
        "the user as he is by now",
    },
)
