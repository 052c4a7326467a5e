"""Journal of one terminal: a call is carried out once under its id, and its commands are noted.

It keeps params to compare them, and answers to give them again: what a caller said, but for what
equals its default. There is more than one way to say the same: a stop of 0 is none, ``type:
"buy"`` is ``side: "buy"``, 20 points are the deviation that is taken where none is named, and a
symbol may be written in any case, or in full as the receipt of the first call has named it. A
repeat in other words is no other request.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Protocol

import orjson
from pydantic import BaseModel

from ea_bridge.host import wall_ms
from ea_bridge.model import TradeResult
from gateway import errors
from gateway.errors import (
    ClientOrderIdConflict,
    GatewayError,
    InternalError,
    OrderUnresolved,
    TerminalDisconnected,
)
from gateway.storage.reserve import RETRY_MS
from gateway.storage.store import CommitUnsure, DiskFull, StoreError

from ..requests import DEFAULT_DEVIATION, with_outcome
from ..results import CHECK_AFTER_MS
from . import rows
from .intents import ENDS, AccountKey, CallKey, CommandRecord, Intent, ManualSettlement, Stage
from .log import OrderLog

NOT_COMPARED = frozenset({"client_order_id", "ttl_ms", "deadline_ms", "terminal", "validate_only"})
"""Params that say how and when, not what."""
_PRICES = ("price", "stoplimit", "sl", "tp")
_KINDS = frozenset({"market", "limit", "stop", "stop_limit"})
_STOPS = frozenset({"sl", "tp"})


# --- params -------------------------------------------------------------------------------------


def canonical(model: type[BaseModel], arguments: Mapping[str, Any]) -> str:
    """Return params as JSON that is the same for the same request.

    What equals its default is left out, so that a param that comes later changes nothing.
    """
    fields = model.model_fields
    said = {
        name: value
        for name, value in arguments.items()
        if name not in NOT_COMPARED and value != fields[name].default
    }
    return orjson.dumps(said, default=_plain, option=orjson.OPT_SORT_KEYS).decode()


def is_same(known: Intent, asked: CallKey) -> bool:
    """Whether a call asks for what was asked for under its id before."""
    if known.asked.method != asked.method:
        return False
    # the usual case: a program says the same again in the same words
    if known.asked.params == asked.params:
        return True
    before, now = (
        normalized(asked.method, orjson.loads(params))
        for params in (known.asked.params, asked.params)
    )
    taken = {send.request.symbol.casefold() for send in known.sends}
    # the first call may have named it in short, and its receipt told the broker's name
    if now.get("symbol") in taken and "symbol" in before:
        before["symbol"] = now["symbol"]
    return before == now


def normalized(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return params in a canonical form, so that equal requests compare as equal."""
    said = dict(params)
    for name in _PRICES:
        if said.get(name) == "0":
            if method == "modify_order" and name in _STOPS:
                said[name] = None  # there an absent one stays as it is
            else:
                del said[name]
    names = [said.pop(name, None) for name in ("deviation", "max_deviation_points")]
    deviation = next((value for value in names if value is not None), DEFAULT_DEVIATION)
    if deviation != DEFAULT_DEVIATION:
        said["deviation"] = deviation
    if isinstance(said.get("symbol"), str):
        said["symbol"] = said["symbol"].casefold()
    if method == "place_order":
        _normalize_order(said)
    return said


def _normalize_order(said: dict[str, Any]) -> None:
    kind, side = said.pop("type", "market"), said.pop("side", None)
    if kind in _KINDS and side is not None:
        kind = side if kind == "market" else f"{side}_{kind}"
    said["type"] = kind
    if said.get("type_time") == ("specified" if "expiration" in said else "gtc"):
        del said["type_time"]


# --- answers ------------------------------------------------------------------------------------


def encode_result(result: Any) -> bytes:
    """Return a result as it is kept."""
    return orjson.dumps({"result": result}, default=_plain)


def encode_error(error: GatewayError) -> bytes:
    """Return an error as it is kept."""
    kept = {"code": error.code, "message": error.message, "data": error.data}
    return orjson.dumps({"error": kept}, default=_plain)


def replay(answer: bytes) -> Any:
    """Return a result that was given before, marked as a duplicate; raise an error that was.

    Raises:
        GatewayError: what the first caller was told.

    """
    kept = orjson.loads(answer)
    if "error" in kept:
        error = decode_error(kept["error"])
        error.data["duplicate"] = True
        raise error
    result = kept["result"]
    return {**result, "duplicate": True} if isinstance(result, dict) else result


def decode_error(kept: Mapping[str, Any]) -> GatewayError:
    """Return an error as it was raised."""
    kind = _kinds().get(kept["code"], InternalError)
    return kind(kept["message"], **kept["data"])


def conflict(method: str, params: str, stage: str, client_order_id: str) -> ClientOrderIdConflict:
    """Return the error of an id that was used for something else."""
    return ClientOrderIdConflict(
        outcome="not_sent",
        client_order_id=client_order_id,
        original={"method": method, "params": orjson.loads(params), "state": stage},
    )


_by_code: dict[int, type[GatewayError]] = {}


def _kinds() -> Mapping[int, type[GatewayError]]:
    if not _by_code:
        _by_code.update((kind.code, kind) for kind in _leaves(errors.GatewayError))
    return _by_code


def _leaves(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    """Return the errors that are raised: those with a code of their own."""
    for below in kind.__subclasses__():
        if "code" in vars(below):
            yield below
        yield from _leaves(below)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, BaseModel):
        return value.model_dump()
    return str(value)


Run = Callable[[], Awaitable[Any]]

logger = logging.getLogger(__name__)


class Journal:
    """Interface of a terminal's journal. By itself, for tests and tools, it keeps nothing: every
    call is run, and every command may be sent.
    """

    def now_ms(self) -> int:
        """UTC now, in milliseconds."""
        return wall_ms()

    @property
    def account(self) -> AccountKey | None:
        """The account that the terminal was logged in to last, if that is remembered."""
        return None

    async def once(self, asked: CallKey, run: Run) -> Any:
        """Run a call that can change the account, unless its id was used before.

        Args:
            run: carries it out; every command that it sends is noted.

        Returns:
            What ``run`` returns, or what it returned then, with ``"duplicate": true``.

        Raises:
            ClientOrderIdConflict: the id stands for something else.
            GatewayError: what ``run`` raises, or raised then. ``data.outcome`` tells whether the
                id is free again (``not_sent``).

        """
        return await run()

    async def begin(self, account: AccountKey, client_order_id: str, send: CommandRecord) -> None:
        """Note a command that is about to be sent; once this returns it may be.

        Args:
            account: that the terminal is logged in to.

        Raises:
            GatewayError: it must not be sent.

        """
        send.created_ms = self.now_ms()

    def written(self, send: CommandRecord) -> None:
        """The bytes of a command were written."""
        send.stage, send.written_ms = Stage.SENT, self.now_ms()

    def acked(self, send: CommandRecord) -> None:
        """The terminal has taken a command."""
        # an answer may overtake the acknowledgement of its own command
        if send.stage is Stage.SENT:
            send.stage, send.acked_ms = Stage.ACKED, self.now_ms()

    def ended(
        self,
        send: CommandRecord,
        stage: Stage,
        result: TradeResult | None = None,
        *,
        err: int = 0,
        retcode: int = 0,
    ) -> None:
        """Note what became of a command."""
        send.stage, send.result, send.ended_ms = stage, result, self.now_ms()
        send.err, send.retcode = err, retcode if result is None else result.retcode

    async def close(
        self, account: AccountKey | None, client_order_id: str, error: BaseException | None
    ) -> None:
        """End the intent of a trade that no call stands behind, once nothing more is sent for it.

        Args:
            account: the one of the trade when it began; the terminal may be in another by now.
            client_order_id: of the trade.
            error: that it has ended with; ``None``: the broker took it.

        """

    def unresolved(self, symbol: str) -> list[str]:
        """Return the ids of those who may have changed the exposure in a symbol, or not."""
        return []

    def find(self, client_order_id: str) -> Intent | None:
        """Return what is known of an id.

        Raises:
            StoreError: the ledger cannot be read.

        """
        return None

    def asked_for(self, client_order_id: str) -> str:
        """Return the params of the call that is under way under an id; empty: there is none."""
        return ""

    def owner(self, intent: Intent, ticket: int) -> str | None:
        """Return the id of another intent whose command has made an order; ``None``: none has.

        Raises:
            StoreError: the ledger cannot be read.

        """
        return None

    async def recall(self, asked: CallKey, result: Any) -> None:
        """Note a call that was carried out, of which nothing is known here: the gateway was killed
        before it was written.
        """

    async def settle(
        self,
        intent: Intent,
        stage: Stage,
        answer: bytes | None,
        sends: list[CommandRecord],
        settlement: ManualSettlement,
    ) -> bool:
        """Note the end that an intent has by the word of a person; return whether that was done.

        Raises:
            StoreError: it is not written.

        """
        return False


class UsedIds(Protocol):
    """Ids whose orders a terminal shows, though the ledger may have forgotten them."""

    def is_paper(self, terminal: str) -> bool:
        """Whether a terminal trades on paper now: then nothing goes to the market."""

    def knows(self, account: AccountKey) -> bool:
        """Whether an account's terminal was looked through."""

    def ticket_of(self, account: AccountKey, client_order_id: str) -> int | None:
        """Return an order that was made under an id before this run; ``None``: there is none."""

    async def wait(self, terminal: str, account: AccountKey, *, reduces: bool) -> None:
        """Wait until it is looked through.

        Args:
            reduces: it is for what only takes risk away, which is not held up for long.

        Raises:
            GatewayError: it cannot be, for now.

        """


class SqliteJournal(Journal):
    """The journal of one terminal, in the ledger.

    Args:
        log: of all terminals.
        terminal: name of this one.
        account: that it is logged in to now; ``None`` where that was never known.
        used_ids: what terminals remember that the ledger has forgotten.

    """

    def __init__(
        self,
        log: OrderLog,
        terminal: str,
        account: Callable[[], AccountKey | None],
        used_ids: UsedIds | None = None,
    ) -> None:
        self._log = log
        self._used_ids = used_ids
        self._terminal = terminal
        self._account = account
        self._own: dict[tuple[AccountKey, str], Intent] = {}
        """Under way for the gateway itself, by account and client order id."""

    def now_ms(self) -> int:
        return self._log.now_ms()

    @property
    def account(self) -> AccountKey | None:
        return self._account() or self._log.account_of(self._terminal)

    async def once(self, asked: CallKey, run: Run) -> Any:
        # an id that we have just made was never used: one look into the ledger less for each such
        # order
        known = None if asked.is_new else self._known(asked)
        if _is_free(known) and not asked.is_new and await self._has_waited(asked):
            known = self._known(asked)  # the same call may have come meanwhile
        while known is not None and not _is_free(known):
            await _wait_for_end(known, asked)
            # nothing is run again here, whatever the first call has met: that is what the id is
            # for
            if known.answer is not None or not _is_free(known):
                return _again(known)
            known = self._known(asked)  # its call was given up before anything was sent
        if not asked.is_new:
            self._check_forgotten(asked)
        # no await since the id was looked up: a second call of it finds this one under way
        intent = self._log.take(asked, self._terminal)
        try:
            result = await run()
        except GatewayError as error:
            # the error is kept as well: a repeat is told the same
            await self._log.end(intent, _stage_after(intent, error), encode_error(error))
            raise
        except StoreError as failure:
            stage = _stage_after(intent, None)
            # the disk failed after the bytes: what became of them is asked of the terminal
            if stage is not Stage.NOT_SENT:
                await asyncio.shield(self._log.end(intent, stage, None))
                raise
            # SQLite cannot say whether the commit is on the disk: a kill may bring the row back
            if isinstance(failure, CommitUnsure):
                self._log.doubt(intent)
                raise _unsure(intent, failure) from None
            # what the gateway keeps itself, such as a held order, is as it was
            told = _not_written(asked.client_order_id, failure)
            with_outcome(told, asked.client_order_id, "not_sent")
            await self._log.end(intent, stage, encode_error(told))
            raise told from None
        except BaseException:
            # a fault of ours, or the daemon ends: whoever waits is told what is known
            await asyncio.shield(self._log.end(intent, _stage_after(intent, None), None))
            raise
        await self._log.end(intent, Stage.DONE, encode_result(result))
        self._log.on_point("answered")
        return result

    def _known(self, asked: CallKey) -> Intent | None:
        try:
            return self._log.find(asked.account, asked.client_order_id)
        except StoreError:
            logger.exception("the journal cannot be read, so order %s is not sent", asked)
            raise InternalError(
                "The journal cannot be read, so nothing was sent; the gateway's log says why",
                outcome="not_sent",
                client_order_id=asked.client_order_id,
            ) from None

    async def _has_waited(self, asked: CallKey) -> bool:
        """See that it is known which orders the ledger may have forgotten; whether that took time.

        Raises:
            GatewayError: it cannot be known for now, so nothing is sent.

        """
        used_ids = self._used_ids
        # once in a run; from then on this is one look into a dictionary
        if used_ids is None or used_ids.knows(asked.account):
            return False
        # on paper there is nothing of the market to be sent twice
        if used_ids.is_paper(self._terminal):
            return False
        try:
            await used_ids.wait(self._terminal, asked.account, reduces=asked.reduces)
        except GatewayError as error:
            raise with_outcome(error, asked.client_order_id, "not_sent") from None
        return True

    def _check_forgotten(self, asked: CallKey) -> None:
        """Refuse an id whose order the terminal shows, though the ledger does not know it."""
        found = self._used_ids
        if found is None or found.is_paper(self._terminal):
            return
        ticket = found.ticket_of(asked.account, asked.client_order_id)
        if ticket is not None:
            raise OrderUnresolved(
                f"The terminal has order {ticket} of this client_order_id, which the journal does "
                "not know: the gateway's home was restored from a backup. Nothing was sent; look "
                "at that order",
                outcome="unknown",
                client_order_id=asked.client_order_id,
                order=ticket,
                reason="journal_restored",
                duplicate=True,
            )

    async def begin(self, account: AccountKey, client_order_id: str, send: CommandRecord) -> None:
        await super().begin(account, client_order_id, send)
        intent = send.intent = self._intent(account, client_order_id)
        try:
            await self._log.write_command(intent, send)
        except (StoreError, rows.IdTaken) as error:
            raise _not_written(client_order_id, error) from None

    def _intent(self, account: AccountKey, client_order_id: str) -> Intent:
        """Return what the command is for; makes one for a trade of the gateway's own."""
        intent = self._log.running_as(account, client_order_id)
        if intent is not None:
            return intent
        # the call was for the account of a moment ago: its id would stand for something else here
        is_of_another = self._log.is_of_another(account, self._terminal, client_order_id)
        if self._account() != account or is_of_another:
            raise TerminalDisconnected("The terminal has just changed its account")
        asked = CallKey(account, client_order_id, "", "{}")
        own = self._log.take(asked, self._terminal, is_own=True)
        self._own[own.key] = own
        return own

    def written(self, send: CommandRecord) -> None:
        super().written(send)
        self._log.on_point("written")

    def acked(self, send: CommandRecord) -> None:
        super().acked(send)
        self._log.on_point("acked")

    def ended(
        self,
        send: CommandRecord,
        stage: Stage,
        result: TradeResult | None = None,
        *,
        err: int = 0,
        retcode: int = 0,
    ) -> None:
        super().ended(send, stage, result, err=err, retcode=retcode)
        self._log.on_point("result")

    async def close(
        self, account: AccountKey | None, client_order_id: str, error: BaseException | None
    ) -> None:
        # by id alone a trade that was refused in one account ended that of another
        intent = None if account is None else self._own.pop((account, client_order_id), None)
        if intent is None:
            return
        told = error if isinstance(error, GatewayError) else None
        stage = Stage.DONE if error is None else _stage_after(intent, told)
        await self._log.end(intent, stage, None if told is None else encode_error(told))

    def unresolved(self, symbol: str) -> list[str]:
        account = self.account
        if account is None:
            return []
        return [
            intent.asked.client_order_id
            for intent in self._log.doubtful(account)
            if any(send.request.symbol == symbol and send.is_exposing for send in intent.sends)
        ]

    def find(self, client_order_id: str) -> Intent | None:
        account = self.account
        return None if account is None else self._log.find(account, client_order_id)

    def asked_for(self, client_order_id: str) -> str:
        account = self.account
        running = None if account is None else self._log.running_as(account, client_order_id)
        return "" if running is None else running.asked.params

    def owner(self, intent: Intent, ticket: int) -> str | None:
        return self._log.owner(intent.asked.account, ticket, intent)

    async def recall(self, asked: CallKey, result: Any) -> None:
        intent = self._log.take(asked, self._terminal)
        intent.reconciled = True
        await self._log.end(intent, Stage.DONE, encode_result(result))

    async def settle(
        self,
        intent: Intent,
        stage: Stage,
        answer: bytes | None,
        sends: list[CommandRecord],
        settlement: ManualSettlement,
    ) -> bool:
        return await self._log.settle(intent, stage, answer, sends=sends, settlement=settlement)


def _is_free(known: Intent | None) -> bool:
    """Whether an id may be used: for the first time, or because nothing was sent.

    That nothing was sent must be on the disk before: until then the row is that of an order under
    way, and whoever read it would have its end written once more, over that of the next request.
    """
    return known is None or (known.stage is Stage.NOT_SENT and not known.is_under_way)


async def _wait_for_end(known: Intent, asked: CallKey) -> None:
    """Wait until an id that is used has its end.

    Raises:
        ClientOrderIdConflict: it stands for something else.

    """
    if not is_same(known, asked):
        raise conflict(
            known.asked.method, known.asked.params, known.stage_now, asked.client_order_id
        )
    # shielded: a caller that leaves must not end the wait of the others
    if known.over is not None:
        await asyncio.shield(known.over)


def _again(known: Intent) -> Any:
    """Answer what was answered."""
    if known.answer is None:
        raise unknown(known)
    return replay(known.answer)


def unknown(intent: Intent) -> OrderUnresolved:
    """Return the error of an id whose outcome is not known, when it is asked for again."""
    return OrderUnresolved(
        outcome="unknown",
        client_order_id=intent.asked.client_order_id,
        state=intent.stage_now,
        check_after_ms=CHECK_AFTER_MS,
        duplicate=True,
    )


def _stage_after(intent: Intent, error: GatewayError | None) -> Stage:
    """Return how an intent stands whose call has failed.

    The commands decide: one that may have been executed is not undone by what failed after it.
    """
    stages = {send.stage for send in intent.sends}
    # one without an end may have been executed, and that outweighs every refusal
    if stages - ENDS:
        return Stage.UNKNOWN
    if Stage.DONE in stages:
        # executed. Without an error there is no answer yet: the reconciler makes the receipt
        return Stage.DONE if error is not None else Stage.UNKNOWN
    if error is not None and error.outcome == "rejected":
        return Stage.REJECTED
    return Stage.NOT_SENT


def _unsure(intent: Intent, failure: CommitUnsure) -> OrderUnresolved:
    """Log that a kill may bring back what is not written; return what its caller is told."""
    logger.error("order %s may be on the disk: %s", intent.asked.client_order_id, failure)
    return OrderUnresolved(
        "The disk of the gateway has failed over it: it is found out as soon as the disk works, "
        "and get_order tells",
        outcome="unknown",
        client_order_id=intent.asked.client_order_id,
        check_after_ms=CHECK_AFTER_MS,
    )


def _not_written(client_order_id: str, error: Exception) -> InternalError:
    """Log that a command is not in the journal; return what its caller is told."""
    logger.error("order %s is not in the journal, so it is not sent: %s", client_order_id, error)
    if isinstance(error, DiskFull):
        return InternalError(
            "The disk of the gateway is full, so nothing was sent: make room on it. Closing and "
            "cancelling go on as long as the gateway's reserve lasts",
            reason="disk_full",
            retryable=True,
            retry_after_ms=RETRY_MS,
        )
    return InternalError(
        "The journal cannot be written, so nothing was sent; the gateway's log says why"
    )
