"""Several terminals behind one port: the token says which one is meant.

export MT_GATEWAY_TOKENS=mgt_...,mgt_...     # one for each terminal
python examples/04_many_terminals.py
"""

import asyncio
import os

from gateway.client import GatewayClient, GatewayError

URL = os.environ.get("MT_GATEWAY_URL", "http://127.0.0.1:7400")
TOKENS = os.environ.get("MT_GATEWAY_TOKENS") or os.environ["MT_GATEWAY_TOKEN"]


async def describe(auth_token: str) -> str:
    async with GatewayClient(URL, auth_token) as client:
        status = await client.get_ea_status()  # the gateway answers it, terminal or not
        if not status["connected"]:
            return f"{status['terminal']}: {status['state']}"
        try:
            account = await client.get_account_info()
        except GatewayError as error:
            return f"{status['terminal']}: {error}"
    money = f"{account['equity']:.2f} {account['currency']}"
    return f"{status['terminal']}: {status['platform']}, account {account['login']}, {money}"


async def main() -> None:
    for line in await asyncio.gather(*map(describe, TOKENS.split(","))):
        print(line)


asyncio.run(main())
