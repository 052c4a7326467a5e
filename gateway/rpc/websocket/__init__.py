"""``GET /ws``: JSON-RPC and events over one WebSocket."""
