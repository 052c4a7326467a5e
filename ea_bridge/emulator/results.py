"""What an EA remembers of the commands that trade, so that none is ever executed twice."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ea_bridge.commands import MAX_RESULTS, StoredResult
from ea_bridge.model import TradeResult
from ea_bridge.peer import results
from ea_bridge.protocol.messages import Res

MAX_LINES = results.LINES_PER_RESULT * MAX_RESULTS
"""Of the file, before it is written anew with what still counts."""

_result_decoder = msgspec.json.Decoder(TradeResult)


class ResultsTable(results.ResultsTable):
    """The last commands that trade which a terminal has taken, by their ids.

    Args:
        path: keeps them between runs; in memory only if absent.

    Raises:
        OSError: the file is there and cannot be read.

    """

    def __init__(self, path: Path | None = None) -> None:
        super().__init__(path, room=MAX_RESULTS)

    def look_up(self, ids: Iterable[int]) -> list[StoredResult]:
        """Say what is known of each command."""
        return [self._known(one) for one in ids]

    def _known(self, command_id: int) -> StoredResult:
        state = self.state(command_id)
        res = self.answer(command_id) if state == "done" else None
        if res is None:
            return StoredResult(id=command_id, state=state)
        return StoredResult(
            id=command_id, state=state, result=_result(res), err=res.err, retcode=res.retcode
        )


def _result(res: Res) -> TradeResult | None:
    """Return what ``OrderSend`` answered; ``None`` of a refusal, and of another command."""
    try:
        return _result_decoder.decode(res.d) if res.ok else None
    except msgspec.MsgspecError:
        return None
