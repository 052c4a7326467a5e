"""The first call, with Python's standard library alone.

mt-gateway demo                        # in another terminal; it prints what to export
export MT_GATEWAY_URL=http://127.0.0.1:7400 MT_GATEWAY_TOKEN=mgt_...
python examples/01_first_call.py
"""

import json
import os
import urllib.request

URL = os.environ.get("MT_GATEWAY_URL", "http://127.0.0.1:7400")
TOKEN = os.environ["MT_GATEWAY_TOKEN"]
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # straight to the gateway


def call(method, **params):
    """Call a method of the gateway and return its result."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    request = urllib.request.Request(
        f"{URL}/rpc",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"},
    )
    with OPENER.open(request, timeout=10) as response:
        answer = json.load(response)
    if "error" in answer:
        raise RuntimeError(f"{method}: {answer['error']['code']} {answer['error']['message']}")
    return answer["result"]


account = call("get_account_info")
print(f"Account {account['login']} on {account['server']}")
print(f"Balance {account['balance']:.2f} {account['currency']}, equity {account['equity']:.2f}")

symbol = call("get_symbol_info", symbol="EURUSD")
print(f"EURUSD  {symbol['bid']} / {symbol['ask']}")

for bar in call("get_ohlc", symbol="EURUSD", timeframe="H1", count=3)["bars"]:
    print(f"H1      open {bar['open']}  close {bar['close']}  ticks {bar['tick_volume']}")
