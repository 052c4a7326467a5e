"""Copy what one terminal opens and closes to others, each trade once.

export MT_GATEWAY_TOKEN=mgt_...                # whose trades are copied; --scope read will do
export MT_GATEWAY_FOLLOWERS=mgt_...,mgt_...    # where to
python examples/07_copy_trades.py [FACTOR] [HOW_MANY]

The copy of a position has a name made of the leader's account and ticket, so that it is made once,
however often this program or a connection starts anew. FACTOR multiplies the volume; the program
ends after HOW_MANY closings. It copies openings and closings, whole or in part, and no pending
orders, stop losses or take profits. What was opened before it started is left alone. It is for
accounts with hedging: with netting, the positions of follower and leader are not the same things.
"""

import asyncio
import os
import sys
import time

from gateway.client import GatewayClient, GatewayError, NoAnswer

URL = os.environ.get("MT_GATEWAY_URL", "http://127.0.0.1:7400")
FACTOR = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
HOW_MANY = int(sys.argv[2]) if len(sys.argv) > 2 else None
OLDEST_S = 5.0  # what was opened while nobody listened is worth another price by now


def say(text: str) -> None:
    print(text, flush=True)


class Follower:
    """A terminal that copies."""

    def __init__(self, client: GatewayClient, leader: int) -> None:
        self.client = client
        self.leader = leader

    async def open(self, position) -> None:
        await self.client.place_order(
            symbol=position["symbol"],
            side=position["type"],
            type="market",
            volume=position["volume"] * FACTOR,
            normalize=True,
            client_order_id=self.name(position),
        )
        say(f"Copied {position['type']} {position['symbol']} of position {position['ticket']}")

    async def close(self, position, volume: float | None) -> None:
        """Close the copy, or a part of it; nothing happens where there is none."""
        record = await self.client.get_order(client_order_id=self.name(position))
        sent = record["sends"][-1] if record["sends"] else {}
        if ticket := sent.get("position"):
            part = {} if volume is None else {"volume": volume * FACTOR, "normalize": True}
            left = 0.0 if volume is None else position["volume"]
            name = f"{self.name(position)}-{left:g}"
            await self.client.close_position(ticket=ticket, client_order_id=name, **part)
            say(f"Closed the copy of position {position['ticket']}, but {left:g}")

    def name(self, position) -> str:
        return f"copy-{self.leader}-{position['ticket']}"


async def attempt(act) -> None:
    """Do something of one follower; the others go on whatever becomes of it."""
    try:
        await act
    except (GatewayError, NoAnswer) as error:
        # not_sent: nothing happened; unknown: the gateway finds out by itself
        say(f"-- not copied ({error.outcome}): {error}")


async def copy(before, after, followers) -> int:
    """Do what makes the difference of two lists of positions; return how many were closed."""
    acts, closed = [], before.keys() - after.keys()
    for ticket, position in after.items():
        earlier = before.get(ticket)
        if earlier is None and time.time() - position["time"] / 1000 <= OLDEST_S:
            acts += [follower.open(position) for follower in followers]
        elif earlier is not None and position["volume"] < earlier["volume"]:
            part = earlier["volume"] - position["volume"]
            acts += [follower.close(position, part) for follower in followers]
    for ticket in closed:
        acts += [follower.close(before[ticket], None) for follower in followers]
    await asyncio.gather(*map(attempt, acts))
    return len(closed)


async def follow(leader: GatewayClient, followers) -> None:
    known, closings = None, 0
    async with leader.subscribe("positions") as events:
        async for event in events:
            if event.type == "reconnected":
                continue
            if event.type == "update":
                position = event.data["position"]
                after = {**(known or {}), position["ticket"]: position}
                if event.data["op"] == "remove":
                    del after[position["ticket"]]
            else:  # a snapshot; or a gap: look at all of them
                positions = await leader.get_positions()
                after = {position["ticket"]: position for position in positions}
            if known is None:
                say(f"Following, {len(after)} positions are left alone")
            else:
                closings += await copy(known, after, followers)
            known = after
            if HOW_MANY is not None and closings >= HOW_MANY:
                return


async def main() -> None:
    tokens = os.environ["MT_GATEWAY_FOLLOWERS"].split(",")
    clients = [GatewayClient(URL, token) for token in tokens]
    try:
        async with GatewayClient(URL, os.environ["MT_GATEWAY_TOKEN"]) as leader:
            login = (await leader.get_account_info())["login"]
            await follow(leader, [Follower(client, login) for client in clients])
    finally:
        await asyncio.gather(*(client.aclose() for client in clients))


asyncio.run(main())
