"""Client library: typed methods, streams that heal themselves.

::

    async with GatewayClient("http://127.0.0.1:7400", auth_token) as client:
        account = await client.get_account_info()
        async for event in client.subscribe("tick:EURUSD"):
            print(event.data["bid"], event.data["ask"])

:class:`SyncGatewayClient` is the same without ``async``. A call fails in one of two ways: with a
:class:`GatewayError`, when the gateway answered with one, or with :class:`NoAnswer`, when no
answer came. Both tell by ``outcome`` what is known of a trade, and by ``retryable`` whether the
same call may work later. The client never sends a call that trades a second time by itself.
"""

from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from gateway.lazy import names_of

if TYPE_CHECKING:
    from gateway.client.client import GatewayClient
    from gateway.client.errors import (
        CallTimedOut,
        ConnectionLost,
        NoAnswer,
        NotTheGateway,
        StreamEnded,
        Unreachable,
    )
    from gateway.client.history import HistoryReader
    from gateway.client.methods_base import new_client_order_id
    from gateway.client.protocol import Event
    from gateway.client.subscription import Subscription
    from gateway.client.sync import SyncGatewayClient
else:
    __getattr__ = names_of(
        __name__,
        client="GatewayClient",
        errors="CallTimedOut ConnectionLost NoAnswer NotTheGateway StreamEnded Unreachable",
        history="HistoryReader",
        protocol="Event",
        methods_base="new_client_order_id",
        subscription="Subscription",
        sync="SyncGatewayClient",
    )

__all__ = [
    "CallTimedOut",
    "ConnectionLost",
    "Event",
    "GatewayClient",
    "GatewayError",
    "HistoryReader",
    "NoAnswer",
    "NotTheGateway",
    "StreamEnded",
    "Subscription",
    "SyncGatewayClient",
    "Unreachable",
    "new_client_order_id",
]
