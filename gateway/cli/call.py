"""``call`` and ``settle``: one method, from the shell."""

from __future__ import annotations

import json  # not orjson: it writes numbers in another form, 1e-05 as 0.00001
import sys
from typing import Annotated, Any

import typer

from gateway.cli.output import CliError, visible
from gateway.cli.target import AuthToken, Home, Url, find_target, run_async


def call(
    method: Annotated[str, typer.Argument(help="get_account_info, place_order ...")],
    params: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="VALUE is JSON, or else a text."),
    ] = None,
    *,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
) -> None:
    """Call a method and print its result as JSON.

    mt-gateway call get_ohlc symbol=EURUSD timeframe=H1 count=3
    """
    given = parse_params(params or [])
    target = find_target(url, auth_token, home)

    from gateway.client.once import call_once
    from gateway.errors import GatewayError

    try:
        result = run_async(call_once(target.url, target.token, method, given))
    except GatewayError as error:
        sys.stderr.write(json.dumps(error.as_dict(), indent=2, ensure_ascii=False) + "\n")
        raise typer.Exit(1) from None
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")


def parse_params(given: list[str]) -> dict[str, Any]:
    """Read ``key=value`` pairs; what is no JSON is a text: ``symbol=EURUSD``.

    Raises:
        CliError: one has no ``=``, or a key comes twice.

    """
    params: dict[str, Any] = {}
    for pair in given:
        key, sign, text = pair.partition("=")
        if not sign or not key:
            raise CliError(f"{pair}: give params as KEY=VALUE, as in symbol=EURUSD", 2)
        if key in params:
            raise CliError(f"{key} is given twice", 2)
        params[key] = _value(text)
    return params


def _value(text: str) -> Any:
    try:
        # not orjson: a number of more than 64 bits is passed on as it was typed
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> Any:
    """NaN and Infinity are no JSON, though Python reads them."""
    raise ValueError(name)


def settle(
    client_order_id: Annotated[
        str, typer.Argument(metavar="ID", help="The client_order_id of the order.")
    ],
    *,
    executed: Annotated[
        int | None,
        typer.Option(metavar="TICKET", min=1, help="It was executed: as this order."),
    ] = None,
    not_executed: Annotated[
        bool, typer.Option("--not-executed", help="It was not, and never will be.")
    ] = False,
    url: Url = None,
    auth_token: AuthToken = None,
    home: Home = None,
) -> None:
    """Say what became of an order whose outcome is unknown; needs an admin token.

    Look at the terminal's trade and history first, or ask the broker: bots believe it.
    """
    if (executed is None) is not not_executed:
        raise CliError("give either --executed TICKET or --not-executed", 2)
    target = find_target(url, auth_token, home)
    params: dict[str, Any] = {"client_order_id": client_order_id, "executed": not not_executed}
    if executed is not None:
        params["ticket"] = executed

    from gateway.client.once import call_once
    from gateway.errors import Forbidden, GatewayError, InvalidParams

    try:
        record = run_async(call_once(target.url, target.token, "settle_order", params))
    except Forbidden as error:
        raise CliError(
            f"{error.message}: set MT_GATEWAY_TOKEN to one (mt-gateway token create --name NAME "
            "--scope admin makes one, or the console if there is one)"
        ) from error
    except InvalidParams as error:
        reasons = "; ".join(str(fault["reason"]) for fault in error.data.get("errors", []))
        raise CliError(f"{client_order_id} is not settled: {reasons or error.message}") from error
    except GatewayError as error:
        raise CliError(f"{client_order_id} is not settled: {error.message}") from error
    note = visible(record["settlement"]["note"])
    sys.stdout.write(f"{client_order_id}: {record['outcome']}; {note}\n")
