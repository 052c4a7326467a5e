"""Open a position, watch it, close it; and what to do when an answer does not come.

python examples/03_place_and_close.py
"""

import asyncio
import os

from gateway.client import GatewayClient, GatewayError, NoAnswer, new_client_order_id


async def main() -> None:
    url = os.environ.get("MT_GATEWAY_URL", "http://127.0.0.1:7400")
    async with GatewayClient(url, os.environ["MT_GATEWAY_TOKEN"]) as client:
        market = await client.get_symbol_info("EURUSD")
        distance = 500 * market["point"]

        # Your name for this order, made once and before the first try: answers and errors name
        # it, so that you know which order they speak of.
        client_order_id = new_client_order_id()
        try:
            receipt = await client.place_order(
                symbol="EURUSD",
                side="buy",
                type="market",
                volume="0.10",
                sl=round(market["bid"] - distance, market["digits"]),
                tp=round(market["ask"] + distance, market["digits"]),
                client_order_id=client_order_id,
            )
        except (GatewayError, NoAnswer) as error:
            # not_sent: safe to send again; rejected: final; unknown: look before you repeat it
            print(f"No order ({error.outcome}): {error}")
            return

        order = receipt["order"]
        print(f"Bought {order['filled_volume']} EURUSD at {order['avg_price']}")
        print(f"Took {receipt['timing_ms']['terminal']} ms in the terminal")

        for position in await client.get_positions(symbol="EURUSD"):
            if position["ticket"] == order["position"]:
                print(f"Position {position['ticket']}: profit {position['profit']}")

        receipt = await client.close_position(ticket=order["position"])
        print(f"Closed at {receipt['order']['avg_price']}")


asyncio.run(main())
