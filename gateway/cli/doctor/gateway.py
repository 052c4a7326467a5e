"""The daemon, and the token that is shown to it."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import aiohttp
import orjson

from ea_bridge.token import MalformedToken, derive_keys, parse_token
from gateway import __version__
from gateway.cli.doctor.finding import Finding, ok, problem, skipped, warning
from gateway.cli.output import utc_minute
from gateway.client import GatewayClient, NoAnswer
from gateway.client.protocol import parse_address
from gateway.credentials.record import Record
from gateway.errors import GatewayError, Unauthorized
from gateway.schemas import AccountInfo, EaStatus, ServerInfo, TerminalInfo

ANSWER_S = 20.0
"""For one answer of the gateway: it is alive on a machine however busy with something else."""
ALL_S = 30.0
"""For all of them."""
MAX_CLOCK_MS = 2000
"""Between the daemon's clock and ours, beyond what the question took."""
SOON_S = 7 * 86_400
"""A token that expires within that should be replaced."""

_COPY = "copy it again, all 54 characters from mgt_ on"
_PUT = "put it into the EA and MT_GATEWAY_TOKEN"
_NEW = f"make one: mt-gateway token create --name NAME; {_PUT}"
_REMEDIES = {
    "unknown": "see that it is of this gateway's home: mt-gateway token list; or " + _NEW,
    "account_disabled": "ask who issued it to enable the account",
    "lease_expired": "restart the gateway, which signs its tokens anew",
}
"""By the reason why a token is refused; of any other it has ended."""
_OF_CONSOLE = {
    "unknown": "start the terminal with it on this machine, and approve the machine when the "
    "console's mail comes; see approval",
    "account_disabled": "ask who runs the console to enable the account",
    "lease_expired": "see console: the gateway has to reach it",
    "device_pending": "see approval",
    "device_revoked": "see device",
}
"""The same for a token of a console."""


@dataclass(frozen=True, slots=True)
class GatewayAnswers:
    """Answers of a gateway."""

    health: Finding
    version: str | None = None
    refusal: Unauthorized | None = None
    server: ServerInfo | None = None
    skew_ms: float = 0.0
    """The daemon's clock ahead of ours."""
    ea: EaStatus | None = None
    terminal: TerminalInfo | None = None
    account: AccountInfo | None = None
    silence: str | None = None
    """Why a question was not answered."""


async def listen(url: str, token: str | None) -> GatewayAnswers:
    """Ask a gateway whether it lives and, with a well-formed token, how its terminal is."""
    base = parse_address(url).base
    heard = GatewayAnswers(_too_slow(base))
    try:
        async with asyncio.timeout(ALL_S):
            heard = GatewayAnswers(*await _health(base))
            if heard.health.verdict == "ok" and token is not None:
                async with GatewayClient(url, token, timeout_s=ANSWER_S) as client:
                    heard = await _ask(client, heard)
    except TimeoutError:
        # what was heard by then is told all the same
        return replace(heard, silence=f"no answer within {ALL_S:g} s")
    return heard


async def _ask(client: GatewayClient, heard: GatewayAnswers) -> GatewayAnswers:
    try:
        return await _examined(client, heard)
    except Unauthorized as error:
        return replace(heard, refusal=error)
    except (GatewayError, NoAnswer) as error:
        return replace(heard, silence=str(error))


async def _examined(client: GatewayClient, heard: GatewayAnswers) -> GatewayAnswers:
    before_ms = time.time() * 1000
    server = await client.get_server_info()
    after_ms = time.time() * 1000
    # beyond what the question took: within that the clocks may agree
    late_ms = max(before_ms - server["time"], server["time"] - after_ms, 0.0)
    ea = await client.get_ea_status()
    terminal, account, silence = None, None, None
    if ea["state"] == "ready":
        try:
            terminal = await client.get_terminal_info()
            account = await client.get_account_info()
        except (GatewayError, NoAnswer) as error:
            silence = str(error)
    return GatewayAnswers(
        heard.health, heard.version, None, server, late_ms, ea, terminal, account, silence
    )


def _too_slow(base: str) -> Finding:
    look = "see what else keeps this machine busy, and the gateway's log; if it hangs, restart it"
    return problem("gateway", f"what listens at {base} is too slow", look)


async def _health(base: str) -> tuple[Finding, str | None]:
    """Return whether a gateway answers, and its version."""
    name, timeout = "gateway", aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session:
            # any program may listen there: no redirect is followed, and no answer read without end
            async with session.get(f"{base}/healthz", allow_redirects=False) as answer:
                healthy = answer.status == 200 and b'"ok"' in await answer.content.read(1024)
            if healthy:
                async with session.get(f"{base}/openrpc.json", allow_redirects=False) as answer:
                    version = str(orjson.loads(await answer.read())["info"]["version"])
    except TimeoutError:  # first: some errors of a connection are this one as well
        return _too_slow(base), None
    except aiohttp.ClientConnectorError:
        start = "start it: mt-gateway serve; or name the right one with --url"
        return problem(name, f"nobody answers at {base}", start), None
    except (aiohttp.ClientError, ValueError, KeyError, TypeError):
        healthy = False
    if not healthy:
        other = "see which program listens there, and name the gateway's address with --url"
        return problem(
            name, f"what answers at {base} is no gateway, or stops just now", other
        ), None
    return ok(name, f"answers at {base}"), version


def version(heard: GatewayAnswers) -> Finding:
    """The daemon is as new as this command."""
    if heard.version is None:
        return skipped("gateway_version", "see gateway")
    if heard.version == __version__:
        return ok("gateway_version", __version__)
    return warning(
        "gateway_version",
        f"the gateway is {heard.version}, this command {__version__}",
        "restart the gateway after an upgrade, or use the command that came with it",
    )


def clock(heard: GatewayAnswers) -> Finding:
    """The daemon's clock agrees with ours."""
    if heard.server is None:
        return skipped("gateway_clock", "see gateway and token")
    found = f"{heard.skew_ms:.0f} ms from ours"
    if heard.skew_ms <= MAX_CLOCK_MS:
        return ok("gateway_clock", found)
    return warning("gateway_clock", found, "let the network set the clocks of both machines")


def token(
    given: str | None,
    heard: GatewayAnswers,
    records: Sequence[Record] | None,
    now_s: int,
    console: str | None = None,
) -> Finding:
    """The token: what the gateway says or, where it cannot be asked, the home.

    Args:
        given: what was found in options, environment and home.
        heard: from the gateway.
        records: of the home; ``None`` if they are not known.
        now_s: seconds since 1970.
        console: url of that which makes this home's tokens; ``None`` where the home does.

    """
    if given is None:
        give = "set MT_GATEWAY_TOKEN, or give --auth-token, to look at token and terminal"
        return skipped("token", "none was given", give)
    try:
        tid = parse_token(given)
    except MalformedToken as error:
        return problem("token", str(error), _COPY)
    record = _record_of(given, tid, records or ())
    if heard.server is None:
        reason = _reason(heard, record, records, now_s)
        if reason is None:
            return skipped("token", f"{tid} is well-formed; the gateway cannot be asked")
        if reason != "live":
            return problem("token", f"{tid} is {_worded(reason)}", _remedy(reason, console))
    scopes = heard.server["scopes"] if heard.server else sorted(record.scopes) if record else []
    uses = [scope for scope in scopes if scope != "remote"]
    elsewhere = ", from other machines as well" if "remote" in scopes else ""
    return _life(f"{tid} may {' and '.join(uses)}{elsewhere}", record, now_s, console)


def _remedy(reason: str, console: str | None) -> str:
    if console is None:
        return _REMEDIES.get(reason, _NEW)
    return _OF_CONSOLE.get(reason, f"make one on the console's pages, {console}; {_PUT}")


def _life(found: str, record: Record | None, now_s: int, console: str | None) -> Finding:
    if record is None or record.exp is None:
        return ok("token", found if record is None else f"{found}, never expires")
    end = utc_minute(record.exp)
    if record.exp - now_s > SOON_S:
        return ok("token", f"{found} until {end}")
    remedy = f"replace it: mt-gateway token replace {record.label}"
    if console is not None:
        remedy = f"replace {record.label} on the console's pages, {console}"
    if record.status == "superseded":
        remedy = "it was replaced: put the new token into the EA and MT_GATEWAY_TOKEN"
    return warning("token", f"{found} until {end} only", remedy)


def _reason(
    heard: GatewayAnswers, record: Record | None, records: Sequence[Record] | None, now_s: int
) -> str | None:
    """Return why a token opens nothing, ``live`` if it does, ``None`` if nobody knows."""
    if heard.refusal is not None:
        return str(heard.refusal.data.get("reason"))
    if record is None:
        return None if records is None else "unknown"
    return "live" if record.is_live(now_s) else record.state(now_s)


def _worded(reason: str) -> str:
    return {
        "unknown": "not known here",
        "account_disabled": "of a disabled account",
        "lease_expired": "not vouched for any more",
        "device_pending": "not approved for this machine yet",
        "device_revoked": "not to be used on this machine any more",
    }.get(reason, reason)


def _record_of(given: str, tid: str, records: Sequence[Record]) -> Record | None:
    stored = derive_keys(given).stored_key.hex()
    for record in records:
        # the id is public: the derived key alone tells that it is the same token
        if record.tid == tid and hmac.compare_digest(record.stored_key, stored):
            return record
    return None
