"""Intents and commands as rows of the ledger: written, and read as they were."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ea_bridge.model import TradeAction, TradeRequest, TradeResult
from gateway.storage.ledger import Ledger
from gateway.trading.journal import (
    SETTLEMENTS,
    TABLE,
    AccountKey,
    CallKey,
    CommandRecord,
    Intent,
    ManualSettlement,
    Stage,
    rows,
)
from gateway.trading.journal.intents import WATCHED_MS
from gateway.trading.requests import ReceiptContext

HERE = AccountKey(1, "S")
NOW_MS = 1_780_000_000_000


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path, [TABLE, SETTLEMENTS])
    yield made
    made.close()


def intent(client_order_id: str = "a", account: AccountKey = HERE, **more: object) -> Intent:
    call = CallKey(account, client_order_id, "place_order", '{"symbol":"EURUSD"}', "tid")
    fields = {"terminal": "mt5-a", "created_ms": NOW_MS, "updated_ms": NOW_MS, **more}
    return Intent(asked=call, **fields)  # type: ignore[arg-type]


def command(command_id: int = 7, **more: object) -> CommandRecord:
    request = TradeRequest(action=TradeAction.DEAL, symbol="EURUSD", volume=0.1, **more)  # type: ignore[arg-type]
    context = ReceiptContext(symbol_requested="eurusd", tried=(1,))
    return CommandRecord(
        command_id=command_id, request=request, context=context, created_ms=NOW_MS
    )


async def write(ledger: Ledger, made: Intent, send: CommandRecord | None = None) -> None:
    made.row = await ledger.write(rows.inserting(made, send))
    if send is not None:
        made.sends.append(send)


async def test_an_intent_is_read_as_it_was_written(ledger: Ledger) -> None:
    """With its command, its answer and what a person has said of it."""
    made, send = intent(), command()
    await write(ledger, made, send)
    said = ManualSettlement(by="token t", outcome="done", ticket=5, time_ms=NOW_MS)
    send.stage, send.written_ms, send.ended_ms = Stage.DONE, NOW_MS + 1, NOW_MS + 2
    send.result = TradeResult(retcode=10009, order=5, deal=6)
    ended = replace(made, stage=Stage.DONE, answer=b'{"result":1}', settlement=said)
    await ledger.write(rows.updating(ended))
    found = rows.find(ledger.reader, HERE, "a")
    assert found is not None
    assert (found.asked, found.stage, found.answer) == (made.asked, Stage.DONE, ended.answer)
    assert (found.settlement, found.row) == (said, made.row)
    [read] = found.sends
    assert (read.request, read.context, read.result) == (send.request, send.context, send.result)
    assert (read.stage, read.written_ms, read.ended_ms) == (Stage.DONE, NOW_MS + 1, NOW_MS + 2)


@pytest.mark.parametrize("stage", [Stage.UNKNOWN, Stage.DONE, Stage.REJECTED])
async def test_an_id_is_used_once(ledger: Ledger, stage: Stage) -> None:
    """Whatever has become of it; each account has its own ids."""
    await write(ledger, intent(stage=stage))
    with pytest.raises(rows.IdTaken):
        await ledger.write(rows.inserting(intent(), command()))
    await write(ledger, intent(account=AccountKey(2, "S")), command())


async def test_an_id_of_which_nothing_was_sent_is_free(ledger: Ledger) -> None:
    """The new one takes its row."""
    before, after = intent(stage=Stage.NOT_SENT), intent()
    await write(ledger, before)
    await write(ledger, after, command())
    assert after.row == before.row
    [found] = rows.unresolved(ledger.reader)
    assert (found.stage, len(found.sends)) == (Stage.JOURNALED, 1)


async def test_an_end_that_is_there_is_not_written_over(ledger: Ledger) -> None:
    """Who was to write that it is unknown did not know that its end is on the disk."""
    made = intent()
    await write(ledger, made, command())
    await ledger.write(rows.updating(replace(made, stage=Stage.DONE)))
    late = replace(made, stage=Stage.UNKNOWN)
    await ledger.write(rows.unless_ended(late, rows.updating(late)))
    assert rows.unresolved(ledger.reader) == []


async def test_orders_and_exits_belong_to_an_account(ledger: Ledger) -> None:
    """Another account may have the same tickets."""
    made, send = intent(), command(position=3)
    await write(ledger, made, send)
    send.stage, send.result = Stage.DONE, TradeResult(retcode=10009, order=5)
    await ledger.write(rows.updating(replace(made, stage=Stage.DONE)))
    reader, other = ledger.reader, AccountKey(2, "S")
    assert (rows.owner(reader, HERE, 5), rows.owner(reader, other, 5)) == ("a", None)
    assert (rows.claimed(reader, HERE, [4, 5]), rows.claimed(reader, other, [5])) == ({5}, set())
    assert (rows.exits(reader, HERE, 3), rows.exits(reader, other, 3)) == ({7: Stage.DONE}, {})
    assert (rows.last_command_id(reader), rows.last_sent_ms(reader)) == (7, NOW_MS)


async def test_what_a_person_settled_is_watched_for_a_day(ledger: Ledger) -> None:
    """Or until the terminal has said the same."""
    made = intent()
    await write(ledger, made, command())
    said = ManualSettlement(by="token t", outcome="done", time_ms=NOW_MS)
    await ledger.write(rows.updating(replace(made, stage=Stage.DONE, settlement=said)))
    assert [one.key for one in rows.watched(ledger.reader, NOW_MS)] == [made.key]
    assert rows.watched(ledger.reader, NOW_MS + WATCHED_MS) == []
    sure = ManualSettlement(by="token t", outcome="done", time_ms=NOW_MS, confirmed=True)
    await ledger.write(rows.updating(replace(made, stage=Stage.DONE, settlement=sure)))
    assert rows.watched(ledger.reader, NOW_MS) == []
