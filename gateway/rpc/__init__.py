"""The doors: ``POST /rpc``, ``GET /ws`` and the documents, behind one request guard."""
