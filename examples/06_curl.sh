#!/bin/sh
# The gateway from a shell. Everything that a program can ask, curl can ask too.
#
#   export MT_GATEWAY_URL=http://127.0.0.1:7400 MT_GATEWAY_TOKEN=mgt_...
#   sh examples/06_curl.sh
set -eu
url=${MT_GATEWAY_URL:-http://127.0.0.1:7400}

rpc() {
    # the header comes on standard input, so that the token stays out of the process list
    printf 'header = "Authorization: Bearer %s"\n' "$MT_GATEWAY_TOKEN" |
        curl --silent --show-error --fail-with-body --noproxy '*' --config - \
            --header 'Content-Type: application/json' --data "$1" "$url/rpc"
    echo
}

echo "The account:"
rpc '{"jsonrpc":"2.0","id":1,"method":"get_account_balance"}'

echo "Two calls in one request:"
rpc '[{"jsonrpc":"2.0","id":1,"method":"ping"},
      {"jsonrpc":"2.0","id":2,"method":"get_ohlc","params":{"symbol":"EURUSD","count":1}}]'

echo "A symbol that does not exist:"
rpc '{"jsonrpc":"2.0","id":1,"method":"get_symbol_info","params":{"symbol":"EURUSDX"}}'
