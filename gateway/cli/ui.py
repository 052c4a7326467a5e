"""``ui``: the live page in a browser, signed in by a link that works once."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from gateway.cli.output import CliError
from gateway.cli.target import AuthToken, Home, Url, find_target

TIMEOUT_S = 10.0
MAX_ANSWER_BYTES = 65_536


def ui(
    *,
    trade: Annotated[
        bool, typer.Option("--trade", help="Let the page trade; without it, it only shows.")
    ] = False,
    only_print: Annotated[
        bool, typer.Option("--print", help="Print the link, and open no browser.")
    ] = False,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
) -> None:
    """Open the live page in the browser, signed in.

    The link works once, for a minute. It is printed where no browser can be opened.
    """
    target = find_target(url, auth_token, home)

    from gateway.client.protocol import parse_address

    try:
        base = parse_address(target.url).rpc.removesuffix("/rpc")
    except ValueError as error:
        raise CliError(str(error), 2) from error
    link = f"{base}/ui#code={_new_code(base, target.token, trade=trade)}"
    if not only_print:
        import webbrowser

        if webbrowser.open(link):
            sys.stdout.write(f"The live page opens in your browser: {base}/ui\n")
            return
    sys.stdout.write(link + "\n")


def _new_code(base: str, auth_token: str, *, trade: bool) -> str:
    """Ask the gateway for a one-time code.

    Raises:
        CliError: it gave none; the message says why.

    """
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import ProxyHandler, Request, build_opener

    request = Request(  # noqa: S310 (an address of http or https, read by parse_address)
        f"{base}/ui/codes",
        data=json.dumps({"trade": trade}).encode(),
        headers={"Authorization": f"Bearer {auth_token}", "Content-Type": "application/json"},
    )
    try:
        # without the system's proxy: the token goes to the gateway and to nobody else
        with build_opener(ProxyHandler({})).open(request, timeout=TIMEOUT_S) as answer:
            code: str = json.loads(answer.read(MAX_ANSWER_BYTES))["code"]
            return code
    except HTTPError as error:
        with error:
            raise CliError(_told(error.read(MAX_ANSWER_BYTES), error.code)) from None
    except (URLError, OSError, HTTPException):
        raise CliError(f"Nobody answers at {base}: is the gateway running?") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CliError(f"{base} answered, but not as a gateway does") from None


def _told(body: bytes, status: int) -> str:
    try:
        message: str = json.loads(body)["error"]["message"]
        return message
    except (ValueError, KeyError, TypeError):
        return f"the gateway answered with status {status}"
