"""Orders of callers: each function takes a request and returns its receipt.

Placing, modifying and closing have one shape. A request of a caller is *prepared*: it becomes the
terminal's own request, with prices on the grid (:mod:`.placement`, :mod:`.modification`,
:mod:`.closing`). Then it is *carried out* (:mod:`.execution`): admitted by the rules of risk, sent
once, and told in a receipt.

What changes or closes something waits for its turn first: what is prepared depends on what is open
at that moment.
"""

from .closing import close, close_by
from .modification import cancel, modify
from .placement import check, place

__all__ = ["cancel", "check", "close", "close_by", "modify", "place"]
