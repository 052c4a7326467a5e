"""JSON-RPC: ``POST /rpc``, ``GET /ws`` and the documents, behind one request guard."""
