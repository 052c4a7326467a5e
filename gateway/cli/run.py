"""``demo``, ``serve``, ``emulator`` and ``manager-emulator``: commands that run until stopped."""

from __future__ import annotations

import json  # not orjson: escapes keep the output ASCII, whatever the encoding of the screen
import math
import os
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ea_bridge.emulator.conditions import OWN_PASSWORD, Conditions
from gateway.cli.home import default_demo_home, default_home, demo_home, is_home, run_file
from gateway.cli.output import CliError, shell_word
from gateway.cli.process import run_until_stopped
from gateway.options import (
    API_PORT,
    BRIDGE_PORT,
    CONSOLE_PORT,
    DemoOptions,
    EmulatorOptions,
    ManagerEmulatorOptions,
    Ready,
    ServeOptions,
)

if TYPE_CHECKING:
    from ea_bridge.protocol.messages import Pending

Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON when ready.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log what happens to stderr.")]
Platform = Annotated[Literal["mt5", "mt4"], typer.Option(help="What the terminal is.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers of the emulator.")]
Speed = Annotated[str, typer.Option(help="Speed of the market: 1 is real time; or max.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port of /rpc and /ws; 0: a free one.")]
ConsolePort = Annotated[
    int, typer.Option(min=0, max=65535, help="Port of the console's pages; 0: a free one.")
]
BridgePort = Annotated[int, typer.Option(min=0, max=65535, help="Port for the EA; 0: a free one.")]
Home = Annotated[
    Path | None,
    typer.Option(
        help="Folder for everything that is kept; if absent MT_GATEWAY_HOME, or the system's "
        "folder for programs' data."
    ),
]

StopsLevel = Annotated[
    int | None,
    typer.Option(min=0, help="Least distance of stops and orders from the market, in points."),
]
FreezeLevel = Annotated[
    int | None,
    typer.Option(min=0, help="Points around the market in which nothing can be changed."),
]
Execution = Annotated[
    Literal["market", "instant"] | None,
    typer.Option(help="instant: at the asked price within deviation, or a requote."),
]
Requotes = Annotated[
    int, typer.Option(min=0, max=10_000, help="How many of the next orders are requoted.")
]
PartialFill = Annotated[
    float | None,
    typer.Option(metavar="LOTS", help="Largest volume of one fill; an ioc order gets no more."),
]
Latency = Annotated[
    int,
    typer.Option(metavar="MS", min=0, max=60_000, help="How long an order takes to the broker."),
]
Live = Annotated[bool, typer.Option("--live", help="Report the account as one of real money.")]
Balance = Annotated[float, typer.Option(min=0, max=1e12, help="Money of a new account, in USD.")]
Leverage = Annotated[int | None, typer.Option(min=1, max=10_000, help="100 is 1:100.")]
Login = Annotated[
    int | None, typer.Option(min=1, max=2**31 - 1, help="Login number of the account.")
]
Password = Annotated[
    str | None, typer.Option(help='Password of the account; "emulator" if absent.')
]
Folder = Annotated[
    Path | None,
    typer.Option(help="Keeps the account between runs; in memory only if absent."),
]
AllowOrigin = Annotated[
    list[str] | None,
    typer.Option(metavar="ORIGIN", help="A web page that may call: http://127.0.0.1:8000."),
]
DEPOSIT = 10_000.0
MAX_LOG_BYTES = 10_000_000
"""Of the file of ``serve --log``; looked at when the gateway starts."""
MAX_USERS = 1_000_000
"""Of an emulated MT4 server."""


def demo(
    *,
    as_json: Json = False,
    home: Home = None,
    port: Port = API_PORT,
    bridge_port: BridgePort = BRIDGE_PORT,
    console_port: ConsolePort = CONSOLE_PORT,
    speed: Speed = "1",
    platform: Platform = "mt5",
    seed: Seed = 0,
    stops_level: StopsLevel = None,
    freeze_level: FreezeLevel = None,
    execution: Execution = None,
    latency: Latency = 0,
    balance: Balance = DEPOSIT,
    leverage: Leverage = None,
    allow_origin: AllowOrigin = None,
    verbose: Verbose = False,
) -> None:
    """Run console, gateway, an emulated terminal and an emulated MT4 server, to try everything."""
    factor, origins = parse_speed(speed), checked_origins(allow_origin)
    conditions = Conditions(
        stops_level=stops_level,
        freeze_level=freeze_level,
        execution=execution,
        balance=balance,
        leverage=leverage,
    )

    async def main() -> None:
        from gateway.app.demo import run_demo

        # the home first: a second demo gets one of its own, and a file in that
        with demo_home(home) as place, run_file(place) as file:
            options = DemoOptions(
                home=place,
                port=port,
                bridge_port=bridge_port,
                console_port=console_port,
                speed=factor,
                platform=platform,
                seed=seed,
                conditions=conditions,
                latency_ms=latency,
                allowed_origins=origins,
            )

            def announce(ready: Ready) -> None:
                # before the line on stdout: who reads that may call at once
                file.write(ready, "demo")
                say_ready(ready, "" if as_json else _demo_text(ready), as_json=as_json)

            await run_demo(options, announce)

    run_until_stopped(main, verbose=verbose, ports="--port, --bridge-port or --console-port")


def serve(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="The settings; config.toml of the home if absent."
        ),
    ] = None,
    home: Home = None,
    log: Annotated[
        Path | None,
        typer.Option(
            dir_okay=False,
            help="Append all output to a file, for a service without a screen; at 10 MB it is "
            "begun anew, and the one before is kept as FILE.1.",
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run the gateway for the EAs of real terminals, or for emulators."""

    if log is not None:
        write_to(log)
    options = ServeOptions(home=home or default_home(), config=config)
    # around the loop: the file goes, whatever ends it
    with run_file(options.home) as file:

        def announce(ready: Ready) -> None:
            # before the line on stdout: who reads that may call at once
            file.write(ready, "serve")
            say_ready(ready, "" if as_json else _serve_text(ready), as_json=as_json)

        def start() -> Coroutine[Any, Any, None]:
            from gateway.app import run_serve

            return run_serve(options, announce)

        run_until_stopped(start, verbose=verbose, ports="[api] port or [bridge] port in --config")


def emulator(
    *,
    bridge: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.")],
    auth_token: Annotated[
        str,
        typer.Option(
            envvar="MT_GATEWAY_TOKEN", show_envvar=True, help="The token of this terminal."
        ),
    ],
    platform: Platform = "mt5",
    ticks: Annotated[
        list[str] | None,
        typer.Option(metavar="[SYMBOL=]FILE", help="Ticks to replay; repeatable."),
    ] = None,
    speed: Speed = "1",
    seed: Seed = 0,
    netting: Annotated[
        bool, typer.Option("--netting", help="One position a symbol, instead of one an order.")
    ] = False,
    sessions: Annotated[
        Literal["always", "real"], typer.Option(help="real: closed at weekends.")
    ] = "always",
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COUNT", help="Fault to make, and how often; repeatable."),
    ] = None,
    stops_level: StopsLevel = None,
    freeze_level: FreezeLevel = None,
    execution: Execution = None,
    requotes: Requotes = 0,
    partial_fill: PartialFill = None,
    latency: Latency = 0,
    live: Live = False,
    balance: Balance = DEPOSIT,
    leverage: Leverage = None,
    login: Login = None,
    password: Password = None,
    folder: Folder = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run an emulated terminal that links to a gateway in another process."""
    host, port = parse_address(bridge)
    options = EmulatorOptions(
        bridge_host=host,
        bridge_port=port,
        auth_token=auth_token,
        platform=platform,
        ticks=tuple(ticks or ()),
        speed=parse_speed(speed),
        seed=seed,
        conditions=Conditions(
            netting=netting,
            live=live,
            login=login,
            password=password or OWN_PASSWORD,
            balance=balance,
            leverage=leverage,
            stops_level=stops_level,
            freeze_level=freeze_level,
            execution=execution,
            requotes=requotes,
            most_lots=checked_lots(partial_fill),
        ),
        latency_ms=latency,
        folder=folder,
        sessions=sessions,
        faults=tuple(fault or ()),
    )

    async def main() -> None:
        from gateway.app import run_emulator

        await run_emulator(
            options,
            lambda ready: say_ready(ready, _emulator_text(ready), as_json=as_json),
            say_pending,
        )

    run_until_stopped(main, verbose=verbose)


def manager_emulator(
    *,
    bridge: Annotated[str, typer.Option(metavar="HOST:PORT", help="Where the gateway listens.")],
    auth_token: Annotated[
        str,
        typer.Option(
            envvar="MT_GATEWAY_TOKEN",
            show_envvar=True,
            help="The token that [manager] peer names.",
        ),
    ],
    users: Annotated[
        int, typer.Option(min=0, max=MAX_USERS, help="Number of users at the first start.")
    ] = 200,
    folder: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="Keeps users, trades and money between runs."),
    ] = None,
    password: Annotated[
        str | None,
        typer.Option(
            envvar="MT4_MANAGER_PASSWORD",
            show_envvar=True,
            help="Password of the manager; a new one with each start if absent.",
        ),
    ] = None,
    seed: Seed = 0,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COUNT", help="Fault to make, and how often; repeatable."),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Run an emulated MT4 server whose peer links to a gateway in another process."""
    host, port = parse_address(bridge)
    options = ManagerEmulatorOptions(
        bridge_host=host,
        bridge_port=port,
        auth_token=auth_token,
        users=users,
        folder=folder,
        password=password,
        seed=seed,
        faults=tuple(fault or ()),
    )

    async def main() -> None:
        from gateway.app import run_manager_emulator

        await run_manager_emulator(
            options,
            lambda ready: say_ready(ready, _manager_emulator_text(ready), as_json=as_json),
            say_pending,
        )

    run_until_stopped(main, verbose=verbose)


def write_to(log: Path) -> None:
    """Send all further output to a file, which only its owner reads.

    Raises:
        CliError: it cannot be written.

    """
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if log.exists() and log.stat().st_size > MAX_LOG_BYTES:
            log.replace(log.with_name(f"{log.name}.1"))
        number = os.open(log, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    except OSError as error:
        raise CliError(f"--log: {log} cannot be written: {error.strerror}") from error
    # by line: what was said last is the most wanted when the process was killed
    sys.stdout = sys.stderr = open(number, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 (to the end)


def parse_speed(text: str) -> float:
    """Read ``--speed``: a positive number, or ``max``.

    Raises:
        CliError: it is neither.

    """
    try:
        speed = math.inf if text == "max" else float(text)
    except ValueError:
        speed = math.nan
    # not <=, since NaN compares false with everything
    if not speed > 0:
        raise CliError(f"--speed {text}: give a number above 0, or max", 2)
    return speed


def parse_address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` of this machine; an IPv6 address stands in brackets.

    Raises:
        CliError: it is none, or another machine's: no daemon listens beyond loopback, and a
            stranger should not even hear the id of a token.

    """
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise CliError(f"--bridge {text}: give HOST:PORT, as in 127.0.0.1:{BRIDGE_PORT}", 2)
    host = host.removeprefix("[").removesuffix("]")
    if not _is_loopback(host):
        raise CliError(f"--bridge {text}: give an address of this machine, as 127.0.0.1", 2)
    return host, int(port)


def checked_lots(lots: float | None) -> float | None:
    """Return what ``--partial-fill`` gave.

    Raises:
        CliError: it is nothing that can be filled.

    """
    if lots is not None and not 0 < lots < 1e6:
        raise CliError(f"--partial-fill {lots}: give lots above 0, as 0.05", 2)
    return lots


def checked_origins(origins: list[str] | None) -> tuple[str, ...]:
    """Return what ``--allow-origin`` gave.

    Raises:
        CliError: one is no origin.

    """
    from pydantic import TypeAdapter, ValidationError

    from gateway.config import Origins

    try:
        return TypeAdapter(Origins).validate_python(origins or ())
    except ValidationError:
        given = " ".join(origins or ())
        raise CliError(
            f"--allow-origin {given}: give scheme, host and port, as http://127.0.0.1:8000", 2
        ) from None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def say_ready(ready: Ready, text: str, *, as_json: bool) -> None:
    """Print the one thing that goes to stdout, at once, even into a pipe."""
    line = json.dumps(ready.as_event(), separators=(",", ":")) if as_json else text
    # flushed: a pipe would keep it until the process ends
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _demo_text(ready: Ready, platform: str = sys.platform) -> str:
    base = (ready.rpc or "").removesuffix("/rpc")
    is_found = ready.home == str(default_demo_home()) and not is_home(default_home())
    where = "" if is_found else f" --home {shell_word(str(ready.home), platform)}"
    paste, variables = _to_paste(ready, base, platform)
    return f"""\
Look at it in your browser (the link signs in once; mt-gateway ui makes another):

  {ready.live_page}

mt-gateway demo: console, gateway, an emulated terminal and an emulated MT4 server. Nothing here
trades real money.

  calls     POST {ready.rpc}
  events    {ready.ws}
  schemas   {base}/openrpc.json, {base}/asyncapi.json
  terminal  {ready.terminal}, linked on {ready.bridge}
  token     {ready.auth_token}
  console   {ready.console}
            {ready.console_email}, password {ready.console_password}
{_account_text(ready)}{_manager_text(ready)}  home      {ready.home}

Paste this into another terminal:

{paste}

Or these, with nothing to copy:

  mt-gateway call get_account_info{where}
  mt-gateway tail tick:EURUSD{where}

Your own program, and examples/, want to know:

{variables}

Ctrl+C stops it."""


def _to_paste(ready: Ready, base: str, platform: str) -> tuple[str, str]:
    """Return a call, and the setting of variables, for the shell that people of a system use."""
    body = '{"jsonrpc":"2.0","id":1,"method":"get_account_info"}'
    if platform == "win32":
        return (
            f"  Invoke-RestMethod {ready.rpc} -Method Post `\n"
            f"    -Headers @{{Authorization='Bearer {ready.auth_token}'}} `\n"
            f"    -ContentType application/json -Body '{body}'",
            f"  $env:MT_GATEWAY_URL='{base}'; $env:MT_GATEWAY_TOKEN='{ready.auth_token}'",
        )
    return (
        f"  curl -s {ready.rpc} -H 'Authorization: Bearer {ready.auth_token}' \\\n"
        f"    -H 'Content-Type: application/json' -d '{body}'",
        f"  export MT_GATEWAY_URL={base} MT_GATEWAY_TOKEN={ready.auth_token}",
    )


def _account_text(ready: Ready) -> str:
    account = ready.account
    if account is None:
        return ""
    return f"  account   {account.login} at {account.server}, password {account.password}\n"


def _manager_text(ready: Ready) -> str:
    manager = ready.manager
    if manager is None:
        return ""
    who = (
        ""
        if manager.username is None
        else f"            {manager.username}, password {manager.password}\n"
    )
    if manager.connect is not None:
        connect = json.dumps(asdict(manager.connect))
        who += f"            its server for /api/test/connect: {connect}\n"
    return f"  MT4       {manager.url}, for managers; reference {manager.url}/reference\n{who}"


def _serve_text(ready: Ready) -> str:
    lines = [
        "mt-gateway serves:",
        "",
        f"  calls     POST {ready.rpc}",
        f"  events    {ready.ws}",
        f"  page      {ready.live_page} (mt-gateway ui opens it, signed in)",
        f"  EA        {ready.bridge}",
        *_remote_lines(ready),
        f"  home      {ready.home}",
        f"  settings  {ready.config or 'the defaults: there is no config.toml in the home'}",
    ]
    if ready.console is not None:
        lines += [
            f"  console   {ready.console}",
            f"  machine   {ready.device}",
            "            The console and its mails show the same words, or it is another machine.",
        ]
    lines += _manager_text(ready).splitlines()
    return "\n".join([*lines, "", "Ctrl+C stops it."])


def _remote_lines(ready: Ready) -> list[str]:
    if ready.remote is None:
        return []
    return [f"  remote    {ready.remote}", f"            its pin: {ready.remote_pin}"]


def say_pending(pending: Pending) -> None:
    """Tell the person who started the terminal what a person at MetaTrader sees on the chart."""
    wrong = {
        "": "",
        "wrong_code": f"That was not the code; {pending.tries_left} tries are left. ",
        "busy": "The console is busy; try the code again. ",
    }.get(pending.error, "")
    sys.stderr.write(
        f"{wrong}This machine waits for approval: a mail is on its way to the token's owner.\n"
        f"Its code is {pending.user_code}; type it on {pending.url}\n"
    )


def _emulator_text(ready: Ready) -> str:
    return (
        f"Emulated terminal, linked to {ready.bridge} by token {ready.terminal}. Ctrl+C stops it."
    )


def _manager_emulator_text(ready: Ready) -> str:
    assert ready.mt4 is not None
    mt4 = ready.mt4
    return (
        f"Emulated MT4 server, linked to {ready.bridge} by token {ready.terminal}. Connect to it "
        f"by POST /api/test/connect:\n\n"
        f'  {{"server":"{mt4.server}","login":{mt4.login},"password":"{mt4.password}"}}\n\n'
        "Ctrl+C stops it."
    )
