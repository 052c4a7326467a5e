"""Ticks as they come, through restarts of the gateway and of MetaTrader.

python examples/02_stream_ticks.py [SYMBOL] [HOW_MANY]
"""

import asyncio
import os
import sys
from itertools import count

from gateway.client import GatewayClient

SYMBOL = sys.argv[1] if len(sys.argv) > 1 else "EURUSD"
HOW_MANY = int(sys.argv[2]) if len(sys.argv) > 2 else 20


async def main() -> None:
    url = os.environ.get("MT_GATEWAY_URL", "http://127.0.0.1:7400")
    async with (
        GatewayClient(url, os.environ["MT_GATEWAY_TOKEN"]) as client,
        client.subscribe(f"tick:{SYMBOL}") as events,
    ):
        numbers = count(1)
        async for event in events:
            if event.type == "reconnected":
                print("-- the connection was lost and is back")
                continue
            tick = event.data
            note = f"  ({event.merged} merged: this program was slow)" if event.merged else ""
            print(f"{tick['symbol']}  {tick['bid']} / {tick['ask']}{note}")
            if next(numbers) >= HOW_MANY:
                return


asyncio.run(main())
